"""What does the metadata DB answer a task that asks about runs, or triggers one? The same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update

from executors.control_plane import SqlControlPlane
from scheduler.fire import handle
from scheduler.versions import VersionCache
from scheduler.why import explain
from tests.engine.world import T0, add_run, dag, is_over, run_state, running_scheduler, store, task
from tests.executors.test_control_plane import order
from tests.support.waiting import wait_until
from tradewind.errors import Conflict, NotFound, UsageError
from tradewind.metadata import runs, timers
from tradewind.metadata.database import Database
from tradewind.metadata.models import Dag, DagRun, TaskInstance
from tradewind.model.spec import GroupSpec, ParamSpec
from tradewind.model.states import RunState, TaskState
from tradewind.sdk.run_questions import (
    CountRuns,
    CountTasks,
    FindDag,
    FindPreviousRun,
    FindPreviousTask,
    FindRun,
    ListTasks,
    RunQuestion,
    TriggerRun,
)

DAYS = [T0 + timedelta(days=number) for number in range(4)]
"""Logical dates; ``r1`` is the run of ``DAYS[1]``."""


@pytest.fixture
def plane(database: Database, make_config) -> SqlControlPlane:
    groups = (GroupSpec("g"), GroupSpec("g.inner", "g"), GroupSpec("h"))
    tasks = [
        task("a"),
        task("g.b", "a", group_id="g"),
        task("g.inner.c", "a", group_id="g.inner"),
        task("h.d", group_id="h"),
        task("m"),
    ]
    version = store(database, dag("other", *tasks, groups=groups))
    for number, state in ((1, RunState.SUCCESS), (2, RunState.FAILED), (3, RunState.RUNNING)):
        pk = add_run(database, version, "other", number)
        put_state(database, pk, state)
        put_tasks(database, pk, {"a": "success", "g.b": "success", "g.inner.c": "failed" if number == 2 else "success"})
        put_tasks(database, pk, {"h.d": "none" if number == 3 else "skipped"})
        put_tasks(database, pk, {"m": "success"}, map_index=0)
        put_tasks(database, pk, {"m": "running" if number == 3 else "success"}, map_index=1)
    return SqlControlPlane(database, make_config())


def put_state(database: Database, pk: int, state: RunState) -> None:
    ended = datetime.now(UTC) if state in (RunState.SUCCESS, RunState.FAILED) else None
    with database.write() as tx:
        tx.execute(update(DagRun).where(DagRun.id == pk).values(state=state, started_at=T0, ended_at=ended))


def put_tasks(database: Database, pk: int, states: dict[str, str], map_index: int = -1) -> None:
    rows = [
        {
            "run_pk": pk, "task_id": task_id, "map_index": map_index, "dag_id": "other", "state": TaskState(state),
            "try_number": 1, "max_tries": 0, "failures": 0, "losses": 0, "started_at": T0,
            "ended_at": T0 + timedelta(seconds=9),
        }
        for task_id, state in states.items()
    ]  # fmt: skip
    with database.write() as tx:
        tx.execute(insert(TaskInstance), rows)


def ask(plane: SqlControlPlane, question: RunQuestion, **of_order: Any) -> Any:
    return plane.ask_about_runs(order(**of_order), question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (CountRuns("other"), 3),
        (CountRuns("other", logical_dates=(DAYS[1], DAYS[2], DAYS[0])), 2),
        (CountRuns("other", run_ids=("r1", "r3"), states=("success", "running")), 2),
        (CountRuns("other", logical_dates=(), states=("failed",)), 1),
        (CountRuns("nope"), 0),
        (CountTasks("other"), 18),
        (CountTasks("other", task_ids=("a", "g.b"), logical_dates=(DAYS[1],), states=("success",)), 2),
        (CountTasks("other", task_ids=("m",), map_index=1, states=("success",)), 2),
        (CountTasks("other", states=("null",)), 1),
        (CountTasks("other", states=("null", "failed")), 2),
        (CountTasks("other", group_id="g", run_ids=("r2",), states=("success", "failed")), 2),
        (CountTasks("other", group_id="g.inner"), 3),
        (CountTasks("nope", task_ids=("a",)), 0),
    ],
)
def test_runs_and_tasks_are_counted(plane, question, expected):
    assert ask(plane, question).count == expected


def listed(plane: SqlControlPlane, question: ListTasks) -> list[tuple[str, str, int, str | None]]:
    return [(t.run_id, t.task_id, t.map_index, t.state) for t in ask(plane, question).tasks]


def test_tasks_are_listed_with_their_states_and_no_state_is_none(plane):
    assert listed(plane, ListTasks("other", group_id="g", logical_dates=(DAYS[2],))) == [
        ("r2", "g.b", -1, "success"),
        ("r2", "g.inner.c", -1, "failed"),
    ]
    assert listed(plane, ListTasks("other", run_ids=("r3",), task_ids=("m", "h.d"))) == [
        ("r3", "h.d", -1, None),
        ("r3", "m", 0, "success"),
        ("r3", "m", 1, "running"),
    ]
    both = listed(plane, ListTasks("other", run_ids=("r1",), task_ids=("a",), group_id="h"))
    assert [row[1] for row in both] == ["a", "h.d"]
    ended = listed(plane, ListTasks("other", run_ids=("r3",), is_ended=True))
    assert [row[1:3] for row in ended] == [("a", -1), ("g.b", -1), ("g.inner.c", -1), ("m", 0)]
    assert ask(plane, ListTasks("other", task_ids=("a",), run_ids=("r1",))).tasks[0].duration == 9


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (ListTasks("other", group_id="gg"), "Task group 'gg' of DAG 'other'.*Did you mean 'g'"),
        (CountTasks("other", group_id="gg"), "Task group 'gg'"),
        (ListTasks("othr", group_id="g"), "Did you mean 'other'"),
    ],
)
def test_a_group_that_does_not_exist_is_an_error(plane, question, words):
    with pytest.raises(NotFound, match=words):
        ask(plane, question)


def test_a_run_is_found_by_its_names_and_the_one_before_by_its_date(plane):
    found = ask(plane, FindRun("other", "r2")).run
    assert (found.state, found.run_type, found.logical_date, found.start_date) == ("failed", "manual", DAYS[2], T0)
    assert ask(plane, FindRun("other", "r9")).run is None

    assert ask(plane, FindPreviousRun("other", DAYS[3])).run.run_id == "r2"
    assert ask(plane, FindPreviousRun("other", DAYS[3], "success")).run.run_id == "r1"
    assert ask(plane, FindPreviousRun("other", DAYS[1])).run is None


def test_the_task_before_is_found_by_its_date_index_and_state(plane):
    def before(*args: Any) -> list[str]:
        return [found.run_id for found in ask(plane, FindPreviousTask("other", *args)).tasks]

    assert before("a", DAYS[3]) == ["r2"]
    assert before("a") == ["r3"]
    assert before("m", DAYS[3], 1, "success") == ["r2"]
    assert before("g.inner.c", DAYS[3], -1, "success") == ["r1"]
    assert before("m", DAYS[3]) == []


def test_a_dag_is_described_by_its_newest_version(plane):
    found = ask(plane, FindDag("other")).dag

    assert (found.is_paused, found.is_active, found.file_path) == (False, True, "t.py")
    assert found.task_ids == ("a", "g.b", "g.inner.c", "h.d", "m")
    assert found.group_ids == ("g", "g.inner", "h")
    assert ask(plane, FindDag("nope")).dag is None


# --- triggering ---


def stored(database: Database, run_id: str) -> runs.RunRecord:
    with database.read() as tx:
        found = runs.find_run(tx, "other", run_id)
    assert found is not None
    return found


def test_a_triggered_run_says_who_wanted_it(plane, database):
    asked = TriggerRun("other", "mine", DAYS[0], conf={"a": 1}, note="why")

    answer = ask(plane, asked, triggering_user="ada").triggered

    run = stored(database, "mine")
    assert (answer.run_id, answer.is_new) == ("mine", True)
    assert (run.state, run.run_type, run.triggered_by, run.triggering_user) == (
        RunState.QUEUED,
        "operator_triggered",
        "operator",
        "ada",
    )
    assert (run.logical_date, run.conf, run.note) == (DAYS[0], {"a": 1}, "why")
    assert (
        run.data_interval_start == run.data_interval_end == run.run_after
    )  # as in Airflow: about the time of the trigger


def test_a_run_for_later_is_held_back_until_its_time(plane, database):
    later = datetime(2999, 1, 1, tzinfo=UTC)
    ask(plane, TriggerRun("other", "later", None, later))
    ask(plane, TriggerRun("other", "now", None))
    pk = stored(database, "later").pk

    def start(timers_too: bool) -> list[str]:
        with database.write() as tx:
            if timers_too:
                (timer,) = timers.due_timers(tx, uuid4(), later, 10)
                assert handle(tx, [timer], later, VersionCache()) == [pk]
            return [run.run_id for run in runs.get_runs(tx, runs.claim_startable(tx, "other", uuid4(), 10))]

    assert stored(database, "later").run_after == later
    (reason, *_) = explain(database, "other", "later")
    assert reason.text.startswith("it is due at 2999-01-01T00:00:00+00:00, as was asked; no scheduler is running")
    assert start(timers_too=False) == ["now"]
    assert start(timers_too=True) == ["later", "now"]  # claims do not matter here: neither was begun


def test_a_scheduler_begins_a_run_for_later_when_its_time_has_come(plane, database):
    with running_scheduler(database):
        later = database.now() + timedelta(seconds=0.5)
        ask(plane, TriggerRun("other", "later", None, later))
        wait_until(is_over(database, stored(database, "later").pk), timeout=30)

    run = stored(database, "later")
    assert run.started_at is not None
    assert run.started_at >= later


def test_a_paused_dag_can_be_triggered_as_in_airflow(plane, database):
    with database.write() as tx:
        tx.execute(update(Dag).values(is_paused=True))

    assert ask(plane, TriggerRun("other", "mine")).triggered.is_new


@pytest.mark.parametrize("twin", [TriggerRun("other", "r1"), TriggerRun("other", "another id", DAYS[1])])
def test_a_run_with_that_id_or_that_date_is_left_alone_and_named(plane, database, twin):
    before = stored(database, "r1")

    answer = ask(plane, twin).triggered

    assert (answer.run_id, answer.is_new) == ("r1", False)
    assert stored(database, "r1") == before


def test_a_run_that_has_ended_is_run_again_with_its_own_conf(plane, database):
    with database.write() as tx:
        tx.execute(update(DagRun).where(DagRun.run_id == "r1").values(conf={"kept": 1}))
    before = stored(database, "r1")

    answer = ask(plane, TriggerRun("other", "r1", conf={"dropped": 1}, replaces=True)).triggered

    again = stored(database, "r1")
    assert (answer.run_id, answer.is_new) == ("r1", True)
    assert again.pk != before.pk
    assert (again.state, again.conf, again.next_seq) == (RunState.QUEUED, {"kept": 1}, 2)
    assert (again.logical_date, again.run_type, again.run_after) == (DAYS[1], before.run_type, before.run_after)
    assert ask(plane, CountTasks("other", run_ids=("r1",))).count == 0
    with database.read() as tx:
        assert tx.execute(select(DagRun.run_id).where(DagRun.id == before.pk)).all() == []


def test_a_run_under_way_is_not_run_again(plane, database):
    with pytest.raises(Conflict, match="'r3' of DAG 'other' is running"):
        ask(plane, TriggerRun("other", "r3", replaces=True))

    assert run_state(database, stored(database, "r3").pk) == "running"


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (TriggerRun("othr", "x"), NotFound, "Did you mean 'other'"),
        (TriggerRun("other", "a/b"), UsageError, "cannot be used"),
        (TriggerRun("strict", "x", conf={"n": "text"}), UsageError, "Param 'n' of DAG 'strict'"),
        (TriggerRun("gone", "x"), Conflict, "no longer defined"),
    ],
)
def test_what_cannot_be_triggered_says_why(plane, database, asked, error, words):
    store(database, dag("strict", task("a"), params={"n": ParamSpec({"type": "integer"}, 1)}))
    store(database, dag("gone", task("a")))
    with database.write() as tx:
        tx.execute(update(Dag).where(Dag.dag_id == "gone").values(is_active=False))

    with pytest.raises(error, match=words):
        ask(plane, asked)
    assert ask(plane, CountRuns(asked.dag_id, run_ids=(asked.run_id,))).count == 0
