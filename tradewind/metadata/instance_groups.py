"""What stands in a run, without reading all of it? Instances counted by state, grouped, and a few of each.

A run may have a hundred thousand instances: what is asked about one task, or shown as a list, must not load them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Text, case, func, or_, select, tuple_, type_coerce

from tradewind.metadata.models import TaskInstance
from tradewind.model.states import TaskState
from tradewind.run.view import TaskKey, TaskView

_TI: Final = TaskInstance
_COLUMNS: Final = tuple(getattr(TaskInstance, field.name) for field in fields(TaskView))
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class InstanceGroup:
    """Instances of one task of which the same can be said. ``first`` is the smallest map index among them."""

    task_id: str
    state: TaskState
    first: int
    count: int


def count_instances(tx: Connection, run_pk: int) -> dict[tuple[str, TaskState], int]:
    """Return how many instances a run has, by task and state."""
    query = select(_TI.task_id, _TI.state, func.count()).where(_TI.run_pk == run_pk)
    return {(task_id, state): n for task_id, state, n in tx.execute(query.group_by(_TI.task_id, _TI.state))}


def group_instances(
    tx: Connection, run_pk: int, but: Collection[TaskState], *, limit: int, task_id: str | None = None
) -> list[InstanceGroup]:
    """Return the instances of a run in groups: same task, state, reason, and whoever holds them.

    Args:
        but: states that are left out.
        limit: at most so many groups, those with a failure first, then by task and index.
    """
    first = func.min(_TI.map_index)
    query = select(_TI.task_id, _TI.state, first, func.count()).where(_TI.run_pk == run_pk, _TI.state.not_in(but))
    if task_id is not None:
        query = query.where(_TI.task_id == task_id)
    query = query.group_by(_TI.task_id, _TI.state, _TI.reason, _TI.held)
    bad_first = case((_TI.state == TaskState.FAILED, 0), else_=1)
    rows = tx.execute(query.order_by(bad_first, _TI.task_id, first).limit(limit))
    return [InstanceGroup(*row) for row in rows]


def sample_instances(
    tx: Connection, run_pk: int, *, each: int, task_ids: Collection[str] | None = None
) -> list[TaskView]:
    """Return a few instances of each task in each state, those with the smallest map index.

    Args:
        task_ids: of which tasks; None: of all.
        each: how many of each state at most.
    """
    place = func.row_number().over(partition_by=(_TI.task_id, _TI.state), order_by=_TI.map_index).label("place")
    numbered = select(_TI.task_id, _TI.map_index, place).where(_TI.run_pk == run_pk)
    if task_ids is not None:
        numbered = numbered.where(_TI.task_id.in_(task_ids))
    few = numbered.subquery()
    query = _select(_TI.run_pk == run_pk).join(
        few, (few.c.task_id == _TI.task_id) & (few.c.map_index == _TI.map_index) & (few.c.place <= each)
    )
    return [TaskView(*row) for row in tx.execute(query.order_by(_TI.task_id, _TI.map_index))]


def read_instances(tx: Connection, run_pk: int, keys: Collection[TaskKey]) -> Iterator[TaskView]:
    """Yield these instances of a run; those that it has not are left out."""
    wanted = sorted(keys)
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        query = _select(_TI.run_pk == run_pk, tuple_(_TI.task_id, _TI.map_index).in_(some))
        for row in tx.execute(query):
            yield TaskView(*row)


def read_deciders(tx: Connection, run_pk: int, task_ids: Sequence[str], against: Collection[str]) -> list[TaskView]:
    """Return instances of these tasks that decided not to run one of ``against``, a few of many."""
    if not task_ids or not against:
        return []
    said = type_coerce(_TI.decided_against, Text)  # it is stored as JSON text; ids need no escapes there
    names = [said.contains(f'"{one}"', autoescape=True) for one in sorted(against)]
    query = _select(_TI.run_pk == run_pk, _TI.task_id.in_(task_ids), said.is_not(None), or_(*names))
    return [TaskView(*row) for row in tx.execute(query.limit(_AT_ONCE))]


def _select(*where: ColumnElement[bool]) -> Select[Any]:
    return select(*_COLUMNS).where(*where)
