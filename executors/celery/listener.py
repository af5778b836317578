"""How does a worker hear the broker? A Celery worker in a thread of its own, whose one task passes ids on.

Messages are acknowledged as they come. While the worker has no free slot nothing is consumed, so that messages stay
with the broker for others. A broker that is away costs the time until the next look at the metadata DB, and is tried
again for ever.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol
from uuid import UUID

from celery import Celery, bootsteps
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer
from celery.worker.control import control_command
from celery.worker.state import maybe_shutdown

from executors.celery.app import CONTROL_DRAIN, CONTROL_LOOK, CONTROL_RESUME, TASK, listening_queue

log = logging.getLogger(__name__)

RECONNECT_SECONDS: Final = 3
"""The longest time between two tries to reach a broker that is away."""
JOIN_SECONDS: Final = 5.0
"""How long the end waits for Celery, which may be busy with a broker that does not answer."""
AGAIN_SECONDS: Final = 5.0
"""After Celery has failed altogether."""
_QUIETER: Final[Mapping[str, int]] = {
    "celery.worker.strategy": logging.WARNING,  # a line for each message otherwise
    "celery.app.trace": logging.WARNING,
    "kombu.transport.virtual.base": logging.ERROR,  # a message on its way while we shut is given back: as it should be
}


class Commands(Protocol):
    """What can be asked of a worker from afar."""

    def offer(self, ids: Sequence[UUID]) -> None:
        """These attempts wait, says the broker."""

    def ring(self) -> None:
        """Look at the metadata DB now."""

    def drain(self) -> None:
        """Take no more."""

    def resume(self) -> None:
        """Take work again."""

    def leave(self, deadline_seconds: float | None) -> None:
        """Take no more, and end when nothing runs or the deadline is over; None: the configured one."""


class Listener:
    """Hears the broker from :meth:`start` to :meth:`stop`; :meth:`open` and :meth:`shut` may come from any thread."""

    def __init__(self, app: Celery, name: str, queues: Sequence[str], commands: Commands) -> None:
        """
        Args:
            name: of this worker among all, with an ``@``.
            queues: as they are called at the broker.
        """
        self._app, self._name, self._queues, self.commands = app, name, list(queues), commands
        self.is_open = True
        self._valve: _Valve | None = None
        self._is_stopping = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="celery-listener", daemon=True)
        app.task(name=TASK, ignore_result=True, Strategy=self._strategy)(self._hear)
        app.steps["consumer"].add(_Valve)
        app.conf.task_queues = [listening_queue(queue, app.conf.broker_url) for queue in queues]
        for logger, level in _QUIETER.items():
            logging.getLogger(logger).setLevel(level)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def open(self) -> None:
        """Consume messages."""
        self.is_open = True
        self._turn_valve()

    def shut(self) -> None:
        """Leave messages with the broker."""
        self.is_open = False
        self._turn_valve()

    def begin_stop(self) -> None:
        """Hear nothing any more. Returns at once."""
        self._is_stopping.set()
        state.should_stop = os.EX_OK
        self._turn_valve()

    def stop(self) -> None:
        """End, within some seconds. Idempotent."""
        self.begin_stop()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)

    def _turn_valve(self) -> None:
        valve = self._valve
        if valve is not None:
            valve.turn()

    def _strategy(self, _task: Any, _app: Celery, consumer: Any) -> Callable[..., None]:
        """Return what Celery does with a message of our task: acknowledge and pass on, at once.

        Its own way makes a request, a trace and a result of it, in three times the time, for a task that only passes
        on an id.
        """

        def receive(message: Any, payload: Any, ack: Callable[..., None], *_: object) -> None:
            ack(log, consumer.connection_errors)
            state.total_count[TASK] += 1
            state.all_total_count[0] += 1
            args = (
                payload.get("args") if payload else message.payload[0]
            )  # of Celery's old protocol, and of its new one
            self._hear(args[0] if args else None)

        return receive

    def _hear(self, attempt_id: Any) -> None:
        try:
            told = UUID(attempt_id)
        except (ValueError, AttributeError, TypeError):  # not even a text
            log.error("a message at the broker names no attempt and is dropped: %.200r", attempt_id)
            return
        self.commands.offer([told])

    # --- in its own thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        state.should_stop = state.should_terminate = None
        while not self._is_stopping.is_set():
            exit_code: int | None = 1
            try:
                controller = _Controller(
                    app=self._app,
                    hostname=self._name,
                    listener=self,
                    queues=self._queues,
                    pool_cls="solo",
                    consumer_cls=_Consumer,
                    concurrency=1,
                    loglevel=logging.getLogger().getEffectiveLevel(),
                    without_mingle=True,
                    without_gossip=True,
                )
                controller.start()
                exit_code = controller.exitcode
            except Exception:  # Celery's own failure: the worker goes on by looking
                log.exception(
                    "Celery failed; tried again in %g s. Until then this worker looks by itself.", AGAIN_SECONDS
                )
            if exit_code in (None, os.EX_OK):
                if not self._is_stopping.is_set():
                    self.commands.leave(None)  # told by a shutdown from afar
                return
            self._is_stopping.wait(AGAIN_SECONDS)


class _Controller(WorkController):  # type: ignore[misc]  # Celery has no types
    """Celery's worker, which knows its listener."""

    def __init__(self, *, listener: Listener, **options: Any) -> None:
        self.listener = listener
        super().__init__(**options)


class _Consumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, which tries often enough, and says once that the broker is away."""

    def ensure_connected(self, conn: Any) -> Any:
        is_told = False

        def tell(error: Exception, _interval: float) -> None:
            nonlocal is_told
            if not is_told:
                log.warning("the broker %s cannot be reached: %s; this worker looks by itself", conn.as_uri(), error)
            is_told = True

        connected = conn.ensure_connection(
            tell, None, interval_start=1, interval_step=1, interval_max=RECONNECT_SECONDS, callback=maybe_shutdown
        )
        self.first_connection_attempt = False
        if is_told:
            log.info("the broker %s is back", conn.as_uri())
        return connected


class _Valve(bootsteps.StartStopStep):  # type: ignore[misc]
    """Opens and shuts the consumption of messages, in the thread of Celery's loop, whenever another thread asks."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._consumer: Any = None
        self._is_open = True
        self._lock = threading.Lock()
        self._ours: socket.socket | None = None
        self._theirs: socket.socket | None = None

    def start(self, consumer: Any) -> None:
        """Begin with a new connection, on which Celery is about to consume."""
        self.stop(consumer)
        with self._lock:
            self._ours, self._theirs = socket.socketpair()
            self._ours.setblocking(False)
            self._theirs.setblocking(False)
        self._consumer, self._is_open = consumer, True
        listener = consumer.controller.listener
        listener._valve = self
        consumer.hub.add_reader(self._ours, self._on_turned)
        if not listener.is_open:
            consumer.hub.call_soon(self._apply)  # when the loop runs, and so behind Celery's own beginning

    def stop(self, consumer: Any) -> None:
        """Let go of a connection that is lost."""
        with self._lock:
            ours, theirs, self._ours, self._theirs = self._ours, self._theirs, None, None
        if ours is not None and theirs is not None:
            with suppress(Exception):
                consumer.hub.remove(ours)
            ours.close()
            theirs.close()

    terminate = stop

    def turn(self) -> None:
        """Have the loop look at what is wished. From any thread."""
        with self._lock:
            if self._theirs is not None:
                with suppress(OSError):  # full: then it is about to look anyhow
                    self._theirs.send(b"x")

    def _on_turned(self) -> None:
        with self._lock:
            if self._ours is not None:
                with suppress(OSError):
                    self._ours.recv(4096)
        self._apply()

    def _apply(self) -> None:
        consumer = self._consumer
        if consumer.task_consumer is None:
            return
        wish = consumer.controller.listener.is_open
        if wish is self._is_open:
            return
        self._is_open = wish
        if wish:
            consumer.task_consumer.consume()
        else:
            consumer.task_consumer.cancel()


def _commands(control_state: Any) -> Commands:
    commands: Commands = control_state.consumer.controller.listener.commands
    return commands


@control_command(name=CONTROL_LOOK)  # type: ignore[untyped-decorator]
def _look(control_state: Any) -> Mapping[str, str]:
    """Look at the metadata DB."""
    _commands(control_state).ring()
    return {"ok": "looking"}


@control_command(name=CONTROL_DRAIN, args=[("deadline_seconds", float), ("is_leaving", bool)])  # type: ignore[untyped-decorator]
def _drain(control_state: Any, deadline_seconds: float | None = None, is_leaving: bool = False) -> Mapping[str, str]:
    """Take no more work; end at the deadline when leaving."""
    commands = _commands(control_state)
    if is_leaving:
        commands.leave(deadline_seconds)
        return {"ok": "leaving"}
    commands.drain()
    return {"ok": "draining"}


@control_command(name=CONTROL_RESUME)  # type: ignore[untyped-decorator]
def _resume(control_state: Any) -> Mapping[str, str]:
    """Take work again."""
    _commands(control_state).resume()
    return {"ok": "taking work"}
