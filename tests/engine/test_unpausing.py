"""Does unpausing say exactly which runs it will create, and create none of them when asked to?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from scheduler.fire import handle
from scheduler.unpausing import Missed, foresee, unpause
from scheduler.versions import VersionCache
from tests.engine.test_fire import TODAY, daily
from tests.engine.world import dag, store, task
from tradewind.metadata import runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Dag
from tradewind.metadata.timers import due_timers
from tradewind.model.spec import DagSpec, SchedulePolicy
from tradewind.timetables import timetable_for

DAY = timedelta(days=1)
NOW = TODAY + timedelta(hours=1)
YESTERDAY = (TODAY - DAY).date().isoformat()


def scheduled(schedule: object, start: datetime | None, **fields: object) -> DagSpec:
    timetable = timetable_for(schedule, "UTC").to_spec()
    start_date = None if start is None else start.isoformat()
    plain = dag("etl", task("a"), start_date=start_date)
    return DagSpec(**{**{n: getattr(plain, n) for n in plain.__struct_fields__}, "timetable": timetable, **fields})


SPECS = {
    "catchup": (daily("etl", TODAY - 5 * DAY), 6),
    "one day": (daily("etl", TODAY), 1),
    "a start in the future": (daily("etl", TODAY + 5 * DAY), 0),
    "no catchup": (daily("etl", TODAY - 60 * DAY, catchup=False), 1),
    "a duration": (scheduled(timedelta(hours=6), TODAY - DAY, catchup=True), 5),
    "a duration without catchup": (scheduled(timedelta(hours=6), TODAY - DAY), 1),
    "once": (scheduled("@once", TODAY - DAY), 1),
    "continuous": (scheduled("@continuous", TODAY - DAY, max_active_runs=1), 1),
    "no schedule": (scheduled(None, TODAY - DAY), 0),
    "days left out": (daily("etl", TODAY - 5 * DAY, policy=SchedulePolicy(excluded=(YESTERDAY,))), 5),
    "a window": (daily("etl", TODAY - 9 * DAY, policy=SchedulePolicy(catchup_window_seconds=2.5 * 86400)), 3),
    "a past end": (daily("etl", TODAY - 9 * DAY, end_date=(TODAY - 8 * DAY).isoformat()), 2),
}  # fmt: skip


def paused(database: Database, spec: DagSpec) -> None:
    store(database, spec)
    with database.write() as tx:
        tx.execute(update(Dag).values(is_paused=True))


def make_what_is_due(database: Database) -> list[datetime | None]:
    """Fire as a scheduler does, until nothing is due; return the logical dates of all runs."""
    for _ in range(50):
        with database.write() as tx:
            due = due_timers(tx, uuid4(), NOW, 10)
            handle(tx, due, NOW, VersionCache())
        if not due:
            break
    with database.read() as tx:
        return sorted((run.logical_date for run in runs.list_runs(tx, dag_id="etl")), key=str)


@pytest.mark.parametrize("case", [name for name in SPECS if name != "continuous"])
def test_what_it_says_is_what_is_made(database: Database, case: str) -> None:
    spec, count = SPECS[case]
    paused(database, spec)
    with database.write() as tx:
        foreseen = foresee(tx, "etl", NOW)
        done = unpause(tx, "etl", NOW)
    dates = make_what_is_due(database)

    assert (foreseen, foreseen.count, done.has_changed) == (done.missed, count, True)
    assert len(dates) == count
    if dates:
        assert (dates[0], dates[-1]) == (foreseen.first, foreseen.last)


@pytest.mark.parametrize("case", list(SPECS))
def test_asked_to_skip_it_makes_none(database: Database, case: str) -> None:
    spec, count = SPECS[case]
    paused(database, spec)
    with database.write() as tx:
        done = unpause(tx, "etl", NOW, skip_missed=True)

    assert done.missed.count == count
    if case != "continuous":
        assert make_what_is_due(database) == []


def test_after_a_skip_the_schedule_goes_on_with_the_next(database: Database) -> None:
    paused(database, daily("etl", TODAY - 5 * DAY))
    with database.write() as tx:
        done = unpause(tx, "etl", NOW, skip_missed=True)
    assert done.missed.following == TODAY + DAY
    with database.write() as tx:
        (timer,) = due_timers(tx, uuid4(), TODAY + DAY, 10)
        (run,) = runs.get_runs(tx, handle(tx, [timer], TODAY + DAY, VersionCache()))

    assert run.logical_date == TODAY + DAY


def test_a_dag_that_was_not_paused_is_left_alone(database: Database) -> None:
    store(database, daily("etl", TODAY - 5 * DAY))
    with database.write() as tx:
        done = unpause(tx, "etl", NOW)

    assert (done.has_changed, done.missed.count) == (False, 0)


def test_the_words() -> None:
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC)
    none = Missed("etl", 0, None, None, True, False, last)

    assert str(none) == "no run will be created now; the next is due at 2026-01-09T00:00:00+00:00"
    assert str(Missed("etl", 1, first, first, True, False, None)) == (
        "1 run will be created, for 2026-01-01T00:00:00+00:00"
    )
    assert str(Missed("etl", 9, first, last, True, False, None)) == (
        "9 runs will be created, from 2026-01-01T00:00:00+00:00 to 2026-01-09T00:00:00+00:00"
    )
    assert str(Missed("etl", 10_000, first, last, False, True, None)).startswith("at most more than 10,000 runs")
