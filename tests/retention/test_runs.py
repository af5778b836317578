"""Which runs go, do they go as a whole, and does what is needed stay?"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update

from tests.engine.world import T0, add_run, is_over, running_scheduler
from tests.retention.old import NOW, clean, end_at, finished_runs, rows, runs_left, wish
from tests.support.waiting import wait_until
from tradewind.metadata import dags, inbox, runs
from tradewind.metadata.dag_schedule import last_tick
from tradewind.metadata.database import Database
from tradewind.metadata.models import AuditEntry, Backfill, BackfillSlot, Callback, DagRun, TaskInstance
from tradewind.metadata.retention_runs import leaving_runs, next_dag, put_out_of_sight
from tradewind.model.commands import MarkRun
from tradewind.model.orders import Outcome
from tradewind.model.states import RunState, RunType

OF_RUNS = ("dag_run", "run_event", "task_instance", "attempt")


def test_runs_that_ended_before_go_with_all_that_hangs_on_them(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 6)
    before = rows(database)

    clean(database, wish(tmp_path, days=400 - 4))

    after = rows(database)
    assert runs_left(database) == pks[3:]
    assert {name: after[name] * 2 for name in OF_RUNS} == {name: before[name] for name in OF_RUNS}


@pytest.mark.parametrize("max_rows", [1, 7])
def test_no_transaction_removes_more_than_it_may(database: Database, tmp_path: Path, max_rows: int) -> None:
    finished_runs(database, 4)
    before = rows(database)

    steps = clean(database, wish(tmp_path, days=1), max_rows)

    assert max(step.gone.total() for step in steps) == max_rows
    gone = sum((step.gone for step in steps), Counter[str]())
    assert {name: gone[name] * 4 for name in OF_RUNS} == {name: before[name] * 3 for name in OF_RUNS}


def test_the_newest_runs_stay_however_old(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 5)

    clean(database, wish(tmp_path, days=1, min_runs=3))

    assert runs_left(database) == pks[2:]


def test_a_dag_keeps_its_runs_as_long_as_it_says(database: Database, tmp_path: Path) -> None:
    short, usual, ever = (finished_runs(database, 4, name) for name in ("short", "usual", "ever"))
    own = {"short": NOW - timedelta(days=400 - 4), "ever": None}

    clean(database, wish(tmp_path, days=400 - 3, own_cutoffs=own))

    assert runs_left(database) == [*short[3:], *usual[2:], *ever]


@pytest.mark.parametrize(
    ("chosen", "left"),
    [({"dag_ids": ("a",)}, "bc"), ({"but": ("a",)}, "a"), ({"dag_ids": ("a", "b"), "but": ("b",)}, "bc")],
)
def test_only_the_runs_of_the_dags_that_are_meant_go(database, tmp_path, chosen, left) -> None:
    pks = {name: finished_runs(database, 2, name) for name in "abc"}

    clean(database, wish(tmp_path, days=1, **chosen))

    assert runs_left(database) == sorted([pk for name in "abc" for pk in pks[name][0 if name in left else 1 :]])


def test_the_schedule_goes_on_where_it_was(database: Database, tmp_path: Path) -> None:
    scheduled = finished_runs(database, 3, run_type=RunType.SCHEDULED)
    with database.read() as tx:
        stands = last_tick(tx, "etl")
        record = runs.get_runs(tx, scheduled[-1:])[0]
    for number in (10, 11, 12):  # runs that somebody asked for since
        pk = add_run(database, record.version_id, "etl", number)
        with running_scheduler(database):
            wait_until(is_over(database, pk))
        end_at(database, pk, T0 + timedelta(days=number))

    clean(database, wish(tmp_path, days=1))

    with database.read() as tx:
        assert last_tick(tx, "etl") == stands
        assert stands[1] is not None
    assert scheduled[-1] in runs_left(database)


def test_the_last_run_that_succeeded_stays(database: Database, tmp_path: Path) -> None:
    def only_second(order) -> Outcome:
        return Outcome.SUCCESS if order.run_id == "r2" else Outcome.FAILED

    pks = finished_runs(database, 4, behave=only_second)

    clean(database, wish(tmp_path, days=1))

    assert runs_left(database) == [pks[1], pks[3]]


def hold(database: Database, pk: int) -> None:
    with database.write() as tx:
        tx.execute(update(DagRun).where(DagRun.id == pk).values(held="ann: wait"))


def hold_task(database: Database, pk: int) -> None:
    with database.write() as tx:
        tx.execute(update(TaskInstance).where(TaskInstance.run_pk == pk, TaskInstance.task_id == "a").values(held="x"))


def ask(database: Database, pk: int) -> None:
    with database.write() as tx:
        inbox.send(tx, [inbox.command_message(pk, uuid4(), MarkRun(RunState.FAILED, "ann"))], NOW)


def call_back(database: Database, pk: int) -> None:
    values = {"kind": "run", "map_index": -1, "payload": {}, "state": "waiting", "starts": 0, "losses": 0}
    with database.write() as tx:
        tx.execute(insert(Callback).values(run_pk=pk, created_at=NOW, **values))


def go_on_behind(database: Database, pk: int) -> None:
    """The run that follows is under way, and its tasks may look at this one."""
    with database.write() as tx:
        tx.execute(update(DagRun).where(DagRun.id == pk + 1).values(state=RunState.QUEUED, ended_at=None))


def backfill(database: Database, pk: int) -> None:
    values = {
        "dag_ids": ["etl"], "from_date": T0, "to_date": NOW, "reprocess_behavior": "none", "makes_missing": True,
        "max_active_runs": 1, "run_backwards": False, "run_on_latest_version": True, "plan": {}, "is_paused": True,
        "created_at": T0, "updated_at": T0,
    }  # fmt: skip
    with database.write() as tx:
        key = tx.execute(insert(Backfill).values(**values).returning(Backfill.id)).scalar_one()
        slot = {"dag_id": "etl", "run_after": T0, "run_id": "r2", "run_pk": pk, "state": "done"}
        tx.execute(insert(BackfillSlot).values(backfill_id=key, ordinal=1, **slot))


@pytest.mark.parametrize("need", [hold, hold_task, ask, call_back, go_on_behind, backfill], ids=lambda f: f.__name__)
def test_what_somebody_needs_stays(database: Database, tmp_path: Path, need) -> None:
    pks = finished_runs(database, 5)
    need(database, pks[1])

    for _ in database, tmp_path:  # however often
        for step in clean_unchecked(database, wish(tmp_path, days=1)):
            assert step

    left = runs_left(database)
    assert pks[1] in left
    assert pks[0] not in left


def clean_unchecked(database, what):
    """As ``clean``; the past was tampered with, so that the log says something else."""
    from scheduler.retention.cleaning import Cleaner
    from scheduler.retention.pace import Pace

    return list(Cleaner(database, what, Pace(rests=0), NOW).steps())


def test_a_run_that_is_leaving_is_out_of_sight_and_takes_no_message(database: Database, tmp_path: Path) -> None:
    pks = finished_runs(database, 3)
    with database.write() as tx:
        assert put_out_of_sight(tx, "etl", NOW, needed=[pks[2]], limit=10, archive=None) == 2

    with database.write() as tx:
        assert [(run.dag_id, run.run_id) for run in leaving_runs(tx, 10)] == [("etl", "r1"), ("etl", "r2")]
        assert [run.run_id for run in runs.list_runs(tx, dag_id="etl")] == ["r3"]
        assert runs.find_run(tx, "etl", "r1") is None
        assert next_dag(tx, "") == "etl"
        inbox.send(tx, [inbox.command_message(pks[0], uuid4(), MarkRun(RunState.FAILED, "ann"))], NOW)
    assert rows(database)["run_inbox"] == 0

    clean(database, wish(tmp_path, days=1000))  # finishes what was begun, and begins nothing

    assert runs_left(database) == pks[2:]


def test_a_dag_can_be_deleted_while_runs_of_it_are_leaving(database: Database) -> None:
    finished_runs(database, 2)
    with database.write() as tx:
        put_out_of_sight(tx, "etl", NOW, needed=[], limit=1, archive=None)
        dags.delete_dag(tx, "etl")

    assert runs_left(database) == []


def test_the_audit_log_says_what_went(database: Database, tmp_path: Path) -> None:
    finished_runs(database, 3)

    clean(database, wish(tmp_path, days=1, actor="ann", via="cli", action="db.clean"))

    with database.read() as tx:
        (entry,) = tx.execute(select(AuditEntry.actor, AuditEntry.via, AuditEntry.dag_id, AuditEntry.detail)).all()
    assert (entry.actor, entry.via, entry.dag_id, entry.detail["runs"]) == ("ann", "cli", "etl", 2)
