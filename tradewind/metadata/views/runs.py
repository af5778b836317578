"""What do the pages about runs read? One run, its tasks, the runs beside it, its log of events, lists of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select, tuple_

from tradewind.metadata.models import DagRun, DagVersion, RunEvent, TaskInstance
from tradewind.metadata.models.core import LEAVING
from tradewind.model.states import RunState, RunType, TaskState


@dataclass(frozen=True, slots=True)
class RunPage:
    """One run as its page shows it."""

    pk: int
    dag_id: str
    run_id: str
    version_id: int
    version_number: int
    run_type: RunType
    triggered_by: str
    triggering_user: str | None
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    conf: Mapping[str, Any]
    note: str | None
    state: RunState
    reason: str | None
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    next_seq: int
    partition_key: str | None
    partition_date: datetime | None
    held: str | None
    retries_used: int
    backfill_id: int | None
    replay_of: int | None  # key of a run
    task_subset: Sequence[str] | None  # the tasks that it consists of; None: all
    bundle: str | None  # the DAG folder as it was when it was made; None: as it is


@dataclass(frozen=True, slots=True)
class RunLine:
    """One line of a list of runs."""

    pk: int
    dag_id: str
    run_id: str
    run_type: RunType
    state: RunState
    run_after: datetime
    logical_date: datetime | None
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    triggering_user: str | None
    version_number: int
    note: str | None
    reason: str | None
    held: str | None
    backfill_id: int | None


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task instance as lists, the graph and the timeline show it."""

    task_id: str
    map_index: int
    state: TaskState
    try_number: int
    max_tries: int
    scheduled_at: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    retry_at: datetime | None
    reason: str | None
    note: str | None
    held: str | None


@dataclass(frozen=True, slots=True)
class EventLine:
    """One entry of a run's log."""

    seq: int
    at: datetime
    kind: str
    task_id: str | None
    map_index: int
    try_number: int
    payload: Mapping[str, Any]


_RUN = DagRun
RUN_PAGE: Select[*tuple[Any, ...]] = (
    select(
        _RUN.id, _RUN.dag_id, _RUN.run_id, _RUN.version_id, DagVersion.number, _RUN.run_type, _RUN.triggered_by,
        _RUN.triggering_user, _RUN.logical_date, _RUN.data_interval_start, _RUN.data_interval_end, _RUN.run_after,
        _RUN.conf, _RUN.note, _RUN.state, _RUN.reason, _RUN.queued_at, _RUN.started_at, _RUN.ended_at, _RUN.next_seq,
        _RUN.partition_key, _RUN.partition_date, _RUN.held, _RUN.retries_used, _RUN.backfill_id, _RUN.replay_of,
        _RUN.task_subset,
        _RUN.bundle,
    )
    .join(DagVersion, DagVersion.id == _RUN.version_id)
)  # fmt: skip
_LINES: Select[*tuple[Any, ...]] = (
    select(
        _RUN.id, _RUN.dag_id, _RUN.run_id, _RUN.run_type, _RUN.state, _RUN.run_after, _RUN.logical_date,
        _RUN.queued_at, _RUN.started_at, _RUN.ended_at, _RUN.triggering_user, DagVersion.number, _RUN.note, _RUN.reason,
        _RUN.held, _RUN.backfill_id,
    )
    .join(DagVersion, DagVersion.id == _RUN.version_id)
)  # fmt: skip
_TI = TaskInstance
TASK_LINE: Select[*tuple[Any, ...]] = select(
    _TI.task_id, _TI.map_index, _TI.state, _TI.try_number, _TI.max_tries, _TI.scheduled_at, _TI.queued_at,
    _TI.started_at, _TI.ended_at, _TI.retry_at, _TI.reason, _TI.note, _TI.held,
)  # fmt: skip


def find_run_page(tx: Connection, dag_id: str, run_id: str) -> RunPage | None:
    """Return a run by its names, or None."""
    row = tx.execute(RUN_PAGE.where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one_or_none()
    return None if row is None else RunPage(*row)


def find_run_id(tx: Connection, run_pk: int) -> str | None:
    """Return the name of a run by its key, None when it is gone."""
    return tx.execute(select(DagRun.run_id).where(DagRun.id == run_pk)).scalar_one_or_none()


def newest_run_page(tx: Connection, dag_id: str) -> RunPage | None:
    """Return the newest run of a DAG, or None when it has none."""
    query = RUN_PAGE.where(DagRun.dag_id == dag_id).order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return None if row is None else RunPage(*row)


def neighbours(tx: Connection, run: RunPage) -> tuple[str | None, str | None]:
    """Return the ids of the run before and the run after this one, by when they were due."""
    place = tuple_(DagRun.run_after, DagRun.id)
    here = tuple_(*_literals(run.run_after, run.pk))
    same = select(DagRun.run_id).where(DagRun.dag_id == run.dag_id)
    before = same.where(place < here).order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(1)
    after = same.where(place > here).order_by(DagRun.run_after, DagRun.id).limit(1)
    return tx.execute(before).scalar_one_or_none(), tx.execute(after).scalar_one_or_none()


def list_run_lines(
    tx: Connection,
    *,
    dag_id: str | None = None,
    states: Sequence[RunState] = (),
    run_type: RunType | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> list[RunLine]:
    """Return the newest runs first, those due before ``before`` (due time and primary key of the last line shown)."""
    query = _LINES.order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(limit)
    query = query.where(DagRun.kind != LEAVING if dag_id is None else DagRun.dag_id == dag_id)
    if states:
        query = query.where(DagRun.state.in_(states))
    if run_type is not None:
        query = query.where(DagRun.run_type == run_type)
    if before is not None:
        query = query.where(tuple_(DagRun.run_after, DagRun.id) < tuple_(*_literals(*before)))
    return [RunLine(*row) for row in tx.execute(query)]


def list_grid_runs(tx: Connection, dag_id: str, *, until: datetime | None, limit: int) -> list[RunLine]:
    """Return the newest runs due not after ``until``, the oldest of them first."""
    query = _LINES.where(DagRun.dag_id == dag_id)
    if until is not None:
        query = query.where(DagRun.run_after <= until)
    rows = tx.execute(query.order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(limit)).all()
    return [RunLine(*row) for row in reversed(rows)]


def list_events(
    tx: Connection, run_pk: int, *, task_id: str | None = None, after_seq: int = 0, limit: int = 500
) -> list[EventLine]:
    """Return the log of a run in order, from behind ``after_seq`` on; of one task alone when it is named."""
    row = RunEvent
    query: Select[*tuple[Any, ...]] = select(
        row.seq, row.at, row.kind, row.task_id, row.map_index, row.try_number, row.payload
    )
    query = query.where(row.run_pk == run_pk, row.seq > after_seq).order_by(row.seq).limit(limit)
    if task_id is not None:
        query = query.where(row.task_id == task_id)
    return [EventLine(*found) for found in tx.execute(query)]


def count_runs_by_state(tx: Connection, dag_id: str, cap: int = 1000) -> dict[str, int]:
    """Return how many of a DAG's newest ``cap`` runs are in each state."""
    newest = select(DagRun.state).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after.desc()).limit(cap).subquery()
    query = select(newest.c.state, func.count()).group_by(newest.c.state)
    return {state.value: count for state, count in tx.execute(query)}


def recent_confs(tx: Connection, dag_id: str, limit: int = 10) -> list[Mapping[str, Any]]:
    """Return the last different configurations that people triggered a DAG with, the newest first."""
    query = (
        select(DagRun.conf)
        .where(DagRun.dag_id == dag_id, DagRun.run_type == RunType.MANUAL)
        .order_by(DagRun.run_after.desc())
        .limit(limit * 5)
    )
    result: list[Mapping[str, Any]] = []
    for conf in tx.execute(query).scalars():
        if conf and conf not in result:
            result.append(conf)
    return result[:limit]


def _literals(due: datetime, pk: int) -> tuple[Any, Any]:
    return literal(due, DagRun.run_after.type), literal(pk, DagRun.id.type)
