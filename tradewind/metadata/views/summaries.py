"""What is a task of a run at, when it may have a hundred thousand indexes? One line for each task, counted by state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from tradewind.metadata.models import TaskInstance
from tradewind.metadata.views.runs import TASK_LINE, TaskLine
from tradewind.model.states import FINAL_TASK_STATES, TaskState

WORST_FIRST: Final = (
    TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.UP_FOR_RETRY, TaskState.RUNNING, TaskState.RESTARTING,
    TaskState.AWAITING_INPUT, TaskState.DEFERRED, TaskState.UP_FOR_RESCHEDULE, TaskState.QUEUED, TaskState.SCHEDULED,
    TaskState.NONE, TaskState.SKIPPED, TaskState.SUCCESS, TaskState.REMOVED,
)  # fmt: skip
"""What a closed group, or a mapped task, shows: the state of its inside that asks most for attention."""
_RANK: Final = {state: rank for rank, state in enumerate(WORST_FIRST)}
_TI = TaskInstance


@dataclass(slots=True)
class TaskSum:
    """One task of a run. Of a mapped one all indexes together: the first start, the last end once all have ended.

    Attributes:
        states: how many instances are in each state.
        held: how many instances somebody holds.
        try_number: the highest.
        reason: of a task that is not mapped.
    """

    task_id: str
    states: dict[TaskState, int] = field(default_factory=dict)
    is_mapped: bool = False
    try_number: int = 0
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    retry_at: datetime | None = None
    reason: str | None = None
    held: int = 0

    @property
    def state(self) -> TaskState:
        """The state that asks most for attention."""
        return min(self.states, key=_RANK.__getitem__)

    @property
    def size(self) -> int:
        return sum(self.states.values())

    @property
    def done(self) -> int:
        return sum(count for state, count in self.states.items() if state in FINAL_TASK_STATES)


def sum_tasks(tx: Connection, run_pk: int) -> list[TaskSum]:
    """Return one line for each task of a run, by task id. Reads as many rows as there are tasks and states."""
    sums: dict[str, TaskSum] = {}
    query = (
        select(
            _TI.task_id, _TI.state, func.count(), func.max(_TI.map_index), func.max(_TI.try_number),
            func.min(_TI.queued_at), func.min(_TI.started_at), func.max(_TI.ended_at), func.min(_TI.retry_at),
            func.min(_TI.reason), func.count(_TI.held),
        )
        .where(_TI.run_pk == run_pk)
        .group_by(_TI.task_id, _TI.state)
        .order_by(_TI.task_id, _TI.state)
    )  # fmt: skip
    for row in tx.execute(query):
        task_id, state, count, index, try_number, queued_at, started_at, ended_at, retry_at, reason, held = row
        found = sums.setdefault(task_id, TaskSum(task_id))
        found.states[state] = count
        found.is_mapped = found.is_mapped or index >= 0
        found.try_number = max(found.try_number, try_number)
        found.held += held
        found.queued_at = min(filter(None, (found.queued_at, queued_at)), default=None)
        found.started_at = min(filter(None, (found.started_at, started_at)), default=None)
        found.ended_at = max(filter(None, (found.ended_at, ended_at)), default=None)
        found.retry_at = retry_at if not found.is_mapped else None
        found.reason = reason if not found.is_mapped else None
    for found in sums.values():
        if found.done < found.size and found.is_mapped:
            found.ended_at = None
    return list(sums.values())


def task_states(tx: Connection, run_pks: Sequence[int]) -> dict[int, dict[str, tuple[str, int, bool]]]:
    """Return state and try number of every task of these runs: run -> task id -> (state, try, is anything held).

    Of a mapped task, the state that asks most for attention.
    """
    found: dict[int, dict[str, tuple[str, int, bool]]] = {pk: {} for pk in run_pks}
    if not run_pks:
        return found
    plain = select(_TI.run_pk, _TI.task_id, _TI.state, _TI.try_number, _TI.held.is_not(None)).where(
        _TI.run_pk.in_(run_pks), _TI.map_index == -1
    )
    for run_pk, task_id, state, try_number, held in tx.execute(plain):
        found[run_pk][task_id] = (state.value, try_number, bool(held))
    mapped = (
        select(_TI.run_pk, _TI.task_id, _TI.state, func.max(_TI.try_number), func.count(_TI.held))
        .where(_TI.run_pk.in_(run_pks), _TI.map_index >= 0)
        .group_by(_TI.run_pk, _TI.task_id, _TI.state)
    )
    for run_pk, task_id, state, try_number, holds in tx.execute(mapped):
        known, tries, is_held = found[run_pk].get(task_id, (None, 0, False))
        worst = state if known is None or _RANK[state] < _RANK[TaskState(known)] else TaskState(known)
        found[run_pk][task_id] = (worst.value, max(tries, try_number), is_held or holds > 0)
    return found


@dataclass(frozen=True, slots=True)
class IndexLine:
    """One index of a mapped task, with the label that its ``map_index_template`` gave it."""

    task: TaskLine
    label: str | None


def list_indexes(
    tx: Connection, run_pk: int, task_id: str, *, states: Sequence[TaskState] = (), after: int = -2, limit: int
) -> list[IndexLine]:
    """Return the instances of a mapped task behind index ``after``, in their order; all states when none is given."""
    query: Select[*tuple[Any, ...]] = TASK_LINE.add_columns(_TI.map_label).where(
        _TI.run_pk == run_pk, _TI.task_id == task_id, _TI.map_index > after
    )
    if states:
        query = query.where(_TI.state.in_(states))
    rows = tx.execute(query.order_by(_TI.map_index).limit(limit))
    return [IndexLine(TaskLine(*row[:-1]), row[-1]) for row in rows]


def count_indexes(tx: Connection, run_pk: int, task_id: str) -> Mapping[TaskState, int]:
    """Return how many instances of a task are in each state; empty when it has none."""
    query = select(_TI.state, func.count()).where(_TI.run_pk == run_pk, _TI.task_id == task_id).group_by(_TI.state)
    return {row[0]: row[1] for row in tx.execute(query)}
