"""Which ready tasks may start now? Pure: candidates and the use of every limit in, picks out.

DAGs take turns, so that one with ten thousand ready tasks does not keep another's single task waiting; within a DAG the
highest priority goes first, then the oldest run, then the one that became ready first. A candidate that does not fit is
passed over. The reason why it does not fit comes from :func:`blocker`, which ``tradewind why`` asks as well.

Tasks of backfills come last, and never take more than their share of parallelism: tonight's runs are not kept waiting
by those of last year.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from scheduler.plan import RatePause
from tradewind.model.rates import RateUse
from tradewind.model.spec import RateSpec
from tradewind.run.view import TaskKey

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ready task instance and all the limits that it stands under."""

    run_pk: int
    dag_id: str
    key: TaskKey
    pool: str
    pool_slots: int
    priority: int
    ready_at: datetime
    run_after: datetime
    executor: str
    max_active_tasks: int  # of the DAG, counted per run
    max_per_dag: int | None = None  # max_active_tis_per_dag
    max_per_run: int | None = None  # max_active_tis_per_dagrun
    is_backfill: bool = False
    keys: tuple[tuple[str, int], ...] = ()  # concurrency keys, each with its limit
    rates: tuple[RateSpec, ...] = ()

    @property
    def order(self) -> tuple[int, datetime, datetime, str, int, int]:
        return (-self.priority, self.run_after, self.ready_at, *self.key, self.run_pk)

    @property
    def lane(self) -> Lane:
        """Candidates of one lane stand under the same limits: when the first does not fit, none does."""
        per_task = self.key[0] if self.max_per_dag is not None or self.max_per_run is not None else None
        return self.run_pk, self.pool, self.pool_slots, self.executor, per_task, self.keys, self.rates


Lane = tuple[int, str, int, str, str | None, tuple[tuple[str, int], ...], tuple[RateSpec, ...]]


@dataclass(slots=True)
class Usage:
    """How far every limit is used; :meth:`take` counts a pick in.

    Attributes:
        now: the instant at which rates are looked at.
        wake_at: when a task may start that a rate alone keeps waiting, if there is any: the earliest.
    """

    parallelism: int
    pools: Mapping[str, int]  # pool -> slots, -1 for no limit
    executor_limits: Mapping[str, int | None] = field(default_factory=dict)
    backfill_slots: int | None = None  # how much of parallelism backfills may take; None: all
    active: int = 0
    backfill_active: int = 0
    pool_used: Counter[str] = field(default_factory=Counter)
    pool_users: dict[str, Counter[str]] = field(default_factory=dict)  # pool -> dag id -> slots
    run_active: Counter[int] = field(default_factory=Counter)
    dag_task_active: Counter[tuple[str, str]] = field(default_factory=Counter)
    run_task_active: Counter[tuple[int, str]] = field(default_factory=Counter)
    executor_active: Counter[str] = field(default_factory=Counter)
    dag_active: Counter[str] = field(default_factory=Counter)
    busy: set[tuple[int, TaskKey]] = field(default_factory=set)  # instances of which a process is there, or may be
    key_users: dict[str, Counter[str]] = field(default_factory=dict)  # concurrency key -> dag id -> tasks
    rates: dict[str, RateUse] = field(default_factory=dict)
    now: datetime = _LONG_AGO
    wake_at: datetime | None = None

    def take(
        self,
        *,
        run_pk: int,
        dag_id: str,
        task_id: str,
        pool: str,
        pool_slots: int,
        executor: str,
        is_backfill: bool = False,
        keys: Iterable[str] = (),
    ) -> None:
        """Count one active attempt."""
        self.active += 1
        self.backfill_active += is_backfill
        self.hold(pool, dag_id, pool_slots)
        self.run_active[run_pk] += 1
        self.dag_active[dag_id] += 1
        self.dag_task_active[dag_id, task_id] += 1
        self.run_task_active[run_pk, task_id] += 1
        self.executor_active[executor] += 1
        for key in keys:
            self.key_users.setdefault(key, Counter())[dag_id] += 1

    def start(self, candidate: Candidate) -> None:
        """Count the attempt that a candidate becomes, and its start."""
        self.take(
            run_pk=candidate.run_pk,
            dag_id=candidate.dag_id,
            task_id=candidate.key[0],
            pool=candidate.pool,
            pool_slots=candidate.pool_slots,
            executor=candidate.executor,
            is_backfill=candidate.is_backfill,
            keys=[key for key, _ in candidate.keys],
        )
        for rate in candidate.rates:
            self.rates.setdefault(rate.name, RateUse()).take(rate, self.now)

    def pause_rates(self, pauses: Iterable[RatePause]) -> None:
        """Let nobody start under some rates before their instants."""
        for pause in pauses:
            self.rates.setdefault(pause.name, RateUse()).pause(pause.until, pause.by)

    def take_call(self, executor: str) -> None:
        """Count one attempt that makes a call of user code: it stands under no limit of a pool or a DAG."""
        self.active += 1
        self.executor_active[executor] += 1

    def hold(self, pool: str, dag_id: str, slots: int) -> None:
        """Count slots of a pool alone: those that a deferred task keeps."""
        self.pool_used[pool] += slots
        self.pool_users.setdefault(pool, Counter())[dag_id] += slots

    @property
    def is_full(self) -> bool:
        return self.active >= self.parallelism


def backfill_slots(parallelism: int, share: float) -> int:
    """Return how many tasks of backfills may run at once: a share of all, at least one, and never all of several."""
    return max(1, min(math.floor(parallelism * share), parallelism - 1))


@dataclass(frozen=True, slots=True)
class Block:
    """The limit that keeps a candidate waiting: what kind it is, its name among those, and a sentence."""

    kind: str
    name: str
    text: str


def blocker(candidate: Candidate, usage: Usage) -> str | None:
    """Return the reason why ``candidate`` cannot start, or None when it can. The widest limit is named first."""
    found = find_block(candidate, usage)
    return None if found is None else found.text


def find_block(candidate: Candidate, usage: Usage) -> Block | None:
    """Return the limit that keeps ``candidate`` waiting, or None. The widest is named first."""
    if usage.is_full:
        text = f"parallelism is used up: {usage.active} of {usage.parallelism} tasks are active ([core] parallelism)"
        return Block("parallelism", "", text)
    if candidate.is_backfill and usage.backfill_slots is not None and usage.backfill_active >= usage.backfill_slots:
        text = (
            f"the share of backfills is used up: {usage.backfill_active} of {usage.backfill_slots} tasks of backfills "
            f"are active, of {usage.parallelism} in all ([scheduler] backfill_share)"
        )
        return Block("backfill_share", "", text)
    if usage.executor_limits and candidate.executor not in usage.executor_limits:
        known = ", ".join(sorted(usage.executor_limits))
        text = (
            f"executor {candidate.executor!r} is not there; this installation has {known}. "
            "Change executor= in the DAG file"
        )
        return Block("executor", candidate.executor, text)
    limit = usage.executor_limits.get(candidate.executor)
    if limit is not None and usage.executor_active[candidate.executor] >= limit:
        text = f"executor {candidate.executor!r} is full: {usage.executor_active[candidate.executor]} of {limit} tasks"
        return Block("executor", candidate.executor, text)
    return (
        _pool_blocker(candidate, usage)
        or _dag_blocker(candidate, usage)
        or _key_blocker(candidate, usage)
        or _rate_blocker(candidate, usage)
    )


def is_busy(candidate: Candidate, usage: Usage) -> bool:
    """Return whether an earlier try of the same instance, which is no longer wanted, may still have its process."""
    return (candidate.run_pk, candidate.key) in usage.busy


def _pool_blocker(candidate: Candidate, usage: Usage) -> Block | None:
    text = _about_pool(candidate, usage)
    return None if text is None else Block("pool", candidate.pool, text)


def _about_pool(candidate: Candidate, usage: Usage) -> str | None:
    pool, slots = candidate.pool, usage.pools.get(candidate.pool)
    if slots is None:
        return f"pool {pool!r} does not exist; create it with `tradewind pools set {pool} SLOTS DESCRIPTION`"
    if slots < 0:
        return None
    used = usage.pool_used[pool]
    if used + candidate.pool_slots <= slots:
        return None
    if candidate.pool_slots > slots:
        return f"pool {pool!r} has {slots} slots, and the task needs {candidate.pool_slots}: it can never start"
    by = _names_of(usage.pool_users.get(pool, Counter()))
    need = f"; the task needs {candidate.pool_slots}" if candidate.pool_slots > 1 else ""
    return f"pool {pool!r} is full: {used} of {slots} slots{by}{need}"


def _dag_blocker(candidate: Candidate, usage: Usage) -> Block | None:
    active = usage.run_active[candidate.run_pk]
    if active >= candidate.max_active_tasks:
        text = f"max_active_tasks of the DAG is reached: {active} of {candidate.max_active_tasks} in this run"
        return Block("max_active_tasks", candidate.dag_id, text)
    task_id = candidate.key[0]
    name = f"{candidate.dag_id}.{task_id}"
    in_dag = usage.dag_task_active[candidate.dag_id, task_id]
    if candidate.max_per_dag is not None and in_dag >= candidate.max_per_dag:
        text = f"max_active_tis_per_dag of the task is reached: {in_dag} of {candidate.max_per_dag}"
        return Block("max_active_tis_per_dag", name, text)
    in_run = usage.run_task_active[candidate.run_pk, task_id]
    if candidate.max_per_run is not None and in_run >= candidate.max_per_run:
        text = f"max_active_tis_per_dagrun of the task is reached: {in_run} of {candidate.max_per_run}"
        return Block("max_active_tis_per_dagrun", name, text)
    return None


def _key_blocker(candidate: Candidate, usage: Usage) -> Block | None:
    for key, limit in candidate.keys:
        users = usage.key_users.get(key, Counter())
        if users.total() >= limit:
            text = f"concurrency key {key!r} is used up: {users.total()} of {limit} tasks{_names_of(users)}"
            return Block("task_key", key, text)
    return None


def _names_of(users: Counter[str]) -> str:
    return f", used by {', '.join(f'{dag} ({n})' for dag, n in users.most_common(3))}" if users else ""


def _rate_blocker(candidate: Candidate, usage: Usage) -> Block | None:
    waits = [(free, rate, use) for rate in candidate.rates for free, use in _waits_for(rate, usage)]
    if not waits:
        return None
    free, rate, use = max(waits, key=lambda wait: wait[0])
    at = free.isoformat(timespec="seconds")
    if use.used(rate, usage.now) < rate.limit:
        return Block("rate", rate.name, f"rate {rate.name!r} is paused until {at}, by {use.paused_by}")
    per = timedelta(seconds=rate.per_seconds)
    text = f"rate {rate.name!r} is used up: {rate.limit} starts in {per}; the next is at {at}"
    return Block("rate", rate.name, text)


def _waits_for(rate: RateSpec, usage: Usage) -> Iterator[tuple[datetime, RateUse]]:
    use = usage.rates.get(rate.name)
    free = use.free_at(rate, usage.now) if use is not None else None
    if use is not None and free is not None:
        yield free, use


def _note_wake(candidate: Candidate, usage: Usage) -> None:
    """A candidate cannot start. Where rates say from when on it can, as far as they are concerned, note that."""
    waits = [free for rate in candidate.rates for free, _ in _waits_for(rate, usage)]
    if waits:
        usage.wake_at = min(max(waits), usage.wake_at or max(waits))


@dataclass(slots=True)
class _Turn:
    """Where the lanes of one DAG stand in one call of :meth:`ReadyQueue.admit`."""

    heads: list[_Head]
    blocked: list[_Head] = field(default_factory=list)  # of no more use in this call


_Order = tuple[object, int]  # of a candidate, with a ticket that breaks ties, so that candidates are never compared
_Head = tuple[_Order, Lane]


class ReadyQueue:
    """The ready tasks that one scheduler knows. A cache: the state in the metadata DB decides.

    Each DAG has a heap of the heads of its lanes, so that a pick costs the logarithm of their number. A head that is no
    longer first in its lane stays where it is, and is passed over when it comes up.
    """

    def __init__(self) -> None:
        self._lanes: dict[Lane, list[tuple[_Order, Candidate]]] = {}
        self._of_run: dict[int, set[Lane]] = {}
        self._heads: dict[tuple[bool, str], list[_Head]] = {}  # (is backfill, dag id) -> heads
        self._size = 0
        self.has_rates = False  # whether any candidate ever stood under one: most installations need not look
        self._ticket = itertools.count()

    def __len__(self) -> int:
        return self._size

    def add(self, candidate: Candidate) -> None:
        """Add a candidate. One that is no longer ready is dropped when its turn comes."""
        lane = candidate.lane
        self.has_rates |= bool(candidate.rates)
        waiting = self._lanes.get(lane)
        if waiting is None:
            waiting = self._lanes[lane] = []
            self._of_run.setdefault(candidate.run_pk, set()).add(lane)
        order = candidate.order, next(self._ticket)
        heapq.heappush(waiting, (order, candidate))
        self._size += 1
        if waiting[0][0] == order:
            heapq.heappush(self._heads.setdefault((candidate.is_backfill, candidate.dag_id), []), (order, lane))

    def discard_run(self, run_pk: int) -> None:
        """Forget all candidates of a run."""
        for lane in self._of_run.pop(run_pk, ()):
            self._size -= len(self._lanes.pop(lane))

    def admit(self, usage: Usage, is_ready: Callable[[Candidate], bool]) -> Iterator[Candidate]:
        """Take out and yield the candidates that may start, counting each in ``usage``.

        Args:
            usage: the use of every limit, counted under the lock that this call stands in.
            is_ready: whether a candidate is still what it was when it was added.
        """
        aside: list[Candidate] = []  # their own processes are in their way, and that says nothing of their lanes
        turns = {key: _Turn(heads) for key, heads in self._heads.items()}
        try:
            for is_backfill in (False, True):
                # The DAG with the least running goes first; after that they take turns.
                lane = [dag_id for of_backfill, dag_id in turns if of_backfill is is_backfill]
                dags = sorted(lane, key=lambda dag_id: (usage.dag_active[dag_id], dag_id))
                while dags:
                    still: list[str] = []
                    for dag_id in dags:
                        if usage.is_full:
                            return
                        candidate = self._take_best(turns[is_backfill, dag_id], usage, aside, is_ready)
                        if candidate is not None:
                            still.append(dag_id)
                            yield candidate
                    dags = still
        finally:
            for key, turn in turns.items():
                for head in turn.blocked:
                    heapq.heappush(turn.heads, head)
                if not turn.heads:
                    del self._heads[key]
            for candidate in aside:
                self.add(candidate)

    def _take_best(
        self, turn: _Turn, usage: Usage, aside: list[Candidate], is_ready: Callable[[Candidate], bool]
    ) -> Candidate | None:
        while turn.heads:
            order, lane = turn.heads[0]
            waiting = self._lanes.get(lane)
            if waiting is None or waiting[0][0] != order:
                heapq.heappop(turn.heads)  # left over
                continue
            candidate = waiting[0][1]
            if not is_ready(candidate):
                self._pop(turn, lane)
            elif is_busy(candidate, usage):
                self._pop(turn, lane)
                aside.append(candidate)
            elif find_block(candidate, usage) is not None:
                turn.blocked.append(heapq.heappop(turn.heads))
                _note_wake(candidate, usage)
            else:
                self._pop(turn, lane)
                usage.start(candidate)
                return candidate
        return None

    def _pop(self, turn: _Turn, lane: Lane) -> None:
        """Take out the first of a lane, whose head is the first of all."""
        waiting = self._lanes[lane]
        heapq.heappop(waiting)
        self._size -= 1
        if waiting:
            heapq.heapreplace(turn.heads, (waiting[0][0], lane))
            return
        heapq.heappop(turn.heads)
        del self._lanes[lane]
        lanes = self._of_run[lane[0]]
        lanes.discard(lane)
        if not lanes:
            del self._of_run[lane[0]]
