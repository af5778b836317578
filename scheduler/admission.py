"""Which ready tasks may start now? Pure: candidates and the use of every limit in, picks out.

DAGs take turns, so that one with ten thousand ready tasks does not keep another's single task waiting; within a DAG the
highest priority goes first, then the oldest run, then the one that became ready first. A candidate that does not fit is
passed over. The reason why it does not fit comes from :func:`blocker`, which ``tradewind why`` asks as well.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tradewind.run.view import TaskKey


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

    @property
    def order(self) -> tuple[int, datetime, datetime, str, int]:
        return (-self.priority, self.run_after, self.ready_at, *self.key)

    @property
    def lane(self) -> Lane:
        """Candidates of one lane stand under the same limits: when the first does not fit, none does."""
        per_task = self.key[0] if self.max_per_dag is not None or self.max_per_run is not None else None
        return self.run_pk, self.pool, self.pool_slots, self.executor, per_task


Lane = tuple[int, str, int, str, str | None]


@dataclass(slots=True)
class Usage:
    """How far every limit is used; :meth:`take` counts a pick in."""

    parallelism: int
    pools: Mapping[str, int]  # pool -> slots, -1 for no limit
    executor_limits: Mapping[str, int | None] = field(default_factory=dict)
    active: int = 0
    pool_used: Counter[str] = field(default_factory=Counter)
    pool_users: dict[str, Counter[str]] = field(default_factory=dict)  # pool -> dag id -> slots
    run_active: Counter[int] = field(default_factory=Counter)
    dag_task_active: Counter[tuple[str, str]] = field(default_factory=Counter)
    run_task_active: Counter[tuple[int, str]] = field(default_factory=Counter)
    executor_active: Counter[str] = field(default_factory=Counter)
    dag_active: Counter[str] = field(default_factory=Counter)

    def take(self, *, run_pk: int, dag_id: str, task_id: str, pool: str, pool_slots: int, executor: str) -> None:
        """Count one active attempt."""
        self.active += 1
        self.hold(pool, dag_id, pool_slots)
        self.run_active[run_pk] += 1
        self.dag_active[dag_id] += 1
        self.dag_task_active[dag_id, task_id] += 1
        self.run_task_active[run_pk, task_id] += 1
        self.executor_active[executor] += 1

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


def blocker(candidate: Candidate, usage: Usage) -> str | None:
    """Return the reason why ``candidate`` cannot start, or None when it can. The widest limit is named first."""
    if usage.is_full:
        return f"parallelism is used up: {usage.active} of {usage.parallelism} tasks are active ([core] parallelism)"
    if usage.executor_limits and candidate.executor not in usage.executor_limits:
        known = ", ".join(sorted(usage.executor_limits))
        return (
            f"executor {candidate.executor!r} is not there; this installation has {known}. "
            "Change executor= in the DAG file"
        )
    limit = usage.executor_limits.get(candidate.executor)
    if limit is not None and usage.executor_active[candidate.executor] >= limit:
        return f"executor {candidate.executor!r} is full: {usage.executor_active[candidate.executor]} of {limit} tasks"
    return _pool_blocker(candidate, usage) or _dag_blocker(candidate, usage)


def _pool_blocker(candidate: Candidate, usage: Usage) -> str | None:
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
    users = usage.pool_users.get(pool, Counter()).most_common(3)
    by = f", used by {', '.join(f'{dag} ({n})' for dag, n in users)}" if users else ""
    need = f"; the task needs {candidate.pool_slots}" if candidate.pool_slots > 1 else ""
    return f"pool {pool!r} is full: {used} of {slots} slots{by}{need}"


def _dag_blocker(candidate: Candidate, usage: Usage) -> str | None:
    active = usage.run_active[candidate.run_pk]
    if active >= candidate.max_active_tasks:
        return f"max_active_tasks of the DAG is reached: {active} of {candidate.max_active_tasks} in this run"
    task_id = candidate.key[0]
    in_dag = usage.dag_task_active[candidate.dag_id, task_id]
    if candidate.max_per_dag is not None and in_dag >= candidate.max_per_dag:
        return f"max_active_tis_per_dag of the task is reached: {in_dag} of {candidate.max_per_dag}"
    in_run = usage.run_task_active[candidate.run_pk, task_id]
    if candidate.max_per_run is not None and in_run >= candidate.max_per_run:
        return f"max_active_tis_per_dagrun of the task is reached: {in_run} of {candidate.max_per_run}"
    return None


class ReadyQueue:
    """The ready tasks that one scheduler knows. A cache: the state in the metadata DB decides."""

    def __init__(self) -> None:
        self._dags: dict[str, dict[Lane, list[tuple[object, int, Candidate]]]] = {}
        self._size = 0
        self._ticket = itertools.count()  # breaks ties, so that candidates are never compared

    def __len__(self) -> int:
        return self._size

    def add(self, candidate: Candidate) -> None:
        """Add a candidate. One that is no longer ready is dropped when its turn comes."""
        lane = self._dags.setdefault(candidate.dag_id, {}).setdefault(candidate.lane, [])
        heapq.heappush(lane, (candidate.order, next(self._ticket), candidate))
        self._size += 1

    def discard_run(self, dag_id: str, run_pk: int) -> None:
        """Forget all candidates of a run."""
        lanes = self._dags.get(dag_id, {})
        for lane in [lane for lane in lanes if lane[0] == run_pk]:
            self._size -= len(lanes.pop(lane))
        if not lanes:
            self._dags.pop(dag_id, None)

    def admit(self, usage: Usage, is_ready: Callable[[Candidate], bool]) -> Iterator[Candidate]:
        """Take out and yield the candidates that may start, counting each in ``usage``.

        Args:
            usage: the use of every limit, counted under the lock that this call stands in.
            is_ready: whether a candidate is still what it was when it was added.
        """
        # The DAG with the least running goes first; after that they take turns.
        turns = sorted(self._dags, key=lambda dag_id: (usage.dag_active[dag_id], dag_id))
        blocked: set[Lane] = set()
        while turns:
            still: list[str] = []
            for dag_id in turns:
                if usage.is_full:
                    return
                candidate = self._take_best(dag_id, usage, blocked, is_ready)
                if candidate is not None:
                    still.append(dag_id)
                    yield candidate
            turns = still

    def _take_best(
        self, dag_id: str, usage: Usage, blocked: set[Lane], is_ready: Callable[[Candidate], bool]
    ) -> Candidate | None:
        lanes = self._dags.get(dag_id, {})
        while True:
            heads = [(heap[0], lane) for lane, heap in lanes.items() if lane not in blocked]
            if not heads:
                return None
            (_, _, candidate), lane = min(heads, key=lambda item: item[0][:2])
            if not is_ready(candidate):
                self._pop(dag_id, lane)
            elif blocker(candidate, usage) is not None:
                blocked.add(lane)
            else:
                self._pop(dag_id, lane)
                usage.take(
                    run_pk=candidate.run_pk,
                    dag_id=dag_id,
                    task_id=candidate.key[0],
                    pool=candidate.pool,
                    pool_slots=candidate.pool_slots,
                    executor=candidate.executor,
                )
                return candidate

    def _pop(self, dag_id: str, lane: Lane) -> None:
        lanes = self._dags[dag_id]
        heapq.heappop(lanes[lane])
        self._size -= 1
        if not lanes[lane]:
            del lanes[lane]
            if not lanes:
                del self._dags[dag_id]
