"""What is an executor? The contract that every way of running tasks keeps, and that the conformance suite checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from tradewind.model.orders import AttemptOrder, Fact

Report = Callable[[Sequence[Fact]], None]
"""Takes facts from any thread, at once and without blocking; the caller may group them."""


class Executor(Protocol):
    """A way to run attempts. The metadata DB decides what counts; an executor only carries."""

    @property
    def name(self) -> str:
        """What DAG files and ``[core] executor`` call it."""

    @property
    def supervisor_id(self) -> UUID | None:
        """The lease (``process.id``) of the supervisor inside this process, or None.

        When set, attempts reach the metadata DB already claimed by it (state running, fence 1), since nobody else could
        see them before: that saves a commit per task. When None, whoever runs an attempt claims it first, with one
        guarded update, and forgets the attempt when that update finds nothing.
        """

    def start(self, report: Report) -> None:
        """Begin to work. ``report`` is kept until :meth:`stop`. Called once."""

    def capacity(self) -> int | None:
        """Return how many attempts may be active at once in all, or None when the executor sets no limit."""

    def submit(self, orders: Sequence[AttemptOrder]) -> None:
        """Run these attempts. Called after the commit that created them, from one thread.

        Returns at once. Never raises for a single order: an attempt that cannot be started is reported as ended.
        A second submit of the same attempt id does nothing.
        """

    def cancel(self, attempt_ids: Sequence[UUID]) -> None:
        """End these attempts: SIGTERM to the process group, SIGKILL after the grace period.

        Unknown and ended ids are ignored. The end is reported as for any attempt.
        """

    def stop(self, grace_seconds: float) -> None:
        """Take no more; end what runs within the grace period, and report it as returned. Idempotent.

        What was returned is started again by the next scheduler, and counts neither as a try nor as a loss.
        """
