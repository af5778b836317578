"""Statements about runs: create, claim, start, read. The log of a run is written in ``commit`` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from tradewind.errors import Conflict
from tradewind.metadata.deadlines import set_deadlines
from tradewind.metadata.models import Dag, DagRun, DagVersion, Process, TaskInstance, Timer
from tradewind.metadata.models import RunEvent as RunEventRow
from tradewind.metadata.timers import START
from tradewind.model.events import NO_MAP
from tradewind.model.states import RunEvent, RunState, RunType
from tradewind.run.view import RunView, TaskView

if TYPE_CHECKING:  # it brings networkx, 11 MB that a process which only creates or shows runs has no use for
    from tradewind.run.graph import DagGraph


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as plain data. Instants are aware UTC."""

    pk: int
    kind: str
    dag_id: str
    run_id: str
    version_id: int
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
    fence: int
    claimed_by: UUID | None
    partition_key: str | None
    partition_date: datetime | None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be created. ``kind`` is always "dag" today."""

    dag_id: str
    run_id: str
    version_id: int
    run_type: RunType
    triggered_by: str
    run_after: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    conf: Mapping[str, Any] | None = None
    note: str | None = None
    triggering_user: str | None = None
    partition_key: str | None = None  # the part of an asset that the run is about
    partition_date: datetime | None = None


_COLUMNS = (
    DagRun.id, DagRun.kind, DagRun.dag_id, DagRun.run_id, DagRun.version_id, DagRun.run_type, DagRun.triggered_by,
    DagRun.triggering_user, DagRun.logical_date, DagRun.data_interval_start, DagRun.data_interval_end,
    DagRun.run_after, DagRun.conf, DagRun.note, DagRun.state, DagRun.reason, DagRun.queued_at, DagRun.started_at,
    DagRun.ended_at, DagRun.next_seq, DagRun.fence, DagRun.claimed_by,
    DagRun.partition_key, DagRun.partition_date,
)  # fmt: skip


def insert_run(tx: Connection, run: NewRun, now: datetime) -> int:
    """Create a run in state queued with the first entry of its log, and return its primary key.

    Raises:
        Conflict: the DAG has a run with that run id or that logical date.
    """
    savepoint = tx.begin_nested()
    try:
        pk: int = tx.execute(
            insert(DagRun)
            .values(
                kind="dag",
                dag_id=run.dag_id,
                run_id=run.run_id,
                version_id=run.version_id,
                run_type=run.run_type,
                triggered_by=run.triggered_by,
                triggering_user=run.triggering_user,
                logical_date=run.logical_date,
                data_interval_start=run.data_interval_start,
                data_interval_end=run.data_interval_end,
                run_after=run.run_after,
                partition_key=run.partition_key,
                partition_date=run.partition_date,
                conf=dict(run.conf or {}),
                note=run.note,
                state=RunState.QUEUED,
                queued_at=now,
                next_seq=2,
                fence=0,
            )
            .returning(DagRun.id)
        ).scalar_one()
    except IntegrityError as error:
        savepoint.rollback()
        raise Conflict(_conflict_text(tx, run)) from error
    savepoint.commit()
    tx.execute(
        insert(RunEventRow),
        {
            "run_pk": pk,
            "seq": 1,
            "at": now,
            "kind": RunEvent.CREATED.value,
            "task_id": None,
            "map_index": NO_MAP,
            "try_number": 0,
            "payload": {"version_id": run.version_id},
        },
    )
    set_deadlines(tx, pk, run.dag_id, run.version_id, run.logical_date, now)
    return pk


def _conflict_text(tx: Connection, run: NewRun) -> str:
    if find_run(tx, run.dag_id, run.run_id) is not None:
        return f"DAG {run.dag_id!r} already has a run {run.run_id!r}. Give another --run-id."
    other = tx.execute(
        select(DagRun.run_id).where(DagRun.dag_id == run.dag_id, DagRun.logical_date == run.logical_date)
    ).scalar()
    return (
        f"DAG {run.dag_id!r} already has a run for logical date {run.logical_date}: {other!r}. "
        "Give another --logical-date, or none."
    )


def find_run(tx: Connection, dag_id: str, run_id: str) -> RunRecord | None:
    """Return a run by its names, or None."""
    row = tx.execute(select(*_COLUMNS).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).first()
    return None if row is None else RunRecord(*row)


def find_run_at(tx: Connection, dag_id: str, logical_date: datetime) -> RunRecord | None:
    """Return the run of a logical date, or None."""
    row = tx.execute(select(*_COLUMNS).where(DagRun.dag_id == dag_id, DagRun.logical_date == logical_date)).first()
    return None if row is None else RunRecord(*row)


def get_runs(tx: Connection, pks: Sequence[int]) -> list[RunRecord]:
    """Return runs by primary key, in that order of keys; those that are gone are left out."""
    rows = tx.execute(select(*_COLUMNS).where(DagRun.id.in_(pks)).order_by(DagRun.id))
    return [RunRecord(*row) for row in rows]


def list_runs(
    tx: Connection,
    *,
    dag_id: str | None = None,
    states: Sequence[RunState] = (),
    after: datetime | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[RunRecord]:
    """Return the newest runs first.

    Args:
        after, before: bounds on the logical date (``run_after`` where there is none), both inclusive.
        limit: at most so many.
    """
    when = func.coalesce(DagRun.logical_date, DagRun.run_after, type_=DagRun.run_after.type)
    query = select(*_COLUMNS)
    if dag_id is not None:
        query = query.where(DagRun.dag_id == dag_id)
    if states:
        query = query.where(DagRun.state.in_(states))
    if after is not None:
        query = query.where(when >= after)
    if before is not None:
        query = query.where(when <= before)
    rows = tx.execute(query.order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(limit))
    return [RunRecord(*row) for row in rows]


def list_task_instances(tx: Connection, run_pk: int) -> list[TaskView]:
    """Return all task instances of a run, by task id and map index."""
    rows = tx.execute(_SELECT_TASKS, {"run_pk": run_pk})
    return [TaskView(*row) for row in rows]


_TI = TaskInstance
_SELECT_TASKS = (
    select(
        _TI.task_id, _TI.map_index, _TI.state, _TI.try_number, _TI.max_tries, _TI.failures, _TI.losses, _TI.attempt_id,
        _TI.scheduled_at, _TI.queued_at, _TI.started_at, _TI.ended_at, _TI.retry_at, _TI.reason, _TI.part, _TI.length,
        _TI.map_label, _TI.first_started_at, _TI.resume,
    )
    .where(_TI.run_pk == bindparam("run_pk"))
    .order_by(_TI.task_id, _TI.map_index)
)  # fmt: skip


def load_view(tx: Connection, run: RunRecord, graph: DagGraph) -> RunView:
    """Return the run in memory, as its projection has it."""
    view = RunView(
        pk=run.pk,
        dag_id=run.dag_id,
        run_id=run.run_id,
        graph=graph,
        state=run.state,
        next_seq=run.next_seq,
        fence=run.fence,
        started_at=run.started_at,
        ended_at=run.ended_at,
        reason=run.reason,
    )
    view.restore(list_task_instances(tx, run.pk))
    return view


# --- claims ----------------------------------------------------------------------------------------------------


def _is_free(now: datetime) -> ColumnElement[bool]:
    """A run that nobody holds: never claimed, or claimed by a process whose lease is over."""
    holder = (
        select(Process.id).where(Process.id == DagRun.claimed_by, Process.ended_at.is_(None), Process.expires_at > now)
    ).correlate(DagRun)
    return or_(DagRun.claimed_by.is_(None), ~exists(holder))


def claim_running(tx: Connection, holder: UUID, now: datetime, limit: int) -> list[int]:
    """Claim running runs that nobody holds, the oldest first, and return their keys. The fence of each grows by one."""
    free = (
        select(DagRun.id)
        .where(DagRun.state == RunState.RUNNING, _is_free(now))
        .order_by(DagRun.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=DagRun)
    )
    pks = list(tx.execute(free).scalars())
    if pks:
        tx.execute(update(DagRun).where(DagRun.id.in_(pks)).values(claimed_by=holder, fence=DagRun.fence + 1))
    return pks


def claimed_by(tx: Connection, holder: UUID) -> list[int]:
    """Return the running runs that ``holder`` has claimed."""
    query = select(DagRun.id).where(DagRun.claimed_by == holder, DagRun.state == RunState.RUNNING)
    return list(tx.execute(query.order_by(DagRun.id)).scalars())


def lock_dag(tx: Connection, dag_id: str) -> None:
    """Hold the row of a DAG until the transaction ends."""
    tx.execute(select(Dag.dag_id).where(Dag.dag_id == dag_id).with_for_update())


def queued_dags(tx: Connection) -> list[str]:
    """Return the DAGs that have queued runs."""
    return list(tx.execute(select(DagRun.dag_id).where(DagRun.state == RunState.QUEUED).distinct()).scalars())


def claim_startable(tx: Connection, dag_id: str, holder: UUID, limit: int) -> list[int]:
    """Claim the queued runs of a DAG that have a place under its ``max_active_runs``, the oldest first.

    The row of the DAG is locked until the transaction ends, so that no two schedulers count the same free place. A
    paused DAG starts no scheduled runs and none for assets; a run that somebody asked for runs all the same, but not
    before its time.
    """
    dag = tx.execute(select(Dag.max_active_runs, Dag.is_paused).where(Dag.dag_id == dag_id).with_for_update()).first()
    if dag is None:
        return []
    running = tx.execute(
        select(func.count()).where(DagRun.dag_id == dag_id, DagRun.state == RunState.RUNNING)
    ).scalar_one()
    places = min(limit, dag.max_active_runs - running)
    if places <= 0:
        return []
    held_back = exists().where(Timer.key == literal(f"{START}:") + cast(DagRun.id, String))
    startable = and_(DagRun.dag_id == dag_id, DagRun.state == RunState.QUEUED, ~held_back)
    if dag.is_paused:
        startable = and_(startable, DagRun.run_type.not_in((RunType.SCHEDULED, RunType.ASSET_TRIGGERED)))
    pks = list(
        tx.execute(
            select(DagRun.id)
            .where(startable)
            .order_by(DagRun.run_after, DagRun.id)
            .limit(places)
            .with_for_update(skip_locked=True)
        ).scalars()
    )
    if pks:
        tx.execute(update(DagRun).where(DagRun.id.in_(pks)).values(claimed_by=holder, fence=DagRun.fence + 1))
    return pks


def release_claims(tx: Connection, holder: UUID) -> None:
    """Let go of all runs, so that another scheduler need not wait for the lease to end."""
    tx.execute(update(DagRun).where(DagRun.claimed_by == holder).values(claimed_by=None))


def version_of(tx: Connection, version_id: int) -> tuple[str, str, str]:
    """Return the spec (JSON), file path and source digest of a DAG version."""
    row = tx.execute(
        select(DagVersion.spec, DagVersion.file_path, DagVersion.source_digest).where(DagVersion.id == version_id)
    ).one()
    return row.spec, row.file_path, row.source_digest


def read_events(tx: Connection, run_pk: int, after_seq: int = 0, limit: int | None = None) -> list[RunEventRecord]:
    """Return the log of a run in order, from behind ``after_seq`` on."""
    row = RunEventRow
    query = (
        select(row.seq, row.at, row.kind, row.task_id, row.map_index, row.try_number, row.payload)
        .where(row.run_pk == run_pk, row.seq > after_seq)
        .order_by(row.seq)
    )
    return [RunEventRecord(*r) for r in tx.execute(query if limit is None else query.limit(limit))]


@dataclass(frozen=True, slots=True)
class RunEventRecord:
    """One entry of the log as it is stored."""

    seq: int
    at: datetime
    kind: str
    task_id: str | None
    map_index: int
    try_number: int
    payload: Mapping[str, Any]
