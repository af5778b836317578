"""How does a story go? Runs are asked for as others end, faults strike meanwhile, and at last all is left in peace."""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from scheduler.runs import trigger_run
from scheduler.why import explain
from tests.chaos import laws, workload
from tests.chaos.evidence import Evidence, Limits, collect
from tests.chaos.faults import Fault, Struck
from tests.chaos.ground import Ground
from tests.support.waiting import wait_until
from tradewind.errors import Conflict, TradewindError

BACKLOG: Final = 50
"""How many runs are unfinished at once: enough to keep the cluster busy."""
LIMITS: Final = Limits(
    parallelism=workload.PARALLELISM,
    pools={workload.POOL: workload.POOL_SLOTS},
    active_runs=workload.MAX_ACTIVE_RUNS,
    active_tasks=workload.MAX_ACTIVE_TASKS,
    active_instances=workload.MAX_ACTIVE_TIS,
)
_OVER: Final = text("SELECT count(*) FROM dag_run WHERE ended_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Plot:
    """What shall happen.

    Attributes:
        pauses: seconds between two faults, at least and at most.
        patience: seconds that the last runs may take once all is left in peace.
        least: faults that are struck at least so often in all, however soon the runs end.
    """

    runs: int
    seed: int
    faults: Mapping[str, Fault]
    pauses: tuple[float, float] = (0.5, 3.0)
    patience: float = 120.0
    order: tuple[str, ...] = ()  # of the first faults; the others are chosen by chance


@dataclass(slots=True)
class Outcome:
    """What has happened.

    Attributes:
        stalls: for each fault, seconds until anything started anywhere; by kind.
        recoveries: for each attempt that was at work where a fault struck, seconds until it was done, or was started
            again; by kind.
        never: those of them for which that never came.
    """

    plot: Plot
    evidence: Evidence
    broken: Mapping[str, list[str]]
    struck: list[Struck]
    seconds: float
    stalls: dict[str, list[float]] = field(default_factory=dict)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    never: list[str] = field(default_factory=list)


def tell(ground: Ground, plot: Plot) -> Outcome:
    """Tell the story on this ground, and judge it.

    Raises:
        AssertionError: the runs did not end, with the reasons that the cluster itself gives.
    """
    began = time.monotonic()
    asker = _Asker(ground, plot)
    asker.start()
    struck = _strike_while(ground, plot, asker)
    ground.wait_quiet()
    asker.join()
    _await_end(ground, plot)
    seconds = time.monotonic() - began
    evidence = collect(ground.db, asker.asked, ground.outside.read(), LIMITS)
    outcome = Outcome(plot, evidence, laws.broken(evidence), struck, seconds)
    for one in struck:
        _measure(one, outcome)
    return outcome


class _Asker(threading.Thread):
    """Asks for runs, as fast as others end. What gets no answer is asked for again."""

    def __init__(self, ground: Ground, plot: Plot) -> None:
        super().__init__(name="asker", daemon=True)
        self._ground, self._plot = ground, plot
        self._left = list(workload.runs(plot.runs, plot.seed))[::-1]
        self.asked: tuple[workload.Wanted, ...] = ()
        self.over = 0

    @property
    def is_nearly_over(self) -> bool:
        """Whether so few runs are left that a fault would have little to strike."""
        return not self._left and self.over >= self._plot.runs - 8

    def run(self) -> None:
        while self.over < self._plot.runs - 8 or self._left:
            try:
                with self._ground.db.read() as tx:
                    self.over = tx.execute(_OVER).scalar_one()
                while self._left and len(self.asked) - self.over < BACKLOG:
                    self._ask(self._left[-1])
                    self.asked += (self._left.pop(),)
            except (TradewindError, DBAPIError):  # the metadata DB is away
                pass
            time.sleep(0.1)

    def _ask(self, wanted: workload.Wanted) -> None:
        with suppress(Conflict):  # it was stored, and the answer got lost
            trigger_run(
                self._ground.db, self._ground.config, dag_id=wanted.dag_id, run_id=wanted.run_id, logical_date=None
            )


def _strike_while(ground: Ground, plot: Plot, asker: _Asker) -> list[Struck]:
    chance = random.Random(plot.seed)
    first = list(plot.order)[::-1]
    struck: list[Struck] = []
    ills: list[tuple[float, int, Struck]] = []
    numbers = count()
    next_at = time.monotonic()
    try:
        while not asker.is_nearly_over or first:
            now = time.monotonic()
            while ills and ills[0][0] <= now:
                _heal(heapq.heappop(ills)[2])
            if now >= next_at:
                name = first[-1] if first else chance.choice(list(plot.faults))
                one = plot.faults[name](ground, chance)
                if one is not None:
                    struck.append(one)
                    if first:
                        first.pop()
                    if one.heal is not None:
                        heapq.heappush(ills, (now + one.heal_after, next(numbers), one))
                    next_at = time.monotonic() + chance.uniform(*plot.pauses)
            time.sleep(0.02)
    finally:
        for _, _, one in ills:
            _heal(one)
    return struck


def _heal(one: Struck) -> None:
    assert one.heal is not None
    one.heal()


def _await_end(ground: Ground, plot: Plot) -> None:
    def all_over() -> bool:
        with ground.db.read() as tx:
            return int(tx.execute(_OVER).scalar_one()) >= plot.runs

    try:
        wait_until(all_over, plot.patience, every=0.1, what=f"the end of {plot.runs} runs")
        wait_until(lambda: not _count_active(ground), 30, every=0.1, what="no attempt that holds slots")
    except AssertionError as error:
        reasons = []
        for wanted in workload.runs(plot.runs, plot.seed):
            said = explain(ground.db, wanted.dag_id, wanted.run_id)
            reasons += [f"{r.dag_id} {r.run_id} {r.task_id} {r.state}: {r.text}" for r in said if r.state != "success"]
        told = "\n".join(reasons[:30])
        raise AssertionError(f"{error}\n{told}\n{ground.lines.tail()}") from error


def _count_active(ground: Ground) -> int:
    with ground.db.read() as tx:
        return int(tx.execute(text("SELECT count(*) FROM attempt WHERE state <> 'ended'")).scalar_one())


def _measure(one: Struck, outcome: Outcome) -> None:
    """Say how long it took until work went on."""
    effects = outcome.evidence.effects
    later = [effect for effect in effects if effect.at > one.at]
    starts = [effect.at for effect in later if effect.kind == "start"]
    if starts:
        outcome.stalls.setdefault(one.kind, []).append(_seconds(starts[0] - one.at))
    ends = outcome.recoveries.setdefault(one.kind, [])
    for hit in one.hit:
        again = next(
            (
                effect.at
                for effect in later
                if (effect.kind == "end" and effect.attempt == hit.attempt)
                or (effect.kind == "start" and effect.task == hit.task and effect.attempt != hit.attempt)
            ),
            None,
        )
        if again is None:
            outcome.never.append(f"{one.kind} at {one.at}: {hit.task} try {hit.try_number}")
        else:
            ends.append(_seconds(again - one.at))


def _seconds(passed: timedelta) -> float:
    return passed.total_seconds()


def summary(outcome: Outcome) -> Counter[str]:
    """Return how many attempts ended how."""
    return Counter(attempt.outcome or "none" for attempt in outcome.evidence.attempts)


def first_at(outcome: Outcome) -> datetime | None:
    """Return when the first fault struck."""
    return outcome.struck[0].at if outcome.struck else None
