"""How does a triggerer come to its trigger process? Started when there is something to run, ended when idle."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from executors.runner import linux
from executors.runner.environment import MARKER
from executors.runner.wire import Wire, WireError, frame
from scheduler.triggerer.protocol import FromTriggers, Setup

log = logging.getLogger(__name__)

_ROOT: Final = str(Path(__file__).resolve().parents[2])
_END_SECONDS: Final = 10.0


class TriggerLink:
    """One trigger process. A thread of its own hears what it says; any thread may speak to it."""

    def __init__(
        self,
        setup: Setup,
        environment: Mapping[str, str],
        on_message: Callable[[FromTriggers], None],
        on_end: Callable[[TriggerLink], None],
    ) -> None:
        """
        Args:
            on_message: called for each message, in the thread that hears.
            on_end: called once when the process is gone or talks nonsense, in that thread; not after :meth:`close`.

        Raises:
            OSError: the process cannot be started.
        """
        self._on_message, self._on_end = on_message, on_end
        self._marker = f"{MARKER}={environment[MARKER]}"
        self._sending = threading.Lock()
        self._is_closed = False
        ours, theirs = socket.socketpair()
        search_path = os.pathsep.join(filter(None, [_ROOT, environment.get("PYTHONPATH", "")]))
        with theirs:
            self._process = subprocess.Popen(
                # -P: what lies in the working directory must not stand in for a module of ours.
                [sys.executable, "-P", "-m", "scheduler.triggerer.process", str(theirs.fileno())],
                env={**environment, "PYTHONPATH": search_path},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is for us
            )
        self._wire: Wire[FromTriggers] = Wire(ours, msgspec.msgpack.Decoder(FromTriggers))
        self.send(setup)
        self._thread = threading.Thread(target=self._hear, name="trigger-messages", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, message: Any) -> None:
        """Send a message. One that cannot be sent any more is dropped: the end of the process is told elsewhere."""
        with self._sending:
            try:
                self._wire.socket.sendall(frame(message))
            except OSError:
                log.debug("the trigger process is gone; a message to it is dropped")

    def close(self) -> None:
        """End the process and all below it. Idempotent."""
        self._is_closed = True
        with suppress(OSError):  # it is gone already
            self._wire.socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        linux.kill_marked(self._marker)
        if threading.current_thread() is not self._thread:
            self._thread.join(_END_SECONDS)
        self._wire.close()

    def kill(self) -> None:
        """End the process at once, also when it does not listen. Its end is told as any other."""
        self._process.kill()

    def _hear(self) -> None:
        try:
            while (message := self._wire.receive()) is not None:
                try:
                    self._on_message(message)
                except Exception:  # one message must not make us deaf for the others
                    log.exception("a %s of the trigger process could not be handled", type(message).__name__)
        except (OSError, WireError) as error:
            log.debug("the trigger process cannot be heard: %s", error)
        if not self._is_closed:
            self._on_end(self)
