"""How does a worker reach the control plane by SQL? What a web server would answer, asked in this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from executors.runner.desk import Desk
from executors.worker.link import LinkLost
from executors.worker.serving import Serving
from executors.worker.talk import Found, Welcome, WorkerFacts
from tradewind.config import Config
from tradewind.errors import MetadataError
from tradewind.metadata.database import DATABASE_ERRORS, Database, in_words
from tradewind.metadata.refusals import is_refusal
from tradewind.metadata.worker_queue import WORKERS_CHANNEL
from tradewind.model.orders import AttemptOrder, Fact


class SqlLink:
    """A :class:`executors.worker.link.WorkerLink` by SQL, for workers that may have the metadata DB."""

    def __init__(self, database: Database, config: Config, environ: Mapping[str, str] | None = None) -> None:
        """
        Args:
            environ: where variables and connections are looked up first; None: that of this process.
        """
        self._database: Final = database
        self._serving: Final = Serving(database, config, environ)
        self.desk: Desk = self._serving.desk

    def register(self, worker_id: UUID, facts: WorkerFacts) -> Welcome:
        with _telling():
            return self._serving.register(worker_id, facts)

    def claim(self, worker_id: UUID, attempt_ids: Sequence[UUID]) -> Sequence[AttemptOrder]:
        with _telling():
            return self._serving.claim(worker_id, attempt_ids)

    def look(self, worker_id: UUID, facts: WorkerFacts, *, free: int, running: Sequence[UUID], is_beat: bool) -> Found:
        with _telling():
            return self._serving.look(worker_id, facts, free=free, running=running, is_beat=is_beat)

    def report(self, worker_id: UUID, facts: Sequence[Fact]) -> None:
        with _telling():
            self._serving.report(worker_id, facts)

    def leave(self, worker_id: UUID) -> None:
        with _telling():
            self._serving.leave(worker_id)

    @contextmanager
    def ringing(self, on_ring: Callable[[], None]) -> Iterator[None]:
        """Listen to NOTIFY of PostgreSQL; on SQLite nothing rings."""
        if self._database.is_sqlite:
            yield
            return
        # Only here: the PostgreSQL driver is an extra.
        from tradewind.metadata.notifies import listen

        stopping = threading.Event()
        waker, stop_end = socket.socketpair()
        thread = threading.Thread(
            target=listen,
            args=(self._database, lambda _what: on_ring(), stopping, waker, WORKERS_CHANNEL),
            name="tradewind-worker-bell",
            daemon=True,
        )
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            stop_end.send(b"x")
            thread.join(timeout=15)
            waker.close()
            stop_end.close()


@contextmanager
def _telling() -> Iterator[None]:
    """Tell a metadata DB that is away for now from one that will never do what is asked."""
    try:
        yield
    except DATABASE_ERRORS as error:
        if is_refusal(error):
            raise MetadataError(
                f"The metadata DB refuses what this worker asks: {in_words(error).rstrip('.')}. Check with "
                "`tradewind db check` that it is migrated to this version."
            ) from error
        raise LinkLost(f"The metadata DB cannot be reached: {in_words(error).rstrip('.')}.") from error
