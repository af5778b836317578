"""Statements about runs: create, claim, start, read. The log of a run is written in ``commit`` alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    true,
    update,
)

from tradewind.metadata import run_keys
from tradewind.metadata.models import Dag, DagRun, DagVersion, Process, TaskInstance, Timer
from tradewind.metadata.models import RunEvent as RunEventRow
from tradewind.metadata.new_runs import NewRun as NewRun
from tradewind.metadata.new_runs import insert_run as insert_run
from tradewind.metadata.timers import START
from tradewind.model.keys import RunLimits
from tradewind.model.states import RunState, RunType
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
    held: str | None
    retries_used: int
    verdict: RunState | None
    backfill_id: int | None
    replay_of: int | None
    input_date: datetime | None
    task_subset: Sequence[str] | None
    keys: Sequence[str] | None
    bundle: str | None

    @property
    def task_date(self) -> datetime | None:
        """The logical date that its tasks see."""
        return self.logical_date or self.input_date


AUTOMATIC: Final = (RunType.SCHEDULED, RunType.ASSET_TRIGGERED)
"""The types of runs that nobody asked for: those wait while their DAG is paused."""
_PAGE: Final = 200
_LOOK_AT: Final = 10_000
"""Queued runs of one DAG that are looked at for free keys, one page after the other."""

_COLUMNS = (
    DagRun.id, DagRun.kind, DagRun.dag_id, DagRun.run_id, DagRun.version_id, DagRun.run_type, DagRun.triggered_by,
    DagRun.triggering_user, DagRun.logical_date, DagRun.data_interval_start, DagRun.data_interval_end,
    DagRun.run_after, DagRun.conf, DagRun.note, DagRun.state, DagRun.reason, DagRun.queued_at, DagRun.started_at,
    DagRun.ended_at, DagRun.next_seq, DagRun.fence, DagRun.claimed_by,
    DagRun.partition_key, DagRun.partition_date, DagRun.held, DagRun.retries_used, DagRun.verdict,
    DagRun.backfill_id, DagRun.replay_of, DagRun.input_date, DagRun.task_subset, DagRun.keys, DagRun.bundle,
)  # fmt: skip


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


def list_tasks_of(tx: Connection, run_pks: Sequence[int]) -> dict[int, list[TaskView]]:
    """Return all task instances of many runs, by run."""
    found: dict[int, list[TaskView]] = {pk: [] for pk in run_pks}
    for run_pk, *fields in tx.execute(_SELECT_TASKS_OF, {"run_pks": list(run_pks)}) if run_pks else ():
        found[run_pk].append(TaskView(*fields))
    return found


_TI = TaskInstance
_TASK_FIELDS = (
    _TI.task_id, _TI.map_index, _TI.state, _TI.try_number, _TI.max_tries, _TI.failures, _TI.losses, _TI.attempt_id,
    _TI.scheduled_at, _TI.queued_at, _TI.started_at, _TI.ended_at, _TI.retry_at, _TI.reason, _TI.part, _TI.length,
    _TI.map_label, _TI.first_started_at, _TI.resume, _TI.held, _TI.decided_against,
    _TI.postponed,
)  # fmt: skip
_SELECT_TASKS = select(*_TASK_FIELDS).where(_TI.run_pk == bindparam("run_pk")).order_by(_TI.task_id, _TI.map_index)
_SELECT_TASKS_OF = (
    select(_TI.run_pk, *_TASK_FIELDS)
    .where(_TI.run_pk.in_(bindparam("run_pks", expanding=True)))
    .order_by(_TI.run_pk, _TI.task_id, _TI.map_index)
)


def load_view(tx: Connection, run: RunRecord, graph: DagGraph, tasks: Sequence[TaskView] | None = None) -> RunView:
    """Return the run in memory, as its projection has it.

    Args:
        tasks: its instances, when they were read already.
    """
    view = RunView(
        pk=run.pk,
        dag_id=run.dag_id,
        run_id=run.run_id,
        graph=graph,
        state=run.state,
        next_seq=run.next_seq,
        fence=run.fence,
        version_id=run.version_id,
        bundle=run.bundle,
        logical_date=run.logical_date,
        queued_at=run.queued_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        reason=run.reason,
        held=run.held,
        retries_used=run.retries_used,
        verdict=run.verdict,
    )
    view.restore(list_task_instances(tx, run.pk) if tasks is None else tasks)
    return view


# --- claims ----------------------------------------------------------------------------------------------------


def _is_free(now: datetime) -> ColumnElement[bool]:
    """A run that nobody holds: never claimed, or claimed by a process whose lease is over."""
    holder = (
        select(Process.id).where(Process.id == DagRun.claimed_by, Process.ended_at.is_(None), Process.expires_at > now)
    ).correlate(DagRun)
    return or_(DagRun.claimed_by.is_(None), ~exists(holder))


def claim_running(
    tx: Connection, holder: UUID, now: datetime, limit: int, only: Sequence[int] | None = None
) -> list[int]:
    """Claim running runs that nobody holds, the oldest first, and return their keys. The fence of each grows by one.

    Args:
        only: of these; None: of all.
    """
    free = (
        select(DagRun.id)
        .where(DagRun.state == RunState.RUNNING, _is_free(now), true() if only is None else DagRun.id.in_(only))
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
    lock_dags(tx, [dag_id])


def lock_dags(tx: Connection, dag_ids: Collection[str]) -> None:
    """Hold the rows of some DAGs until the transaction ends, taken in the order of their ids."""
    tx.execute(select(Dag.dag_id).where(Dag.dag_id.in_(dag_ids)).order_by(Dag.dag_id).with_for_update()).all()


def queued_dags(tx: Connection) -> list[str]:
    """Return the DAGs that have queued runs: one look into the index for each DAG, however many runs wait."""
    return list(tx.execute(_QUEUED_DAGS).scalars())


# In words, as IS_ACTIVE: SQLite uses a partial index only for a query that has its very condition, not as parameters.
IS_WAITING: Final = text("dag_run.state = 'queued' AND dag_run.run_type <> 'backfill'")
"""The condition of the index of queued runs, those of backfills apart."""


def _queued_dags() -> Select[str]:
    first = select(func.min(DagRun.dag_id).label("dag_id")).where(IS_WAITING).cte("queued", recursive=True)
    after = select(func.min(DagRun.dag_id)).where(IS_WAITING, DagRun.dag_id > first.c.dag_id).scalar_subquery()
    found = first.union_all(select(after).where(first.c.dag_id.is_not(None)))
    return select(found.c.dag_id).where(found.c.dag_id.is_not(None))


_QUEUED_DAGS: Final = _queued_dags()


def claim_startable(tx: Connection, dag_id: str, holder: UUID, limit: int) -> list[int]:
    """Claim the queued runs of a DAG that have a place under its ``max_active_runs``, the oldest first.

    The row of the DAG is locked until the transaction ends, so that no two schedulers count the same free place. A
    paused DAG starts no scheduled runs and none for assets; a run that somebody asked for runs all the same, but not
    before its time, and so does one that somebody wants to be done again. A DAG that holds after a failure does the
    same while its newest run that has ended is a failed one.

    The runs of backfills have a window of their own, and are none of those counted or claimed here.
    """
    dag = tx.execute(
        select(Dag.max_active_runs, Dag.is_paused, Dag.holds_after_failure)
        .where(Dag.dag_id == dag_id)
        .with_for_update()
    ).first()
    if dag is None:
        return []
    is_own = and_(DagRun.dag_id == dag_id, DagRun.run_type != RunType.BACKFILL)
    is_running = and_(is_own, run_keys.IS_ACTIVE, DagRun.state == RunState.RUNNING)
    running = tx.execute(select(func.count()).where(is_running)).scalar_one()
    places = min(limit, dag.max_active_runs - running)
    if places <= 0:
        return []
    only_asked_for = dag.is_paused or (dag.holds_after_failure and failed_last(tx, dag_id) is not None)
    startable = (
        select(DagRun.id)
        .where(is_startable(dag_id, only_asked_for=only_asked_for))
        .order_by(DagRun.run_after, DagRun.id)
        .with_for_update(skip_locked=True)
    )
    limits = run_keys.limits_of(tx, dag_id)
    if limits is None:
        pks = list(tx.execute(startable.limit(places)).scalars())
    else:
        pks = _with_free_keys(tx, startable, limits, places)
    if pks:
        tx.execute(update(DagRun).where(DagRun.id.in_(pks)).values(claimed_by=holder, fence=DagRun.fence + 1))
    return pks


def _with_free_keys(tx: Connection, startable: Select[int], limits: RunLimits, places: int) -> list[int]:
    """Return the first of some runs whose keys have places, as far as can be seen without the lock of admission.

    Those who have to wait must not stand in the way of those who need not: all are looked at, most of them in SQL.
    """
    used, found = run_keys.read_running(tx), list[int]()
    possible = startable.where(run_keys.is_possible(limits, used))
    for first in range(0, _LOOK_AT, _PAGE):
        page = get_runs(tx, list(tx.execute(possible.limit(_PAGE).offset(first)).scalars()))
        for run in sorted(page, key=lambda run: (run.run_after, run.pk)):
            if len(found) < places and run_keys.take_place(run, limits, used):
                found.append(run.pk)
        if len(page) < _PAGE or len(found) == places:
            break
    return found


def is_startable(dag_id: str, *, only_asked_for: bool) -> ColumnElement[bool]:
    """Return what makes a run of a DAG startable, its place under ``max_active_runs`` apart.

    Args:
        only_asked_for: the DAG is paused, or holds after a failure: what nobody asked for does not start.
    """
    startable = and_(DagRun.dag_id == dag_id, is_startable_itself())
    if not only_asked_for:
        return startable
    was_started = exists().where(TaskInstance.run_pk == DagRun.id)
    return and_(startable, or_(DagRun.run_type.not_in(AUTOMATIC), was_started))


def is_startable_itself() -> ColumnElement[bool]:
    """Return what makes a run startable, its DAG and its place there apart: it is queued, and nothing holds it back."""
    held_back = exists().where(Timer.key == literal(f"{START}:") + cast(DagRun.id, String))
    return and_(IS_WAITING, DagRun.held.is_(None), ~held_back)


def failed_last(tx: Connection, dag_id: str) -> str | None:
    """Return the run id of a DAG's newest run that has ended, when it is a failed one."""
    newest = select(DagRun.run_id, DagRun.state).where(DagRun.dag_id == dag_id, DagRun.ended_at.is_not(None))
    row = tx.execute(newest.order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(1)).first()
    return row.run_id if row is not None and row.state is RunState.FAILED else None


def release_claims(tx: Connection, holder: UUID) -> None:
    """Let go of all runs, so that another scheduler need not wait for the lease to end."""
    tx.execute(update(DagRun).where(DagRun.claimed_by == holder).values(claimed_by=None))


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What a DAG said at one time: its spec as JSON, and the file that said so."""

    id: int
    spec: str
    file_path: str
    source_digest: str


_VERSIONS = select(DagVersion.id, DagVersion.spec, DagVersion.file_path, DagVersion.source_digest).where(
    DagVersion.id.in_(bindparam("ids", expanding=True))
)


def versions_of(tx: Connection, version_ids: Collection[int]) -> list[StoredVersion]:
    """Return DAG versions; those that are not there are left out."""
    if not version_ids:
        return []
    return [StoredVersion(*row) for row in tx.execute(_VERSIONS, {"ids": list(version_ids)})]


def version_of(tx: Connection, version_id: int) -> StoredVersion:
    """Return a DAG version.

    Raises:
        NoResultFound: there is none.
    """
    return StoredVersion(*tx.execute(_VERSIONS, {"ids": [version_id]}).one())


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
