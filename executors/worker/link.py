"""How does a worker reach the control plane? The contract of a link; one speaks SQL, one HTTPS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from executors.runner.desk import Desk
from executors.worker.talk import Found, Welcome, WorkerFacts
from tradewind.errors import TradewindError
from tradewind.model.orders import AttemptOrder, Fact


class LinkLost(TradewindError):
    """The control plane cannot be reached now: the network, the metadata DB or the web server is away. Try again."""


class WorkerLink(Protocol):
    """All that a worker asks of the control plane. Calls block, and may come from any thread.

    Every call raises :class:`LinkLost` when nobody answers, and another :class:`TradewindError` when the answer is no
    for good; the message says the mend. Each may be made again: what it does is done once.
    """

    desk: Desk
    """Answers what tasks ask, and finds their DAG files."""

    def register(self, worker_id: UUID, facts: WorkerFacts) -> Welcome:
        """Begin a lease."""

    def claim(self, worker_id: UUID, attempt_ids: Sequence[UUID]) -> Sequence[AttemptOrder]:
        """Take these attempts; return the orders of those that were still to be had."""

    def look(self, worker_id: UUID, facts: WorkerFacts, *, free: int, running: Sequence[UUID], is_beat: bool) -> Found:
        """Take queued work for ``free`` slots, and hear what is not wanted any more; ``is_beat`` extends the lease."""

    def report(self, worker_id: UUID, facts: Sequence[Fact]) -> None:
        """Store what became of attempts, and wake the schedulers."""

    def leave(self, worker_id: UUID) -> None:
        """End the lease at once."""

    def ringing(self, on_ring: Callable[[], None]) -> AbstractContextManager[None]:
        """While the context lasts, call ``on_ring`` whenever there may be something to look for. May be never."""
