"""Statements about the use of limits, for people: how many runs run and wait, and how many tasks are ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, select

from tradewind.metadata.models import Backfill, BackfillSlot, Dag, DagRun, TaskInstance
from tradewind.metadata.run_keys import IS_ACTIVE
from tradewind.model.backfills import SlotState
from tradewind.model.states import RunState, RunType, TaskState


@dataclass(frozen=True, slots=True)
class DagRuns:
    """How many runs of a DAG run and wait, those of backfills apart."""

    dag_id: str
    max_active_runs: int
    running: int
    queued: int


@dataclass(frozen=True, slots=True)
class KeyedRuns:
    """Runs of one DAG, in one state, that stand under the same keys; ``first`` is one of them."""

    dag_id: str
    state: RunState
    keys: Sequence[str]
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class ReadyTasks:
    """Instances of one task in one run that could start now; ``map_index`` is one of them."""

    run_pk: int
    task_id: str
    map_index: int
    ready_at: datetime | None
    count: int


@dataclass(frozen=True, slots=True)
class BackfillWindow:
    """An open backfill: the runs in its window, and the dates that wait for a place in it."""

    id: int
    dag_ids: Sequence[str]
    max_active_runs: int
    active: int
    waiting: int


def count_runs(tx: Connection, limit: int) -> list[DagRuns]:
    """Return the DAGs that have runs which have not ended."""
    is_running = case((DagRun.state == RunState.RUNNING, 1), else_=0)
    query = (
        select(Dag.dag_id, Dag.max_active_runs, func.sum(is_running), func.count())
        .join(Dag, Dag.dag_id == DagRun.dag_id)
        .where(IS_ACTIVE, DagRun.run_type != RunType.BACKFILL)
        .group_by(Dag.dag_id, Dag.max_active_runs)
        .order_by(Dag.dag_id)
        .limit(limit)
    )
    rows = tx.execute(query)
    return [DagRuns(dag_id, most, int(running), total - int(running)) for dag_id, most, running, total in rows]


def group_keyed_runs(tx: Connection, limit: int) -> list[KeyedRuns]:
    """Return the runs that have not ended and stand under keys."""
    query = (
        select(DagRun.dag_id, DagRun.state, DagRun.keys, func.count(), func.min(DagRun.id))
        .where(IS_ACTIVE, DagRun.keys.is_not(None))
        .group_by(DagRun.dag_id, DagRun.state, DagRun.keys)
        .order_by(DagRun.dag_id)
        .limit(limit)
    )
    rows = tx.execute(query)
    return [KeyedRuns(dag_id, state, keys or (), count, first) for dag_id, state, keys, count, first in rows]


def group_ready_tasks(tx: Connection, limit: int) -> list[ReadyTasks]:
    """Return the tasks that could start now, were it not for a limit; those that somebody holds are left out."""
    ti = TaskInstance
    query = (
        select(ti.run_pk, ti.task_id, func.min(ti.map_index), func.min(ti.scheduled_at, type_=ti.scheduled_at.type))
        .add_columns(func.count())
        .join(DagRun, DagRun.id == ti.run_pk)
        .where(ti.state == TaskState.SCHEDULED, ti.held.is_(None))
        .where(DagRun.state == RunState.RUNNING, DagRun.held.is_(None))
        .group_by(ti.run_pk, ti.task_id)
        .order_by(ti.run_pk, ti.task_id)
        .limit(limit)
    )
    return [ReadyTasks(*row) for row in tx.execute(query)]


def list_windows(tx: Connection) -> list[BackfillWindow]:
    """Return the open backfills."""
    active = (
        select(func.count()).where(IS_ACTIVE, DagRun.backfill_id == Backfill.id).correlate(Backfill).scalar_subquery()
    )
    is_waiting = and_(BackfillSlot.backfill_id == Backfill.id, BackfillSlot.state == SlotState.WAITING.value)
    waiting = select(func.count()).where(is_waiting).correlate(Backfill).scalar_subquery()
    query = (
        select(Backfill.id, Backfill.dag_ids, Backfill.max_active_runs, active, waiting)
        .where(Backfill.completed_at.is_(None))
        .order_by(Backfill.id)
    )
    return [BackfillWindow(*row) for row in tx.execute(query)]
