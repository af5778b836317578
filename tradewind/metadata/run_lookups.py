"""What runs are there, and how do their tasks stand? The statements behind what tasks ask about other DAGs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from tradewind.errors import NotFound
from tradewind.metadata import dags
from tradewind.metadata.models import DagRun, TaskInstance
from tradewind.model.spec import DagSpec
from tradewind.model.states import FINAL_TASK_STATES, TaskState
from tradewind.sdk.run_questions import CountRuns, CountTasks, DagFacts, ListTasks, RunFacts, TaskFacts

MAX_TASKS: Final = 100_000
"""How many task instances one answer holds; a question about more is refused."""

_Query = Select[*tuple[Any, ...]]
_RUN, _TI = DagRun, TaskInstance
_RUN_COLUMNS: Final = (
    _RUN.dag_id, _RUN.run_id, _RUN.run_type, _RUN.state, _RUN.run_after, _RUN.logical_date, _RUN.data_interval_start,
    _RUN.data_interval_end, _RUN.started_at, _RUN.ended_at,
)  # fmt: skip
_TASK_COLUMNS: Final = (
    _TI.dag_id, _TI.task_id, _RUN.run_id, _TI.map_index, _TI.state, _TI.try_number, _RUN.logical_date, _TI.started_at,
    _TI.ended_at,
)  # fmt: skip


def find_run(tx: Connection, dag_id: str, run_id: str) -> RunFacts | None:
    """Return a run by its names, or None."""
    return _run(tx, select(*_RUN_COLUMNS).where(_RUN.dag_id == dag_id, _RUN.run_id == run_id))


def find_previous_run(tx: Connection, dag_id: str, before: datetime, state: str | None) -> RunFacts | None:
    """Return the latest run with an earlier logical date, or None.

    Args:
        state: of that run; None: any.
    """
    query = select(*_RUN_COLUMNS).where(_RUN.dag_id == dag_id, _RUN.logical_date < before)
    if state is not None:
        query = query.where(_RUN.state == state)
    return _run(tx, query.order_by(_RUN.logical_date.desc()).limit(1))


def _run(tx: Connection, query: _Query) -> RunFacts | None:
    row = tx.execute(query).first()
    return None if row is None else RunFacts(*row)


def count_runs(tx: Connection, wanted: CountRuns) -> int:
    """Return how many runs a DAG has that fit; a list that is empty or None says nothing."""
    query = select(func.count()).select_from(_RUN).where(_RUN.dag_id == wanted.dag_id)
    query = _of_runs(query, wanted.logical_dates, wanted.run_ids)
    if wanted.states:
        query = query.where(_RUN.state.in_(wanted.states))
    return int(tx.execute(query).scalar_one())


def count_tasks(tx: Connection, wanted: CountTasks) -> int:
    """Return how many task instances fit; a list that is empty or None says nothing.

    Raises:
        NotFound: a group is asked for, and there is no such DAG or group.
    """
    query = _tasks(select(func.count()), wanted)
    if wanted.group_id:
        query = query.where(_TI.task_id.in_(_group_tasks(tx, wanted.dag_id, wanted.group_id)))
    if wanted.task_ids:
        query = query.where(_TI.task_id.in_(wanted.task_ids))
    if wanted.states:
        query = query.where(_in_states(wanted.states))
    return int(tx.execute(query).scalar_one())


def list_tasks(tx: Connection, wanted: ListTasks) -> list[TaskFacts]:
    """Return the task instances that fit, by run, task and index; a list that is empty or None says nothing.

    Raises:
        NotFound: a group is asked for, and there is no such DAG or group; or more than :data:`MAX_TASKS` fit.
    """
    query = _tasks(select(*_TASK_COLUMNS), wanted)
    task_ids = set(wanted.task_ids or ())
    if wanted.group_id:
        task_ids |= set(_group_tasks(tx, wanted.dag_id, wanted.group_id))
    if task_ids or wanted.group_id:
        query = query.where(_TI.task_id.in_(sorted(task_ids)))
    if wanted.is_ended:
        query = query.where(_TI.state.in_(FINAL_TASK_STATES))
    query = query.order_by(_RUN.run_id, _TI.task_id, _TI.map_index).limit(MAX_TASKS + 1)
    found = [_task(row) for row in tx.execute(query)]
    if len(found) > MAX_TASKS:
        raise NotFound(
            "An answer about so many tasks of DAG", wanted.dag_id, mend=f"Ask for at most {MAX_TASKS} at once, by run."
        )
    return found


def find_previous_task(
    tx: Connection, dag_id: str, task_id: str, before: datetime | None, map_index: int, state: str | None
) -> TaskFacts | None:
    """Return the latest instance of a task with an earlier logical date, or None.

    Args:
        before: None: the latest of all that have a logical date.
        state: of that instance; None: any.
    """
    query = (
        select(*_TASK_COLUMNS)
        .join_from(_TI, _RUN, _RUN.id == _TI.run_pk)
        .where(_TI.dag_id == dag_id, _TI.task_id == task_id, _TI.map_index == map_index)
        .where(_RUN.logical_date.is_not(None) if before is None else _RUN.logical_date < before)
    )
    if state is not None:
        query = query.where(_in_states([state]))
    row = tx.execute(query.order_by(_RUN.logical_date.desc()).limit(1)).first()
    return None if row is None else _task(row)


def find_dag(tx: Connection, dag_id: str) -> DagFacts | None:
    """Return a DAG with the tasks and groups of its newest version, or None."""
    row = dags.find_dag(tx, dag_id)
    if row is None:
        return None
    spec = None if row.version_id is None else dags.load_spec(tx, row.version_id)
    return DagFacts(
        dag_id,
        row.is_paused,
        row.is_active,
        row.file_path,
        tuple(task.task_id for task in spec.tasks) if spec else (),
        tuple(group.group_id for group in spec.groups) if spec else (),
        row.owners,
        row.tags,
        row.next_run_after,
    )


def _task(row: Any) -> TaskFacts:
    fields = list(row)
    fields[4] = None if row.state is TaskState.NONE else row.state.value
    return TaskFacts(*fields)


def _tasks(query: _Query, wanted: CountTasks | ListTasks) -> _Query:
    query = query.select_from(_TI).join(_RUN, _RUN.id == _TI.run_pk).where(_TI.dag_id == wanted.dag_id)
    if wanted.map_index is not None:
        query = query.where(_TI.map_index == wanted.map_index)
    return _of_runs(query, wanted.logical_dates, wanted.run_ids)


def _of_runs(query: _Query, logical_dates: Collection[datetime] | None, run_ids: Collection[str] | None) -> _Query:
    if logical_dates:
        query = query.where(_RUN.logical_date.in_(logical_dates))
    if run_ids:
        query = query.where(_RUN.run_id.in_(run_ids))
    return query


def _in_states(states: Sequence[str]) -> ColumnElement[bool]:
    named = [state for state in states if state != "null"]
    return or_(_TI.state.in_(named), _TI.state == TaskState.NONE) if "null" in states else _TI.state.in_(named)


def _group_tasks(tx: Connection, dag_id: str, group_id: str) -> list[str]:
    _, spec = dags.load_newest_spec(tx, dag_id)
    inside = _groups_inside(spec, group_id)
    if not inside:
        raise NotFound("Task group", group_id, [group.group_id for group in spec.groups], within=f"of DAG {dag_id!r}")
    return [task.task_id for task in spec.tasks if task.group_id in inside]


def _groups_inside(spec: DagSpec, group_id: str) -> set[str]:
    """Return a group and all groups within it; empty when there is no such group."""
    parents = {group.group_id: group.parent_id for group in spec.groups}
    inside = set()
    for start in parents:
        around: str | None = start
        while around is not None and around != group_id:
            around = parents.get(around)
        if around is not None:
            inside.add(start)
    return inside
