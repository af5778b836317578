"""Are scheduled runs created when they are due: each once, none left out, by any number of schedulers?"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from tests.engine.world import dag, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import dags, runs
from tradewind.metadata.database import Database, ring
from tradewind.metadata.runs import RunRecord
from tradewind.model.spec import DagSpec
from tradewind.model.states import RunType
from tradewind.timetables import timetable_for

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def daily(dag_id: str, start: datetime, **fields: object) -> DagSpec:
    timetable = timetable_for("0 0 * * *", "UTC").to_spec()
    plain = dag(dag_id, task("a"), start_date=start.isoformat(), catchup=True, max_active_runs=3)
    return DagSpec(**{**{n: getattr(plain, n) for n in plain.__struct_fields__}, "timetable": timetable, **fields})


def schedule(database: Database, spec: DagSpec) -> None:
    store(database, spec)
    with database.write() as tx:
        dags.reschedule(tx, spec.dag_id, datetime.now(UTC))
        ring(tx, "dag")


def runs_of(database: Database, dag_id: str) -> list[RunRecord]:
    with database.read() as tx:
        return sorted(runs.list_runs(tx, dag_id=dag_id), key=lambda run: run.run_after)


def all_ended(database: Database, dag_id: str, count: int) -> bool:
    found = runs_of(database, dag_id)
    return len(found) == count and all(run.ended_at is not None for run in found)


def test_every_missed_day_is_caught_up_in_order(database: Database) -> None:
    start = TODAY - timedelta(days=6)
    schedule(database, daily("etl", start))

    with running_scheduler(database) as executor:
        wait_until(lambda: all_ended(database, "etl", 7), timeout=20)

    found = runs_of(database, "etl")
    assert [run.logical_date for run in found] == [start + timedelta(days=n) for n in range(7)]
    assert [run.run_type for run in found] == ["scheduled"] * 7
    assert executor.orders[0].logical_date == start
    with database.read() as tx:
        assert dags.get_dag(tx, "etl").next_run_after == TODAY + timedelta(days=1)


def test_without_catchup_only_the_newest_missed_run_is_made(database: Database) -> None:
    schedule(database, daily("etl", TODAY - timedelta(days=60), catchup=False))

    with running_scheduler(database):
        wait_until(lambda: all_ended(database, "etl", 1), timeout=20)

    assert runs_of(database, "etl")[0].logical_date == TODAY


def test_a_paused_dag_fires_when_it_is_unpaused(database: Database) -> None:
    spec = daily("etl", TODAY - timedelta(days=1))
    schedule(database, spec)
    with database.write() as tx:
        dags.set_paused(tx, "etl", True, datetime.now(UTC))

    with running_scheduler(database, poll_seconds=3600):
        with database.read() as tx:
            assert runs.list_runs(tx, dag_id="etl") == []
        with database.write() as tx:
            dags.set_paused(tx, "etl", False, datetime.now(UTC))
        wait_until(lambda: all_ended(database, "etl", 2), timeout=20)


def test_a_run_made_by_hand_for_that_date_does_not_stop_the_schedule(database: Database) -> None:
    start = TODAY - timedelta(days=2)
    schedule(database, daily("etl", start))
    with database.write() as tx:
        version = dags.get_dag(tx, "etl").version_id
        assert version is not None
        by_hand = runs.NewRun("etl", "mine", version, RunType.MANUAL, "test", start, logical_date=start)
        runs.insert_run(tx, by_hand, datetime.now(UTC))

    with running_scheduler(database):
        wait_until(lambda: all_ended(database, "etl", 3), timeout=20)

    assert [run.run_id for run in runs_of(database, "etl")].count("mine") == 1


def test_two_schedulers_create_each_run_once(postgres_url: str) -> None:
    database = Database(postgres_url, pool_size=10)
    specs = [daily(f"etl{n}", TODAY - timedelta(days=4)) for n in range(10)]

    with ExitStack() as both:
        for _ in range(2):
            both.enter_context(running_scheduler(database))
        for spec in specs:
            schedule(database, spec)
        wait_until(lambda: all(all_ended(database, spec.dag_id, 5) for spec in specs), timeout=40)

    for spec in specs:
        dates = [run.logical_date for run in runs_of(database, spec.dag_id)]
        assert dates == [TODAY - timedelta(days=4 - n) for n in range(5)]
    database.close()
