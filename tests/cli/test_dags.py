"""``tradewind dags``, ``tasks``, ``why``: DAG files that are read, runs that are asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import tradewind


@pytest.fixture
def known(migrated, etl, ok):
    """The DAG ``etl`` has been read."""
    ok("dags", "reserialize")


def test_reserialize_reads_the_dag_folder(call, ok, migrated, etl, home):
    assert json.loads(ok("dags", "list", "-o", "json")) == []
    assert "1 DAG known" in call("dags", "reserialize").stderr
    (row,) = json.loads(ok("dags", "list", "-o", "json"))
    assert row == {"dag_id": "etl", "fileloc": str(etl), "owners": "airflow", "is_paused": True}
    (home / "dags" / "broken.py").write_text("from airflow import DAG\nx = 1 / 0\n")
    result = call("dags", "reserialize")
    assert result.exit_code == 1
    assert "1 DAG file cannot be imported" in result.stderr


def test_import_errors_are_listed_with_file_and_line(call, ok, migrated, home):
    (home / "dags" / "broken.py").write_text("from airflow import DAG\n\nx = 1 / 0\n")
    call("dags", "reserialize")
    result = call("dags", "list-import-errors", "-o", "json")
    assert result.exit_code == 1
    (row,) = json.loads(result.stdout)
    assert (row["filepath"], row["line"]) == ("broken.py", 3)
    assert "ZeroDivisionError" in row["error"]
    assert "1 DAG file cannot be imported" in call("dags", "list").stderr
    (home / "dags" / "broken.py").unlink()
    ok("dags", "reserialize")
    ok("dags", "list-import-errors")


def test_columns_and_tags_choose_what_is_listed(call, ok, known):
    assert ok("dags", "list", "--columns", "dag_id,schedule", "-o", "plain").splitlines()[1].split() == [
        "etl", "0", "2", "*", "*", "*",
    ]  # fmt: skip
    assert len(json.loads(ok("dags", "list", "--tags", "flights", "-o", "json"))) == 1
    assert json.loads(ok("dags", "list", "--tags", "trains", "-o", "json")) == []
    wrong = call("dags", "list", "--columns", "owner")
    assert (wrong.exit_code, "Did you mean 'owners'?" in wrong.stderr) == (2, True)


def test_details_tell_all(ok, call, known):
    found = json.loads(ok("dags", "details", "etl", "-o", "json"))
    assert found["tasks"] == ["extract", "load"]
    assert found["timetable_summary"] == "0 2 * * *"
    assert found["params"] == {"n": 1}
    assert found["version"] == 1
    assert "Did you mean 'etl'?" in call("dags", "details", "etll").stderr


def test_details_tell_what_the_file_was_warned_of(ok, migrated, home):
    (home / "dags" / "old.py").write_text("from airflow import DAG\n\ndag = DAG('old', schedule_interval='@daily')\n")
    ok("dags", "reserialize")
    (warning,) = json.loads(ok("dags", "details", "old", "-o", "json"))["warnings"]
    assert warning.startswith("old.py:3: DeprecationWarning: DAG 'old': schedule_interval is the name of Airflow 2")
    assert "old.py:3: DeprecationWarning" in ok("dags", "details", "old", "-o", "plain")


def test_show_draws_dot_for_programs_and_a_tree_for_people(ok, call, known, tmp_path, monkeypatch):
    assert '"extract" -> "load";' in ok("dags", "show", "etl")
    monkeypatch.setattr("scheduler.commands.show.is_wide", lambda: True)
    assert ok("dags", "show", "etl").splitlines()[1:] == ["extract  (@task)", "└─ load  (@task)"]
    ok("dags", "show", "etl", "--save", str(tmp_path / "etl.dot"))
    assert "digraph" in (tmp_path / "etl.dot").read_text()
    assert call("dags", "show", "etl", "--save", "etl.gif").exit_code == 2


def test_next_execution(ok, call, known):
    first = datetime.fromisoformat(ok("dags", "next-execution", "etl").strip())
    assert first == datetime(2026, 1, 1, 2, tzinfo=UTC)
    dates = [datetime.fromisoformat(line) for line in ok("dags", "next-execution", "etl", "-n", "3").split()]
    assert dates == [first, first + timedelta(days=1), first + timedelta(days=2)]
    (row,) = json.loads(ok("dags", "next-execution", "etl", "--table", "-o", "json"))
    assert set(row) == {"logical_date", "data_interval.start", "data_interval.end", "run_after"}
    assert ok("dags", "next-execution", "etl", "--field", "run_after").strip() == first.isoformat()
    assert "is paused" in call("dags", "next-execution", "etl").stderr


def test_a_dag_without_schedule_has_no_next_run(ok, call, migrated_sqlite, etl):
    etl.write_text(etl.read_text().replace('schedule="0 2 * * *"', "schedule=None"))
    ok("dags", "reserialize")
    result = call("dags", "next-execution", "etl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "has no next run" in result.stderr


def test_pause_and_unpause(ok, call, known):
    (row,) = json.loads(ok("dags", "unpause", "etl", "-o", "json"))
    days = (datetime.now(UTC) - datetime(2026, 1, 1, tzinfo=UTC)).days  # it catches up since then
    assert (row["dag_id"], row["is_paused"]) == ("etl", False)
    assert abs(row["runs_to_create"] - days) <= 1
    assert "was unpaused already" in call("dags", "unpause", "etl").stderr
    assert call("dags", "pause", "et.", "--treat-dag-id-as-regex", input="n\n").exit_code == 1
    assert json.loads(ok("dags", "list", "-o", "json"))[0]["is_paused"] is False
    ok("dags", "pause", "et.", "--treat-dag-id-as-regex", "-y")
    assert json.loads(ok("dags", "list", "-o", "json"))[0]["is_paused"] is True
    assert call("dags", "pause", "nothing").exit_code == 1
    assert call("dags", "pause", "[", "--treat-dag-id-as-regex").exit_code == 2


def test_trigger_list_runs_and_state(ok, call, known):
    date = "2026-02-03T04:05:06+00:00"
    (made,) = json.loads(ok("dags", "trigger", "etl", "-r", "mine", "-l", date, "-c", '{"n": 5}', "-o", "json"))
    assert (made["dag_run_id"], made["state"], made["run_type"]) == ("mine", "queued", "manual")
    assert (made["logical_date"], made["conf"]) == (date, {"n": 5})
    (without,) = json.loads(ok("dags", "trigger", "etl", "-l", "none", "-o", "json"))
    assert without["logical_date"] is None
    runs = json.loads(ok("dags", "list-runs", "etl", "-o", "json"))
    assert {run["run_id"] for run in runs} == {"mine", without["dag_run_id"]}
    assert list(runs[0]) == ["dag_id", "run_id", "state", "run_after", "logical_date", "start_date", "end_date"]
    assert json.loads(ok("dags", "list-runs", "etl", "--state", "success", "-o", "json")) == []
    only = json.loads(ok("dags", "list-runs", "etl", "-s", "2026-02-03", "-e", "2026-02-04", "-o", "json"))
    assert [run["run_id"] for run in only] == ["mine"]
    assert "These are the newest 1" in call("dags", "list-runs", "etl", "--limit", "1").stderr
    for name in ("mine", date, "2026-02-03 04:05:06"):
        assert ok("dags", "state", "etl", name) == "queued\n"
    assert "Did you mean 'mine'?" in call("dags", "state", "etl", "mini").stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("etll",), 1, "Did you mean 'etl'?"),
        (("etl", "-r", "a/b"), 2, "without '/'"),
        (("etl", "-l", "someday"), 2, "is not a date or a time"),
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused(call, ok, known, words, code, message):
    result = call("dags", "trigger", *words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert json.loads(ok("dags", "list-runs", "etl", "-o", "json")) == []


def test_a_second_run_of_the_same_name_is_a_conflict(call, ok, known):
    ok("dags", "trigger", "etl", "-r", "mine")
    result = call("dags", "trigger", "etl", "-r", "mine")
    assert (result.exit_code, "already has a run 'mine'" in result.stderr) == (1, True)


def test_tasks_list_state_and_states(ok, call, known):
    assert ok("tasks", "list", "etl") == "extract\nload\n"
    rows = json.loads(ok("tasks", "list", "etl", "-o", "json"))
    assert rows[1]["upstream"] == ["extract"]
    ok("dags", "trigger", "etl", "-r", "mine")
    assert ok("tasks", "state", "etl", "load", "mine") == "none\n"
    assert "Did you mean 'load'?" in call("tasks", "state", "etl", "lod", "mine").stderr
    assert call("tasks", "state", "etl", "load", "other").exit_code == 1
    ok("tasks", "states-for-dag-run", "etl", "mine")


def test_why_says_what_a_run_waits_for(ok, call, known):
    assert "it is paused; unpause it" in ok("why", "etl")
    ok("dags", "trigger", "etl", "-r", "mine")
    assert "no scheduler is running" in ok("why", "etl", "mine")
    found = json.loads(ok("why", "etl", "mine", "load", "-o", "json"))
    assert [row["task_id"] for row in found] == [None, "load"]
    said = ok("tasks", "failed-deps", "etl", "load", "mine").splitlines()
    assert said[0] == "Task instance dependencies not met:"
    assert said[-1] == f"Dagrun Running: {found[1]['reason']}"
    assert call("why", "etl", "mine", "lod").exit_code == 1


def test_delete_asks_and_says_when_the_file_is_still_there(ok, call, known, etl):
    assert call("dags", "delete", "etl", input="n\n").exit_code == 1
    result = call("dags", "delete", "etl", "-y")
    assert "etl.py is still there" in result.stderr
    assert json.loads(ok("dags", "list", "-o", "json")) == []
    assert call("dags", "delete", "etl", "-y").exit_code == 1


def test_a_dag_with_a_run_under_way_is_not_deleted(ok, call, known):
    ok("dags", "trigger", "etl", "-r", "mine")
    result = call("dags", "delete", "etl", "-y")
    assert (result.exit_code, "queued or running" in result.stderr) == (1, True)


def test_what_is_done_is_in_the_audit_log(ok, known, migrated):
    from sqlalchemy import text

    from tradewind.metadata.database import Database

    ok("dags", "unpause", "etl")
    ok("dags", "trigger", "etl", "-r", "mine")
    database = Database(migrated)
    with database.read() as tx:
        rows = tx.execute(text("SELECT via, action, dag_id, run_id FROM audit ORDER BY id")).all()
    database.close()
    assert [tuple(row) for row in rows] == [
        ("cli", "dag.unpause", "etl", None),
        ("cli", "run.trigger", "etl", "mine"),
    ]


def test_a_chain_of_thousands_can_be_drawn_and_listed(ok, migrated_sqlite, home):
    (home / "dags" / "long.py").write_text(
        "from airflow.sdk import DAG\n"
        "from airflow.providers.standard.operators.empty import EmptyOperator\n"
        "with DAG('long'):\n    last = None\n    for n in range(2000):\n"
        "        one = EmptyOperator(task_id=f't{n:04}')\n"
        "        if last:\n            last >> one\n        last = one\n"
    )
    ok("dags", "reserialize")
    assert ok("tasks", "list", "long").split()[:2] == ["t0000", "t0001"]
    done = tradewind("dags", "show", "long", "--dot")
    assert done.stdout.count("->") == 1999
