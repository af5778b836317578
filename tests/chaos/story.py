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
from datetime import timedelta
from itertools import count
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from scheduler.runs import trigger_run
from scheduler.why import explain
from tests.chaos import laws, workload
from tests.chaos.evidence import Evidence, Limits, collect
from tests.chaos.faults import WEIGHTS, Fault, Struck
from tests.chaos.ground import Ground
from tests.support.waiting import wait_until
from tradewind.errors import Conflict, TradewindError

TWO_AT_ONCE: Final = 0.2
"""How often a fault strikes right upon another."""
MISSES: Final = 100
"""So often in a row a fault that is to come now may find nothing to strike; then it is left out."""
STUCK_SECONDS: Final = 60.0
"""With so long a standstill, nothing will move any more."""
LIMITS: Final = Limits(
    parallelism=workload.PARALLELISM,
    pools={workload.POOL: workload.POOL_SLOTS},
    active_runs=workload.MAX_ACTIVE_RUNS,
    active_tasks=workload.MAX_ACTIVE_TASKS,
    active_instances=workload.MAX_ACTIVE_TIS,
)
_OVER: Final = text("SELECT count(*) FROM dag_run WHERE ended_at IS NOT NULL")
_UNFINISHED: Final = text("SELECT count(*) FROM dag_run WHERE ended_at IS NULL")


@dataclass(frozen=True, slots=True)
class Plot:
    """What shall happen.

    Attributes:
        runs: how many runs end at least while faults strike.
        order: the first faults; those behind them are chosen by chance.
        steps: how many starts and ends of tasks there must have been since the last fault: work goes on between them.
        pauses: seconds between two faults, at least and at most.
        backlog: how many runs are unfinished at once: enough to keep the cluster busy.
        patience: seconds that the last runs may take once all is left in peace.
    """

    runs: int
    seed: int
    faults: Mapping[str, Fault]
    steps: int = 20
    pauses: tuple[float, float] = (0.5, 3.0)
    backlog: int = 50
    patience: float = 180.0
    order: tuple[str, ...] = ()


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
    director = _Director(ground, plot, asker)
    asker.start()
    try:
        director.direct()
    finally:
        asker.enough.set()
        asker.join()
    ground.wait_quiet()
    _await_end(ground, plot, asker.asked)
    seconds = time.monotonic() - began
    evidence = collect(ground.db, asker.asked, ground.outside.read(), LIMITS)
    outcome = Outcome(plot, evidence, laws.broken(evidence), director.struck, seconds)
    for one in director.struck:
        _measure(one, outcome)
    return outcome


class _Asker(threading.Thread):
    """Asks for runs, as fast as others end, and goes on until it is enough. What gets no answer is asked for again."""

    def __init__(self, ground: Ground, plot: Plot) -> None:
        super().__init__(name="asker", daemon=True)
        self._ground, self._plot = ground, plot
        self._runs = workload.runs(plot.seed)
        self.asked: tuple[workload.Wanted, ...] = ()
        self.enough = threading.Event()
        self.over = 0

    def run(self) -> None:
        wanted = next(self._runs)
        while not self.enough.wait(0.1):
            try:
                with self._ground.db.read() as tx:
                    self.over = tx.execute(_OVER).scalar_one()
                while len(self.asked) - self.over < self._plot.backlog and not self.enough.is_set():
                    self._ask(wanted)
                    self.asked, wanted = (*self.asked, wanted), next(self._runs)
            except (TradewindError, DBAPIError):  # the metadata DB is away
                continue

    def _ask(self, wanted: workload.Wanted) -> None:
        with suppress(Conflict):  # it was stored, and the answer got lost
            trigger_run(
                self._ground.db, self._ground.config, dag_id=wanted.dag_id, run_id=wanted.run_id, logical_date=None
            )


class _Director:
    """Strikes until enough runs are over: as fast as work goes on between faults, and some upon each other."""

    def __init__(self, ground: Ground, plot: Plot, asker: _Asker) -> None:
        self._ground, self._plot, self._asker = ground, plot, asker
        self._chance = random.Random(plot.seed)
        self._first = list(plot.order)[::-1]
        self._ills: list[tuple[float, int, Struck]] = []  # when each is to be healed
        self._numbers = count()
        self._misses = 0
        self._next_at = self._moved_at = time.monotonic()
        self._newest = self._seen = 0  # rows of the outside table: now, and at the last fault
        self.struck: list[Struck] = []

    def direct(self) -> None:
        """Strike, and heal what lasts.

        Raises:
            AssertionError: nothing goes on any more.
        """
        try:
            while self._ills or not self._is_enough():
                now = time.monotonic()
                while self._ills and self._ills[0][0] <= now:
                    _heal(heapq.heappop(self._ills)[2])
                self._check_life(now)
                has_moved = self._newest - self._seen >= self._plot.steps
                if now >= self._next_at and has_moved and not self._is_enough():
                    self._strike(now)
                time.sleep(0.03)
        finally:
            for _, _, one in self._ills:
                _heal(one)

    def _is_enough(self) -> bool:
        return self._asker.over >= self._plot.runs and not self._first

    def _strike(self, now: float) -> None:
        name = self._first[-1] if self._first else self._some_fault()
        one = self._plot.faults[name](self._ground, self._chance)
        if one is None:
            self._misses += 1
            if self._first and self._misses > MISSES:  # there is never anything for it to strike
                self._first.pop()
                self._misses = 0
            return
        self._misses = 0
        self.struck.append(one)
        if self._first:
            self._first.pop()
        if one.heal is not None:
            heapq.heappush(self._ills, (now + one.heal_after, next(self._numbers), one))
        if self._chance.random() >= TWO_AT_ONCE:
            self._next_at = time.monotonic() + self._chance.uniform(*self._plot.pauses)
            self._seen = self._newest

    def _some_fault(self) -> str:
        names = list(self._plot.faults)
        return self._chance.choices(names, [WEIGHTS.get(name, 1) for name in names])[0]

    def _check_life(self, now: float) -> None:
        newest = self._ground.outside.newest()
        if newest != self._newest:
            self._newest, self._moved_at = newest, now
        quiet = now - self._moved_at
        assert quiet < STUCK_SECONDS, (
            f"nothing has started for {quiet:.0f} s after {[one.kind for one in self.struck[-5:]]}; "
            f"{len(self._asker.asked)} runs asked for, {self._asker.over} over\n{self._ground.lines.tail()}"
        )


def _heal(one: Struck) -> None:
    assert one.heal is not None
    one.heal()


def _await_end(ground: Ground, plot: Plot, asked: tuple[workload.Wanted, ...]) -> None:
    """Wait until all is over that was asked for; one that was asked for when it was enough may be stored beside it."""

    def all_over() -> bool:
        with ground.db.read() as tx:
            return int(tx.execute(_UNFINISHED).scalar_one()) == 0

    try:
        wait_until(all_over, plot.patience, every=0.1, what=f"the end of {len(asked)} runs")
        wait_until(lambda: not _count_active(ground), 30, every=0.1, what="no attempt that holds slots")
    except AssertionError as error:
        reasons = []
        for wanted in asked:
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
                if effect.task == hit.task and (effect.kind == "end" or effect.attempt != hit.attempt)
            ),
            None,
        )
        was_done = any(e.task == hit.task and e.kind == "end" and e.at <= one.at for e in effects)
        if again is None and was_done:
            continue  # the attempt had been taken for lost before, and another one has done its work
        if again is None:
            outcome.never.append(f"{one.kind} at {one.at}: {hit.task} try {hit.try_number}")
        else:
            ends.append(_seconds(again - one.at))


def _seconds(passed: timedelta) -> float:
    return passed.total_seconds()


def summary(outcome: Outcome) -> Counter[str]:
    """Return how many attempts ended how."""
    return Counter(attempt.outcome or "none" for attempt in outcome.evidence.attempts)
