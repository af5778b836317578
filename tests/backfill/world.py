"""DAGs with a schedule, and backfills of them, for engine tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import select

from scheduler.backfill.create import create_backfill, plan_backfill
from tests.engine.world import dag, store
from tradewind.config import Config, load_config
from tradewind.metadata import backfills
from tradewind.metadata.backfills import BackfillRecord, SlotRecord
from tradewind.metadata.database import Database
from tradewind.metadata.models import DagRun
from tradewind.metadata.runs import RunRecord, get_runs
from tradewind.model.backfills import BackfillPlan, Slot, WantedBackfill
from tradewind.model.spec import DagSpec, TaskSpec
from tradewind.timetables import CronDataIntervalTimetable, Timetable

CONFIG: Config = load_config({})


def day(number: int, month: int = 1) -> datetime:
    """A day of 2024."""
    return datetime(2024, month, number, tzinfo=UTC)


DAILY = CronDataIntervalTimetable("0 0 * * *")


def scheduled(dag_id: str, *tasks: TaskSpec, schedule: Timetable = DAILY, **fields: Any) -> DagSpec:
    """A DAG with a schedule."""
    return msgspec.structs.replace(dag(dag_id, *tasks, **fields), timetable=schedule.to_spec())


def store_scheduled(db: Database, dag_id: str, *tasks: TaskSpec, schedule: Timetable = DAILY, **fields: Any) -> int:
    """Store it, and return the id of its version."""
    return store(db, scheduled(dag_id, *tasks, schedule=schedule, **fields))


FIRST, LAST = day(1), day(5)


def wanted(*dag_ids: str, first: datetime = FIRST, last: datetime = LAST, **fields: Any) -> WantedBackfill:
    """What somebody asks for."""
    return WantedBackfill(dag_ids or ("etl",), first, last, **fields)


def create(db: Database, *dag_ids: str, **fields: Any) -> BackfillRecord:
    """Create a backfill."""
    return create_backfill(db, CONFIG, wanted(*dag_ids, **fields), user="ada")


def plan(db: Database, *dag_ids: str, **fields: Any) -> BackfillPlan:
    """Ask what it would do."""
    return plan_backfill(db, CONFIG, wanted(*dag_ids, **fields))


def shown(slots: Sequence[Slot]) -> list[tuple[str, str]]:
    """Days and what becomes of them."""
    return [(slot.date.strftime("%m-%d"), slot.action.value) for slot in slots]


def read(db: Database, backfill_id: int) -> BackfillRecord:
    """The backfill as it stands now."""
    with db.read() as tx:
        return backfills.get_backfill(tx, backfill_id)


def slots_of(db: Database, backfill_id: int) -> list[SlotRecord]:
    """Its dates as they stand now."""
    with db.read() as tx:
        return backfills.list_slots(tx, backfill_id, limit=1_000)


def runs_of(db: Database, dag_id: str) -> list[RunRecord]:
    """All runs of a DAG, in the order in which they were made."""
    with db.read() as tx:
        return get_runs(tx, list(tx.execute(select(DagRun.id).where(DagRun.dag_id == dag_id)).scalars()))


def is_complete(db: Database, backfill_id: int) -> Callable[[], bool]:
    """A predicate: nothing of it waits or runs any more."""
    return lambda: read(db, backfill_id).completed_at is not None
