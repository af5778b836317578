"""Do ``tradewind tasks`` and ``dags`` clear, mark, hold, release, cancel and replay what they say they do?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from scheduler.verify import verify
from tests.engine.world import is_over, running_scheduler
from tests.operating.acts import fails
from tests.support.waiting import wait_until
from tradewind.metadata import runs
from tradewind.metadata.database import Database

Ok = Callable[..., str]


@pytest.fixture
def db(migrated: str) -> Iterator[Database]:
    """The metadata DB of the commands."""
    database = Database(migrated)
    yield database
    assert verify(database) == []
    database.close()


@pytest.fixture
def failed(db: Database, ok: Ok, etl: object) -> Database:
    """Runs r1 and r2 of the DAG ``etl``, in which ``load`` has failed, and r3, which has not begun."""
    ok("dags", "reserialize")
    for number in (1, 2):
        ok("dags", "trigger", "etl", "-r", f"r{number}", "-l", f"2026-01-0{number}")
    with db.read() as tx:
        pks = [run.pk for run in runs.list_runs(tx, dag_id="etl")]
    with running_scheduler(db, fails("load")):
        wait_until(is_over(db, *pks), timeout=30)
    ok("dags", "trigger", "etl", "-r", "r3", "-l", "2026-01-03")
    return db


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there to be asked."""
    monkeypatch.setattr("tradewind.terminal.options.is_asked", lambda: True)


def states(ok: Ok, run_id: str) -> dict[str, str]:
    rows = json.loads(ok("tasks", "states-for-dag-run", "etl", run_id, "-o", "json"))
    return {row["task_id"]: row["state"] for row in rows}


def listed(text: str) -> list[tuple[str, str | None, str, str]]:
    return [(row["run_id"], row["task_id"], row["state"], row["becomes"]) for row in json.loads(text)]


def test_a_dry_run_lists_exactly_what_a_clear_then_does(ok, call, failed):
    words = ("tasks", "clear", "etl", "--only-failed")
    expected = [("r1", "load", "failed", "cleared"), ("r2", "load", "failed", "cleared")]

    assert listed(ok(*words, "--dry-run", "-o", "json")) == expected
    assert states(ok, "r1")["load"] == "failed"
    result = call(*words, "--dry-run")
    assert "This would clear 2 task instances in 2 runs. 2 runs that had ended would be queued again." in result.stderr
    assert listed(ok(*words, "-y", "-o", "json")) == expected
    assert states(ok, "r1") == states(ok, "r2") == {"extract": "success", "load": "none"}
    assert ok("dags", "state", "etl", "r1").strip() == "queued"


def test_who_is_not_asked_must_say_yes(ok, call, failed):
    result = call("tasks", "clear", "etl")
    assert result.exit_code == 2
    assert "There is nobody to ask whether that is meant: say so with -y." in result.stderr
    assert states(ok, "r1")["load"] == "failed"


@pytest.mark.parametrize(("answer", "code", "state"), [("y\n", 0, "none"), ("n\n", 1, "failed"), ("", 1, "failed")])
def test_the_affected_are_listed_and_somebody_is_asked(ok, call, failed, at_terminal, answer, code, state):
    result = call("tasks", "clear", "etl", "-f", "--run-id", "r1", input=answer)
    assert result.exit_code == code
    assert "load" in result.stdout
    assert "This would clear 1 task instance in 1 run." in result.stderr
    assert states(ok, "r1")["load"] == state


@pytest.mark.parametrize(
    ("words", "cleared"),
    [
        (("-t", "^ext"), {"r1": ["extract"], "r2": ["extract"]}),
        (("-t", "extract", "-d", "--run-id", "2026-01-01"), {"r1": ["extract", "load"]}),
        (("-t", "load", "-u", "-s", "2026-01-02"), {"r2": ["extract", "load"]}),
        (("-e", "2026-01-01", "--task", "lo*"), {"r1": ["load"]}),
        (("--run-id", "r2", "--past", "-f"), {"r1": ["load"], "r2": ["load"]}),
        (("--run-id", "r2", "--future", "-f"), {"r2": ["load"]}),
        (("--map-index", "3"), {}),
        (("-f", "-t", "extract"), {}),
        (("-r",), {}),
    ],
)
def test_runs_and_tasks_are_chosen_as_options_say(ok, failed, words, cleared):
    found: dict[str, list[str]] = {}
    for run_id, task_id, _state, _becomes in listed(ok("tasks", "clear", "etl", *words, "--dry-run", "-o", "json")):
        found.setdefault(run_id, []).append(str(task_id))
    assert found == cleared


def test_dags_are_chosen_by_a_regex(ok, call, failed):
    assert len(listed(ok("tasks", "clear", "-R", "^e.l$", "-f", "--dry-run", "-o", "json"))) == 2
    assert "A DAG that matches '^tl' does not exist" in call("tasks", "clear", "-R", "^tl", "-y").stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("tasks", "clear", "etl", "--task", "laod"), 1, "'laod' of DAG 'etl' does not exist. Did you mean 'load'?"),
        (("tasks", "clear", "etl", "-t", "("), 2, "'(' is no regular expression"),
        (("tasks", "clear", "elt"), 1, "Did you mean 'etl'?"),
        (("tasks", "clear", "etl", "--run-id", "r9"), 1, "Run 'r9' of DAG 'etl' does not exist"),
        (("tasks", "clear", "etl", "--past"), 2, "Earlier and later runs are those before and after one that is named"),
        (("tasks", "clear", "etl", "--only-new", "-t", "x"), 2, "--only-new is about tasks that the runs have not got"),
        (("dags", "clear", "etl"), 2, "Say in one way which runs are meant"),
        (("dags", "clear", "etl", "--run-id", "r1", "--partition-key", "k"), 2, "--partition-key were given"),
        (("dags", "hold", "etl"), 2, "Name runs, or say --all"),
        (("dags", "cancel", "etl", "r1", "--all"), 2, "both were given"),
        (("tasks", "mark", "etl", "r1", "load", "running"), 2, "'running' is not one of"),
        (("dags", "replay", "etl", "r3"), 1, "is queued, and only a run that has ended can be replayed"),
        (("dags", "replay", "etl", "r1", "--from", "laod"), 1, "Did you mean 'load'?"),
        (("dags", "trigger", "etl", "--with-upstream"), 2, "Above or below which tasks?"),
        (("dags", "trigger", "etl", "--tasks", "lod*"), 2, "DAG 'etl' has no task or group that 'lod*' means"),
    ],
)  # fmt: skip
def test_misuse_is_answered_with_the_mend(ok, call, failed, words, code, said):
    result = call(*words)
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr


def test_nothing_to_do_is_no_failure(ok, call, failed):
    result = call("tasks", "clear", "etl", "-r", "-y")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing to clear: no run fits." in result.stderr
    assert (
        "no task that was asked for is in such a state" in call("tasks", "clear", "etl", "-f", "-t", "ext", "-y").stderr
    )


def test_a_marked_task_lets_its_run_end_well(ok, call, failed):
    result = call("tasks", "mark", "etl", "r1", "load", "success", "-y", "--note", "checked by hand")
    assert "Marked 1 task instance in 1 run as success." in result.stderr
    assert states(ok, "r1") == {"extract": "success", "load": "success"}
    assert "what was asked for is so already" in call("tasks", "mark", "etl", "r1", "load", "success", "-y").stderr


def test_marked_runs_end_as_they_are_marked(ok, failed):
    ok("dags", "mark", "etl", "r3", "--past", "success", "-y")
    assert {ok("dags", "state", "etl", run).strip() for run in ("r1", "r2", "r3")} == {"success"}


def test_runs_are_held_and_released(ok, call, failed):
    ok("dags", "hold", "etl", "--all", "--why", "the disk is full")
    assert "the disk is full" in ok("why", "etl", "r3")
    with running_scheduler(failed) as executor:
        result = call("dags", "release", "etl", "r3")
        assert "Released 1 run." in result.stderr
        wait_until(lambda: ok("dags", "state", "etl", "r3").strip() == "success", timeout=30)
    assert [order.task_id for order in executor.orders] == ["extract", "load"]


def test_what_is_cancelled_says_so(ok, call, failed):
    assert "Cancelled 1 run." in call("dags", "cancel", "etl", "--all", "-y").stderr
    result = call("dags", "state", "etl", "r3")
    assert (result.stdout.strip(), "cancelled by" in result.stderr) == ("failed", True)
    assert "what was asked for has ended" in call("tasks", "cancel", "etl", "r1", "load", "-y").stderr


def test_tasks_are_held_released_and_cancelled(ok, call, failed):
    ok("tasks", "clear", "etl", "--run-id", "r1", "-y")
    assert listed(ok("tasks", "hold", "etl", "r1", "load", "--why", "look first", "-o", "json")) == [
        ("r1", "load", "none", "held")
    ]
    assert listed(ok("tasks", "release", "etl", "r1", "*", "-o", "json")) == [("r1", "load", "none", "released")]
    ok("tasks", "cancel", "etl", "r1", "load", "-y")
    assert states(ok, "r1") == {"extract": "none", "load": "failed"}


def test_a_run_is_replayed_from_a_task(ok, call, failed):
    plan = json.loads(ok("dags", "replay", "etl", "r1", "--from", "load", "--dry-run", "-o", "json"))
    assert (plan["run_id"], plan["again"], plan["taken_over"]) == ("r1__replay1", ["load"], 1)
    ok("dags", "replay", "etl", "r1", "--from", "load")
    with running_scheduler(failed) as executor:
        wait_until(lambda: ok("dags", "state", "etl", "r1__replay1").strip() == "success", timeout=30)
    assert [order.task_id for order in executor.orders if order.run_id == "r1__replay1"] == ["load"]


def test_a_run_of_some_tasks_only(ok, call, failed):
    result = call("dags", "trigger", "etl", "-r", "part", "--tasks", "ext*", "-l", "none")
    assert "It consists of 1 task: extract." in result.stderr
    assert "2 tasks: extract, load." in call("dags", "trigger", "etl", "--tasks", "load", "--with-upstream").stderr
    with running_scheduler(failed):
        wait_until(lambda: ok("dags", "state", "etl", "part").strip() == "success", timeout=30)
    assert states(ok, "part") == {"extract": "success"}


def test_without_a_scheduler_people_are_told_who_goes_on(call, failed):
    assert "No scheduler is running" in call("tasks", "clear", "etl", "-f", "-y").stderr
