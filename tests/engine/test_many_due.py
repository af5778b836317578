"""Are many DAGs that are due at once dealt with together, and none of them otherwise than it would be alone?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import select, update

from scheduler.fire import handle
from scheduler.loop import FIRE_AT_ONCE
from scheduler.versions import VersionCache
from tests.engine.test_fire import TODAY, all_ended, daily, runs_of, schedule
from tests.engine.world import add_run, dag, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import dags, runs, timers
from tradewind.metadata.claims import claim_queued
from tradewind.metadata.database import Database
from tradewind.metadata.models import Dag, DagRun, DagVersion, RunEvent, Timer
from tradewind.metadata.new_runs import NewRun, insert_runs
from tradewind.metadata.timers import FIRE, START, TimerRow, due_timers, set_timers, start_key
from tradewind.model.states import RunState, RunType

NOW = TODAY + timedelta(hours=1)
YESTERDAY = TODAY - timedelta(days=1)


def test_more_schedules_than_one_turn_takes_go_on_without_a_wait_between(database: Database) -> None:
    names = [f"etl{n:02}" for n in range(2 * FIRE_AT_ONCE + 3)]
    for name in names:
        schedule(database, daily(name, TODAY))

    with running_scheduler(database, poll_seconds=3600):
        wait_until(lambda: all(all_ended(database, name, 1) for name in names), timeout=60)


def test_schedules_that_are_due_do_not_hold_up_what_runs_wait_for(database: Database) -> None:
    holder = uuid4()
    pk = add_run(database, store(database, dag("etl", task("a"))), "etl")
    with database.write() as tx:
        tx.execute(update(DagRun).values(claimed_by=holder))
        due = [TimerRow(f"fire:d{n}", FIRE, YESTERDAY, dag_id=f"d{n}") for n in range(20)]
        set_timers(tx, [*due, TimerRow("retry:1", "retry", TODAY, pk, None, "a")])

        found = due_timers(tx, holder, NOW, 5, schedules=3)

    assert [timer.kind for timer in found] == ["retry", FIRE, FIRE, FIRE]


def test_of_many_schedules_each_is_dealt_with_for_itself(database: Database) -> None:
    """One is paused, one is gone on, one has a run for that date, and one is in order."""
    for name in ("early", "made", "paused", "plain"):
        schedule(database, daily(name, YESTERDAY))
    with database.write() as tx:
        version = dags.get_dag(tx, "made").version_id
        assert version is not None
        insert_runs(tx, [NewRun("made", "mine", version, RunType.MANUAL, "test", TODAY, logical_date=YESTERDAY)], NOW)
        tx.execute(update(Dag).where(Dag.dag_id == "paused").values(is_paused=True))
        tx.execute(update(Dag).where(Dag.dag_id == "early").values(next_run_after=NOW + timedelta(days=1)))
        due = due_timers(tx, uuid4(), NOW, 10)
        assert len(due) == 4

        made = runs.get_runs(tx, handle(tx, due, NOW, VersionCache()))
        left = {row.dag_id: row.due_at for row in tx.execute(select(Timer.dag_id, Timer.due_at))}

    assert [(run.dag_id, run.logical_date) for run in made] == [("plain", YESTERDAY)]
    assert left == {"early": NOW + timedelta(days=1), "made": TODAY, "plain": TODAY}
    assert [run.run_id for run in runs_of(database, "made")] == ["mine"]


def test_runs_that_are_there_already_are_left_out_of_many(database: Database) -> None:
    version = store(database, dag("etl", task("a")))
    new = [NewRun("etl", f"r{n}", version, RunType.MANUAL, "test", TODAY + timedelta(days=n)) for n in range(5)]
    with database.write() as tx:
        insert_runs(tx, new[1:3], NOW)

        made = insert_runs(tx, new, NOW)

        stored = {row.run_id: row.id for row in tx.execute(select(DagRun.run_id, DagRun.id))}
        logged = list(tx.execute(select(RunEvent.run_pk, RunEvent.seq).order_by(RunEvent.run_pk)))
    assert made == {("etl", name): stored[name] for name in ("r0", "r3", "r4")}
    assert logged == [(pk, 1) for pk in sorted(stored.values())]


def test_what_a_version_says_of_its_runs_holds_for_many_that_are_made_at_once(database: Database) -> None:
    plain, strict = store(database, dag("plain", task("a"))), store(database, dag("strict", task("a")))
    alert = {"reference": "queued_at", "interval_seconds": 60.0}
    limits = {"keys": [{"template": "tenant-{{ dag_id }}", "limit": 2}], "defaults": {}}
    new = [NewRun(name, "r", pk, RunType.MANUAL, "test", TODAY) for name, pk in (("plain", plain), ("strict", strict))]
    with database.write() as tx:
        said = update(DagVersion).where(DagVersion.id == strict)
        tx.execute(said.values(deadlines=[alert], concurrency=limits))

        made = insert_runs(tx, new, NOW)

        keys = {row.dag_id: row.keys for row in tx.execute(select(DagRun.dag_id, DagRun.keys))}
        deadlines = tx.execute(select(Timer.key, Timer.due_at)).all()
    assert keys == {"plain": None, "strict": ["tenant-strict"]}
    assert deadlines == [(f"deadline:{made['strict', 'r']}:0", NOW + timedelta(seconds=60))]


def test_runs_of_many_dags_are_claimed_as_those_of_one_are(database: Database) -> None:
    """Of each DAG with its wishes: what may start is claimed, once, and no more than has a place."""
    names = ("backlog", "careful", "full", "held", "later", "paused", "single")
    places = {"backlog": 2, "full": 1}
    versions = {
        name: store(
            database,
            dag(name, task("a"), max_active_runs=places.get(name, 9), holds_after_failure=name == "careful"),
        )
        for name in names
    }
    pks = {name: add_run(database, version, name) for name, version in versions.items()}
    more = [add_run(database, versions["backlog"], "backlog", number) for number in (2, 3)]
    second = add_run(database, versions["full"], "full", 2)
    asked = add_run(database, versions["paused"], "paused", 2)
    with database.write() as tx:
        tx.execute(update(DagRun).where(DagRun.id == pks["full"]).values(state=RunState.RUNNING))
        tx.execute(update(DagRun).where(DagRun.id == pks["held"]).values(held="me: wait"))
        tx.execute(update(DagRun).where(DagRun.id == pks["paused"]).values(run_type=RunType.SCHEDULED))
        tx.execute(update(Dag).where(Dag.dag_id == "paused").values(is_paused=True))
        set_timers(tx, [TimerRow(start_key(pks["later"]), START, NOW, dag_id="later")])
    holder = uuid4()

    with database.write() as tx:
        claimed = claim_queued(tx, holder, 10)
    with database.write() as tx:
        taken = {run.pk: run.fence for run in runs.get_runs(tx, claimed) if run.claimed_by == holder}

    assert sorted(claimed) == sorted([pks["backlog"], more[0], pks["careful"], asked, pks["single"]])
    assert taken == dict.fromkeys(claimed, 1)
    assert second not in claimed


def test_one_run_of_a_dag_does_not_start_beside_others_that_use_up_its_places(database: Database) -> None:
    version = store(database, dag("etl", task("a"), max_active_runs=1))
    first, second = add_run(database, version, "etl"), add_run(database, version, "etl", 2)
    with database.write() as tx:
        tx.execute(update(DagRun).where(DagRun.id == first).values(state=RunState.RUNNING))
        assert claim_queued(tx, uuid4(), 10) == []
        ended = {"state": RunState.SUCCESS, "ended_at": datetime.now(UTC)}
        tx.execute(update(DagRun).where(DagRun.id == first).values(ended))
        assert claim_queued(tx, uuid4(), 10) == [second]


def test_the_next_timer_is_found_when_all_that_is_due_was_taken(database: Database) -> None:
    schedule(database, daily("etl", TODAY))
    with database.write() as tx:
        handle(tx, due_timers(tx, uuid4(), NOW, 10), NOW, VersionCache())
        assert due_timers(tx, uuid4(), NOW, 10) == []
        assert timers.next_due(tx, uuid4(), NOW) == TODAY + timedelta(days=1)
