"""What is an executor? The contract that every way of running tasks keeps, and that the conformance suite checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from tradewind.model.orders import AttemptOrder, Fact

if TYPE_CHECKING:
    from executors.control_plane import ControlPlane
    from tradewind.config import Config

Report = Callable[[Sequence[Fact]], None]
"""Takes facts from any thread, at once and without blocking; the caller may group them."""


@dataclass(frozen=True, slots=True)
class ExecutorHost:
    """What a scheduler gives to each of its executors when it makes them.

    Attributes:
        name: what ``[core] executor`` calls the one that is made.
        lease_id: the lease (``process.id``) of the scheduler, under which it may claim attempts in this process.
        control_plane: answers what tasks ask, for executors that run them in processes below this one.
        environ: the environment of the scheduler process; None: as it is.
    """

    name: str
    config: Config
    lease_id: UUID
    control_plane: ControlPlane
    environ: Mapping[str, str] | None = None


class Executor(Protocol):
    """A way to run attempts. The metadata DB decides what counts; an executor only carries.

    One that runs attempts below this process (its ``supervisor_id`` is set) reports what becomes of them. One that
    hands them to other processes need not: these write what becomes of attempts into the inbox of their runs, and what
    is said below of the end of attempts is then said there.
    """

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

        Returns at once, whatever is out of reach. Never raises for a single order: an attempt that cannot be started
        is reported as ended. A second submit of the same attempt id does nothing.
        """

    def cancel(self, attempt_ids: Sequence[UUID]) -> None:
        """End these attempts: SIGTERM to the process group, SIGKILL after the grace period.

        Unknown and ended ids are ignored. The end is reported as for any attempt.
        """

    def stop(self, grace_seconds: float) -> None:
        """Take no more; end what runs below this process within the grace period, and report it as returned.

        What was returned is started again by the next scheduler, and counts neither as a try nor as a loss. What other
        processes run goes on there. Idempotent.
        """
