"""What is the trigger process? One event loop that runs the triggers of many tasks: user code, without credentials.

Started by its triggerer (``python -m scheduler.triggerer.process FD``) when there is something to wait for, ended by it
when there is nothing more. A second thread reads what the triggerer says, so that answers arrive and questions about
its health are answered while a trigger blocks the loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from executors.bundles.holding import hold
from executors.runner import linux
from executors.runner.wire import Wire, frame
from scheduler.triggerer import output
from scheduler.triggerer.asking import Switchboard, TriggerChannel
from scheduler.triggerer.finding import Finder
from scheduler.triggerer.protocol import VERSION, Add, Blocked, Cancel, Ping, Pong, Ready, Setup, Told, ToTriggers
from scheduler.triggerer.running import Run, log
from scheduler.triggerer.stepping import Board, Timed
from tradewind import compat
from tradewind.sdk import defaults, reach

R = TypeVar("R")
THREADS: Final = 16
"""How many blocking calls of triggers (``asyncio.to_thread``) run at once."""


class TriggerProcess:
    """The whole of it. :meth:`serve` returns never."""

    def __init__(self, control: socket.socket) -> None:
        self._wire: Wire[ToTriggers] = Wire(control, msgspec.msgpack.Decoder(ToTriggers))
        self._sending = threading.Lock()
        self._switchboard = Switchboard(self._send)
        self._board = Board(self._blocked)
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_ContextExecutor(THREADS, thread_name_prefix="trigger"))
        self._runs: dict[UUID, tuple[Run, asyncio.Task[None]]] = {}

    def receive_setup(self) -> Setup:
        """Wait for the first message. Ends the process when there is none, or when it is of another version."""
        first = self._wire.receive()
        if not isinstance(first, Setup) or first.version != VERSION:
            os._exit(1)
        return first

    def serve(self, setup: Setup) -> None:
        """Run triggers until the triggerer is gone."""
        self._setup = setup
        hold(setup.lock_path)
        self._finder = Finder(setup.dags_folder)
        asyncio.set_event_loop(self._loop)
        threading.Thread(target=self._listen, name="trigger-commands", daemon=True).start()
        self._send(Ready(VERSION, os.getpid()))
        self._loop.run_forever()

    # --- in the thread that listens ---

    def _listen(self) -> None:
        try:
            while (message := self._wire.receive()) is not None:
                if isinstance(message, Told):
                    self._switchboard.told(message.number, message.answer)
                elif isinstance(message, Ping):
                    self._send(self._pong())
                elif not isinstance(message, Setup):
                    self._loop.call_soon_threadsafe(self._obey, message)
        finally:
            # The triggerer is gone, and whoever takes over runs the same triggers: none may go on here.
            linux.kill_everything_below(2.0)
            os._exit(0)

    def _pong(self) -> Pong:
        found = self._board.blocked()
        return Pong(len(self._runs), *found) if found is not None else Pong(len(self._runs))

    # --- in the loop's thread ---

    def _obey(self, message: Add | Cancel) -> None:
        if isinstance(message, Add):
            self._add(message)
            return
        run, task = self._runs.get(message.wait, (None, None))
        if run is not None and task is not None:
            run.is_killed = message.kill
            task.cancel()

    def _add(self, add: Add) -> None:
        if add.wait in self._runs:
            return
        context = contextvars.copy_context()
        context.run(output.log_path.set, add.log_path)
        channel = TriggerChannel(add.wait, self._switchboard, output.SINK.masker, self._setup.xcom_policy)
        context.run(reach.bind, channel)
        run = Run(add, self._finder, self._send)
        timed = Timed(run.run(), add.wait, self._board, threading.get_ident())
        task = self._loop.create_task(timed, name=f"{add.trigger} of {add.task_id}", context=context)
        self._runs[add.wait] = run, task
        task.add_done_callback(lambda _task: self._runs.pop(add.wait, None))

    def _blocked(self, wait: UUID, seconds: float) -> None:
        run, _ = self._runs.get(wait, (None, None))
        if run is None:
            return
        log.warning(
            "The trigger %s blocked its process for %.2f s, in which no other trigger could run. Await what takes "
            "long, or hand it to asyncio.to_thread().",
            run.add.trigger,
            seconds,
        )
        self._send(Blocked(wait, seconds))

    def _send(self, message: Any) -> None:
        with self._sending:
            self._wire.socket.sendall(frame(message))


class _ContextExecutor(ThreadPoolExecutor):
    """Threads in which the context of the caller holds, so that they know for which trigger they work."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


def main(arguments: Sequence[str]) -> None:
    """Serve the socket whose descriptor is the first argument."""
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    linux.set_name(b"tradewind-trig")
    linux.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the triggerer, which ends us
    process = TriggerProcess(control)
    setup = process.receive_setup()
    compat.install()
    defaults.use(defaults.Defaults(**setup.defaults))
    for folder in reversed((setup.dags_folder, *setup.import_paths)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    output.take_over(setup.log_level)
    output.SINK.masker.set_names(setup.sensitive_names, setup.hide_sensitive)
    process.serve(setup)


if __name__ == "__main__":
    main(sys.argv[1:])
