"""``tradewind db clean``, ``export-archived`` and ``drop-archived``: Airflow's habits, and answers to every mistake."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from scheduler.retention.archive import FORMATS
from scheduler.retention.tables import TABLES
from tests.retention.old import finished_runs, rows, runs_left
from tradewind.cli import db as declared
from tradewind.metadata.database import Database
from tradewind.metadata.models import AuditEntry
from tradewind.metadata.retention_lock import only_cleaner

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def past(migrated: str):
    """The metadata DB of the commands, with two DAGs of three runs each, and something in the audit log."""
    database = Database(migrated)
    for dag_id in ("etl", "ml"):
        finished_runs(database, 3, dag_id)
    with database.write() as tx:
        for days in (0, 100):
            values = {"actor": "ann", "via": "cli", "action": "dag.pause", "detail": {}}
            tx.execute(insert(AuditEntry).values(at=T0 + timedelta(days=days), **values))
    yield database
    database.close()


def test_the_words_are_the_same_everywhere() -> None:
    assert list(declared.TABLES) == list(TABLES)
    assert declared.FORMATS == FORMATS


def test_a_dry_run_says_how_much_would_go_and_changes_nothing(ok, past) -> None:
    before = rows(past)

    found = json.loads(ok("db", "clean", "--clean-before-timestamp", "2026-01-04", "--dry-run", "-o", "json"))

    told = {row["table"]: row["rows"] for row in found}
    assert (told["dag_run"], told["task_instance"], told["audit"], told["session"]) == (4, 8, 1, 0)
    assert all(row["is_exact"] for row in found)
    assert rows(past) == before


def test_nothing_goes_without_a_yes(call, past) -> None:
    before = rows(past)

    refused = call("db", "clean", "--clean-before-timestamp", "2026-01-04", input="n\n")

    assert refused.exit_code == 1
    assert "Nothing was changed" in refused.stderr
    assert rows(past) == before


def test_what_goes_is_kept_exported_and_dropped(call, ok, past, home: Path, tmp_path: Path) -> None:
    done = call("db", "clean", "--clean-before-timestamp", "2026-01-04", "-y", "-t", "dag_run,task_instance,log")
    assert done.exit_code == 0, done.output
    assert "log is called audit here" in done.stderr
    assert "task_instance is part of a run and goes with it, never alone: it goes along" in done.stderr
    assert len(runs_left(past)) == 2

    out = tmp_path / "out"
    assert "does not exist" in call("db", "export-archived", "--output-path", str(out)).stderr
    out.mkdir()
    ok("db", "export-archived", "--export-format", "csv", "--output-path", str(out), "-t", "dag_run,log")
    files = {path.name.partition("__")[0]: path for path in out.iterdir()}
    assert set(files) == {"dag_run", "audit"}
    with files["dag_run"].open(newline="") as file:
        assert sorted(row["run_id"] for row in csv.DictReader(file)) == ["r1", "r1", "r2", "r2"]

    assert call("db", "drop-archived", "-t", "log", input="n\n").exit_code == 1
    ok("db", "drop-archived", "-t", "log", "-y")
    ok("db", "export-archived", "--export-format", "jsonl", "--output-path", str(out), "--drop-archives", "-y")
    assert not list((home / "archive").iterdir())
    assert "nothing to delete" in call("db", "drop-archived").stderr


def test_only_some_dags_and_no_archive(call, past, home: Path) -> None:
    words = ("db", "clean", "--clean-before-timestamp", "2026-01-04", "-y", "--skip-archive", "--batch-size", "2")

    done = call(*words, "--exclude-dag-ids", "ml")

    assert done.exit_code == 0, done.output
    assert "process and session: they belong to no DAG" in done.stderr
    assert len(runs_left(past)) == 4
    assert not (home / "archive").exists()
    assert call(*words, "--dag-ids", "ml").exit_code == 0
    assert len(runs_left(past)) == 2
    assert "Nothing in" in call(*words, "--dag-ids", "ml").stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--clean-before-timestamp", "soon"], 2, "'soon' is not a date or a time"),
        (["--clean-before-timestamp", "2999-01-01"], 2, "lies in the future"),
        (["--clean-before-timestamp", "2026-01-04", "-t", "dag_runs"], 2, "Did you mean 'dag_run'?"),
        (["--clean-before-timestamp", "2026-01-04", "--dag-ids", "etl2"], 1, "DAG 'etl2' does not exist. Did you mean"),
        (["--clean-before-timestamp", "2026-01-04", "--batch-size", "0"], 2, "0 is not in the range"),
        ([], 2, "Missing option '--clean-before-timestamp'"),
    ],
)
def test_what_cannot_be_meant_is_answered(call, past, words, code, message) -> None:
    result = call("db", "clean", "-y", *words)

    assert result.exit_code == code
    assert message in result.stderr
    assert len(runs_left(past)) == 6


def test_names_of_airflow_that_mean_nothing_here_are_explained(call, past) -> None:
    result = call("db", "clean", "-y", "--clean-before-timestamp", "2026-01-04", "-t", "task_instance,celery_taskmeta")

    assert result.exit_code == 0
    assert "add dag_run to remove whole runs" in result.stderr
    assert "nothing is kept of Celery's own" in result.stderr
    assert "There is nothing to clean" in result.stderr


def test_two_do_not_clean_at_once(call, past) -> None:
    with only_cleaner(past):
        result = call("db", "clean", "-y", "--clean-before-timestamp", "2026-01-04")

    assert result.exit_code == 1
    assert "Another process is removing what is old just now" in result.stderr
    assert len(runs_left(past)) == 6
