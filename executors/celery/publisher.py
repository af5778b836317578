"""How do schedulers ring the workers? One thread that publishes, and that loses a message rather than wait.

The broker carries nothing that the metadata DB does not know. So when it is away, what would be said is forgotten:
workers look for themselves every second or two.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from celery import Celery

from executors.celery.app import CONTROL_LOOK, HEARTBEAT_SECONDS, TASK

log = logging.getLogger(__name__)

MAX_WAITING: Final = 10_000
"""Messages that wait to be published. A broker that takes none for so long is of no use for older ones either."""
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
"""Between two tries to reach the broker."""
GOODBYE_SECONDS: Final = 1.0


class Publisher:
    """Publishes attempt ids. :meth:`tell` and :meth:`look` return at once and never raise."""

    def __init__(self, app: Celery, broker: str) -> None:
        """
        Args:
            broker: its address without the password, for the log.
        """
        self._app, self._broker = app, broker
        self._news: Final = threading.Condition()
        self._waiting: Final[deque[tuple[UUID, str]]] = deque(maxlen=MAX_WAITING)
        self._must_look = False
        self._is_away = False
        self._is_closing = False
        self._unsaid: list[tuple[UUID, str]] = []  # taken out to be published, and perhaps said already
        self._is_look_unsaid = False
        self._failures = 0  # in a row
        self._thread: Final = threading.Thread(target=self._run, name="celery-publisher", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def tell(self, attempts: Iterable[tuple[UUID, str]]) -> None:
        """Tell workers of attempts, each with the queue at the broker."""
        with self._news:
            if not (self._is_away or self._is_closing):
                self._waiting.extend(attempts)
                self._news.notify()

    def look(self) -> None:
        """Have all workers look at the metadata DB now."""
        with self._news:
            if not (self._is_away or self._is_closing):
                self._must_look = True
                self._news.notify()

    def close(self, timeout_seconds: float) -> None:
        """Publish what waits, within the timeout, and end. Idempotent."""
        with self._news:
            was_closing, self._is_closing = self._is_closing, True
            self._news.notify()
        if self._thread.is_alive() and not was_closing:
            self._thread.join(timeout_seconds)

    # --- in its own thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._is_over():
            try:
                with self._app.connection_for_write(heartbeat=HEARTBEAT_SECONDS) as connection:
                    try:
                        connection.ensure_connection(max_retries=1, interval_start=0.1)  # not forever, and not slowly
                        self._publish_on(connection)
                    except Exception:
                        connection.collect(
                            socket_timeout=GOODBYE_SECONDS
                        )  # to take leave of a dead broker takes for ever
                        raise
            except Exception as error:  # whatever a broker's driver raises: the thread must outlive it
                self._failures += 1
                if self._failures == 1:
                    continue  # a connection that was idle for long may be dead although the broker is there
                self._went_away(error)
                with self._news:
                    if not self._is_closing:
                        self._news.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                pause = FIRST_PAUSE_SECONDS

    def _publish_on(self, connection: Any) -> None:
        with self._app.amqp.Producer(connection) as producer:
            self._came_back()
            pulse = _Pulse(connection)
            while self._unsaid or self._is_look_unsaid or self._next():
                pulse.beat()
                for attempt_id, queue in self._unsaid:
                    self._app.send_task(
                        TASK, (str(attempt_id),), task_id=str(attempt_id), queue=queue, producer=producer, retry=False,
                        ignore_result=True, argsrepr="", kwargsrepr="",
                    )  # fmt: skip
                self._unsaid = []
                if self._is_look_unsaid:
                    self._app.control.broadcast(CONTROL_LOOK, connection=connection)
                    self._is_look_unsaid = False
                self._failures = 0

    def _next(self) -> bool:
        """Wait for something to publish, and take it, or until it is time for a sign of life.

        False when all is published and this is closing.
        """
        with self._news:
            if not (self._waiting or self._must_look or self._is_closing):
                self._news.wait(HEARTBEAT_SECONDS / 4)
            self._unsaid = list(self._waiting)
            self._waiting.clear()
            self._is_look_unsaid, self._must_look = self._must_look, False
            return bool(self._unsaid) or self._is_look_unsaid or not self._is_closing

    def _is_over(self) -> bool:
        with self._news:
            return self._is_closing and (self._is_away or not self._has_work())

    def _has_work(self) -> bool:
        return bool(self._waiting or self._unsaid or self._must_look or self._is_look_unsaid)

    def _went_away(self, error: Exception) -> None:
        with self._news:
            was_away, self._is_away = self._is_away, True
            self._waiting.clear()
            self._must_look = self._is_look_unsaid = False
            self._unsaid = []
        if not was_away:
            log.warning(
                "the broker %s cannot be reached: %s: %s; until it is back, workers look for work by themselves, which "
                "costs each task a second or two",
                self._broker, type(error).__name__, error,
            )  # fmt: skip

    def _came_back(self) -> None:
        with self._news:
            was_away, self._is_away = self._is_away, False
        if was_away:
            log.info("the broker %s is back", self._broker)


class _Pulse:
    """Signs of life on a connection to RabbitMQ, which ends one that is silent, and whose own end is not seen else."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_wanted = bool(connection.supports_heartbeats and connection.get_heartbeat_interval())
        self._next = 0.0

    def beat(self) -> None:
        """Give a sign of life if it is time, and raise when the broker has given none for too long."""
        if self._is_wanted and time.monotonic() >= self._next:
            self._next = time.monotonic() + HEARTBEAT_SECONDS / 4
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=0.001)  # its own signs are read here
            self._connection.heartbeat_check(rate=4)
