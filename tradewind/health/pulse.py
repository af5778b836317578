"""When did the loops of this process last turn, and when did they last do their work? From that: is it alive, ready?

*Alive* is a process whose loops turn: one that is not should be killed. *Ready* is one that also took work, or asked
for it and got an answer, within its lease, and is not about to stop. A metadata DB that is away thus makes processes
unready and leaves them alive, since to start them again would mend nothing.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tradewind.config import Config

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a loop may be silent.

    Attributes:
        turn_seconds: since its last turn; beyond that it hangs.
        work_seconds: since it last took work, or asked for it and got an answer; beyond that others take over.
    """

    turn_seconds: float
    work_seconds: float

    @classmethod
    def of(cls, config: Config) -> Limits:
        """Return the limits that follow from the configuration.

        No statement takes longer than its timeout, so a turn that takes a lease more than that hangs.
        """
        lease = config.scheduler.lease_seconds
        return cls(lease + config.database.statement_timeout_seconds, lease)


UNWATCHED: Final = Limits(math.inf, math.inf)
"""For a loop that nobody asks about."""


class Part:
    """One loop. It writes, anybody reads; an assignment is one step, so no lock is needed."""

    def __init__(self, name: str, limits: Limits, clock: Clock = time.monotonic) -> None:
        self.name: Final = name
        self._limits, self._clock = limits, clock
        self._turned_at = clock()
        self._worked_at: float | None = None
        self._trouble = ""

    def turned(self) -> None:
        """Say that the loop turns, whether or not it could work."""
        self._turned_at = self._clock()

    def worked(self) -> None:
        """Say that it took work, or asked for it and got an answer."""
        self._turned_at = self._worked_at = self._clock()
        self._trouble = ""

    def failed(self, why: str) -> None:
        """Say that it turns and could not work; ``why`` is shown until it works again."""
        self._turned_at = self._clock()
        self._trouble = why

    def report(self) -> PartReport:
        """Return how it is now."""
        now = self._clock()
        turned = now - self._turned_at
        worked = None if self._worked_at is None else now - self._worked_at
        is_alive = turned <= self._limits.turn_seconds
        is_ready = is_alive and worked is not None and worked <= self._limits.work_seconds
        return PartReport(self.name, is_alive, is_ready, turned, worked, self._limits, self._trouble)


@dataclass(frozen=True, slots=True)
class PartReport:
    """How one loop is at one moment. Times are seconds ago."""

    name: str
    is_alive: bool
    is_ready: bool
    turned_seconds: float
    worked_seconds: float | None
    limits: Limits
    trouble: str

    def sentence(self) -> str:
        """Return it in words."""
        if not self.is_alive:
            return f"hangs: its last turn was {self.turned_seconds:.1f} s ago, at most {self.limits.turn_seconds:g} s"
        asked = "has not asked for work yet"
        if self.worked_seconds is not None:
            limit = f" (at most {self.limits.work_seconds:g} s)"
            asked = f"took work or asked for it {self.worked_seconds:.1f} s ago{'' if self.is_ready else limit}"
        return f"{asked}: {self.trouble}" if self.trouble and not self.is_ready else asked


class Pulse:
    """The health of one process: the pulse of all its loops."""

    def __init__(
        self, kind: str, limits: Limits, facts: Mapping[str, Any] | None = None, clock: Clock = time.monotonic
    ):
        """
        Args:
            kind: scheduler, triggerer, worker ...
            facts: more to tell: version, id ...
        """
        self.kind: Final = kind
        self.facts: Final = dict(facts or {})
        self._limits, self._clock = limits, clock
        self._lock = threading.Lock()
        self._parts: dict[str, Part] = {}
        self._stopping = ""

    def part(self, name: str, limits: Limits | None = None) -> Part:
        """Return the part of this name; made when it is asked for first, and counted from then on.

        Args:
            limits: of this part, when they are not those of the process.
        """
        with self._lock:
            return self._parts.setdefault(name, Part(name, limits or self._limits, self._clock))

    def stops(self, why: str = "it was told to stop") -> None:
        """Take no new work from now on: the process is alive, and not ready any more."""
        self._stopping = why

    def goes_on(self) -> None:
        """Take work again, after :meth:`stops`."""
        self._stopping = ""

    def report(self) -> Report:
        """Return how the process is now."""
        with self._lock:
            parts = [part.report() for part in self._parts.values()]
        return Report(self.kind, self.facts, parts, self._stopping)


@dataclass(frozen=True, slots=True)
class Report:
    """How a process is at one moment."""

    kind: str
    facts: Mapping[str, Any]
    parts: list[PartReport]
    stopping: str

    @property
    def is_alive(self) -> bool:
        """Whether all its loops turn."""
        return all(part.is_alive for part in self.parts)

    @property
    def is_ready(self) -> bool:
        """Whether all its loops work, and it is not about to stop."""
        return not self.stopping and bool(self.parts) and all(part.is_ready for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "kind": self.kind,
            "alive": self.is_alive,
            "ready": self.is_ready,
            **({"stopping": self.stopping} if self.stopping else {}),
            "parts": {part.name: part.sentence() for part in self.parts},
            **self.facts,
        }
