"""Statements about the run before: may a task that depends on it start, and which run looks at this one?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, select

from tradewind.metadata.models import DagRun, TaskInstance
from tradewind.metadata.runs import RunRecord
from tradewind.model.states import RunState, RunType, TaskState

_GOOD = (TaskState.SUCCESS, TaskState.SKIPPED)


@dataclass(frozen=True, slots=True)
class PastQuestion:
    """One task that looks at the run before, and what it wants to see there.

    Attributes:
        also: further tasks that must have ended well: those directly below it, with ``wait_for_downstream``.
        start_date: of the task; a run before it does not count.
        ignore_first: the first instance of the task may start although the run before has none.
    """

    task_id: str
    also: Sequence[str] = ()
    start_date: datetime | None = None
    ignore_first: bool = True


def find_blockers(
    tx: Connection, run: RunRecord, questions: Sequence[PastQuestion], *, scheduled_only: bool
) -> Mapping[str, str]:
    """Return, for each task that must not start yet because of the run before, the reason.

    The run before is the one with the next earlier logical date; a run without a logical date has none before it. The
    first instance of a task is blocked by nothing.

    Args:
        scheduled_only: leave out manual runs, as Airflow does for a DAG with catchup.
    """
    if run.logical_date is None or not questions:
        return {}
    query = select(DagRun.id, DagRun.run_id, DagRun.logical_date, DagRun.state).where(
        DagRun.dag_id == run.dag_id, DagRun.logical_date < run.logical_date
    )
    if scheduled_only:
        query = query.where(DagRun.run_type != RunType.MANUAL)
    before = tx.execute(query.order_by(DagRun.logical_date.desc()).limit(1)).first()
    if before is None:
        return {}
    watched = {task_id for question in questions for task_id in (question.task_id, *question.also)}
    rows = tx.execute(
        select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state).where(
            TaskInstance.run_pk == before.id, TaskInstance.task_id.in_(watched)
        )
    ).all()
    bad = {row.task_id: row.state for row in rows if row.state not in _GOOD}
    known = {row.task_id for row in rows}
    found = {}
    for question in questions:
        if question.start_date is not None and before.logical_date < question.start_date:
            continue
        if before.state is RunState.QUEUED:  # its instances do not exist yet
            found[question.task_id] = f"it depends on its past, and run {before.run_id!r} has not started"
            continue
        if question.task_id not in known:
            if not question.ignore_first or _has_earlier(tx, run, question.task_id):
                found[question.task_id] = f"it depends on its past, and run {before.run_id!r} has no instance of it"
            continue
        for task_id in (question.task_id, *question.also):
            if task_id in bad:
                what = "itself" if task_id == question.task_id else f"task {task_id!r} below it"
                found[question.task_id] = (
                    f"it depends on its past: in run {before.run_id!r}, {what} is {_words(bad[task_id])}"
                )
                break
    return found


def next_run(tx: Connection, dag_id: str, logical_date: datetime) -> int | None:
    """Return the running run with the next later logical date, when the very next one is running."""
    row = tx.execute(
        select(DagRun.id, DagRun.state)
        .where(DagRun.dag_id == dag_id, DagRun.logical_date > logical_date)
        .order_by(DagRun.logical_date)
        .limit(1)
    ).first()
    return row.id if row is not None and row.state is RunState.RUNNING else None


def _has_earlier(tx: Connection, run: RunRecord, task_id: str) -> bool:
    earlier = (
        select(TaskInstance.run_pk)
        .join(DagRun, DagRun.id == TaskInstance.run_pk)
        .where(
            TaskInstance.dag_id == run.dag_id,
            TaskInstance.task_id == task_id,
            DagRun.logical_date < run.logical_date,
        )
    )
    return bool(tx.execute(select(exists(earlier))).scalar())


def _words(state: TaskState) -> str:
    return "not started" if state is TaskState.NONE else state.value
