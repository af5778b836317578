"""What stands on the first page? Is everything well, what failed, what runs, what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, select

from tradewind.metadata.models import Attempt, Dag, DagFile, DagRun, Process, TaskInstance
from tradewind.model.states import RunState, TaskState


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures at the top of the page."""

    dags: int
    paused: int
    running: int
    queued: int
    failed: int  # runs that ended failed since yesterday
    succeeded: int
    import_errors: int


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """A process of Tradewind with its lease."""

    kind: str
    hostname: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    expires_at: datetime
    info: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FailedTask:
    """The task that a failed run failed at first."""

    task_id: str
    map_index: int
    error: str | None


@dataclass(frozen=True, slots=True)
class NextRun:
    """A DAG whose next run comes soon."""

    dag_id: str
    schedule_summary: str
    next_run_after: datetime


def counts(tx: Connection, now: datetime) -> Counts:
    """Return the figures; those of ended runs are of the last 24 hours."""
    paused = func.coalesce(func.sum(case((Dag.is_paused, 1), else_=0)), 0)
    dags = tx.execute(select(func.count(), paused).select_from(Dag).where(Dag.is_active)).one()
    active = select(DagRun.state, func.count()).where(DagRun.state.in_([RunState.QUEUED, RunState.RUNNING]))
    live = _pairs(tx.execute(active.group_by(DagRun.state)))
    since = now - timedelta(hours=24)
    # Bounded by the index on run_after; runs that waited for more than a week before they ended are not counted.
    ended = select(DagRun.state, func.count()).where(
        DagRun.run_after >= since - timedelta(days=7), DagRun.ended_at >= since
    )
    over = _pairs(tx.execute(ended.group_by(DagRun.state)))
    errors = tx.execute(select(func.count()).select_from(DagFile).where(DagFile.error.is_not(None))).scalar_one()
    return Counts(
        dags=dags[0],
        paused=int(dags[1]),
        running=live.get(RunState.RUNNING, 0),
        queued=live.get(RunState.QUEUED, 0),
        failed=over.get(RunState.FAILED, 0),
        succeeded=over.get(RunState.SUCCESS, 0),
        import_errors=errors,
    )


def list_processes(tx: Connection, now: datetime) -> list[ProcessLine]:
    """Return the processes that are up, or were within the last hour without saying goodbye, the newest first."""
    process = Process
    query = (
        select(
            process.kind, process.hostname, process.pid, process.started_at, process.heartbeat_at, process.expires_at,
            process.info,
        )
        .where(process.ended_at.is_(None), process.expires_at > now - timedelta(hours=1))
        .order_by(process.started_at.desc())
        .limit(100)
    )  # fmt: skip
    return [ProcessLine(*row) for row in tx.execute(query)]


def first_failures(tx: Connection, run_pks: Sequence[int]) -> dict[int, FailedTask]:
    """Return for each of these runs the task that failed first, with the error of its last attempt."""
    if not run_pks:
        return {}
    ti = TaskInstance
    query = (
        select(ti.run_pk, ti.task_id, ti.map_index, func.coalesce(Attempt.error, ti.reason))
        .join(Attempt, Attempt.id == ti.attempt_id, isouter=True)
        .where(ti.run_pk.in_(run_pks), ti.state == TaskState.FAILED)
        .order_by(ti.ended_at.desc())
        .limit(1000)
    )
    return {row[0]: FailedTask(*row[1:]) for row in tx.execute(query)}  # the earliest comes last and stays


def next_runs(tx: Connection, limit: int) -> list[NextRun]:
    """Return the DAGs that are due next."""
    query: Select[*tuple[Any, ...]] = (
        select(Dag.dag_id, Dag.schedule_summary, Dag.next_run_after)
        .where(Dag.is_active, ~Dag.is_paused, Dag.next_run_after.is_not(None))
        .order_by(Dag.next_run_after)
        .limit(limit)
    )
    return [NextRun(*row) for row in tx.execute(query)]


def _pairs(rows: Iterable[Row[RunState, int]]) -> dict[RunState, int]:
    return {row[0]: row[1] for row in rows}
