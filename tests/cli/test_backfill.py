"""What do ``tradewind backfill`` and ``dags backfill`` print, refuse and change?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scheduler.commands.backfill_wait import Pace
from tests.backfill.world import is_complete
from tests.cli.conftest import Call
from tests.engine.world import running_scheduler
from tests.support.waiting import wait_until
from tradewind.metadata.backfills import BackfillCounts
from tradewind.metadata.database import Database
from tradewind.model.orders import AttemptOrder, Outcome

Ok = Callable[..., str]
SPAN = ("--from-date", "2026-01-01", "--to-date", "2026-01-03")


@pytest.fixture
def db(migrated: str, etl: Path, ok: Ok) -> Iterator[Database]:
    """A metadata DB that knows the DAG ``etl``, which runs at 02:00 each day."""
    ok("dags", "reserialize")
    database = Database(migrated)
    yield database
    database.close()


def test_a_dry_run_shows_each_date_and_changes_nothing(db: Database, ok: Ok, call: Call) -> None:
    result = call("backfill", "create", "--dag-id", "etl", *SPAN, "--dry-run")

    lines = result.stdout.splitlines()
    assert lines[0].split() == ["logical_date", "action", "run_id"]
    assert lines[2].split() == ["2026-01-01", "02:00:00Z", "create", "backfill__2026-01-01T02:00:00+00:00"]
    assert "Dry run, nothing is changed: 2 dates, 2 to create, 0 to do again, 0 skipped." in result.stderr
    assert json.loads(ok("backfill", "list", "-o", "json")) == []


def test_a_dry_run_tells_programs_all_it_knows(db: Database, ok: Ok) -> None:
    (first, _) = json.loads(ok("backfill", "create", "--dag-id", "etl", *SPAN, "--dry-run", "-o", "json"))

    assert first == {
        "dag_id": "etl",
        "logical_date": "2026-01-01T02:00:00+00:00",
        "partition_key": None,
        "partition_date": None,
        "action": "create",
        "run_id": "backfill__2026-01-01T02:00:00+00:00",
        "data_interval_start": "2026-01-01T02:00:00+00:00",
        "data_interval_end": "2026-01-01T02:00:00+00:00",
        "run_after": "2026-01-01T02:00:00+00:00",
        "reason": "",
    }


def test_a_backfill_is_created_shown_paused_and_cancelled(db: Database, ok: Ok, call: Call) -> None:
    made = call("backfill", "create", "--dag-id", "etl", *SPAN, "--max-active-runs", "3", "--dag-run-conf", '{"n": 2}')
    assert made.exit_code == 0, made.output
    assert "Backfill 1: 2 dates, 2 to create" in made.stderr
    assert "No scheduler is running" in made.stderr

    (row,) = json.loads(ok("backfill", "list", "--dag-id", "etl", "-o", "json"))
    assert (row["id"], row["state"], row["max_active_runs"], row["dag_run_conf"]) == (1, "running", 3, {"n": 2})
    assert (row["total"], row["waiting"], row["reprocess_behavior"]) == (2, 2, "none")

    shown = call("backfill", "show", "1")
    assert "Backfill 1 of etl is running: 2 dates, 2 waiting." in shown.stderr
    assert [line.split()[-1] for line in shown.stdout.splitlines()[2:]] == ["waiting", "waiting"]

    assert json.loads(ok("backfill", "pause", "1", "-o", "json"))[0]["state"] == "paused"
    assert json.loads(ok("backfill", "unpause", "1", "-o", "json"))[0]["state"] == "running"

    refused = call("backfill", "cancel", "1", input="n\n")
    assert "2 dates are not done, 0 queued runs fail, 0 running ones are left to go on" in refused.stderr
    assert refused.exit_code == 1
    assert json.loads(ok("backfill", "cancel", "1", "--yes", "-o", "json"))[0]["cancelled"] == 2
    again = call("backfill", "cancel", "1", "--yes")
    assert (again.exit_code, "--stop-running" in again.stderr) == (1, True)


def test_dates_are_paged(db: Database, call: Call) -> None:
    call("backfill", "create", "--dag-id", "etl", "--from-date", "2026-01-01", "--to-date", "2026-01-31")
    result = call("backfill", "show", "1", "--limit", "3", "--offset", "10")

    assert [line.split()[0] for line in result.stdout.splitlines()[2:]] == ["11", "12", "13"]
    assert "Dates 11 to 13 of 30; more with --limit and --offset." in result.stderr


ENDS = [
    (lambda _order: Outcome.SUCCESS, 0, "success", "2 of 2 went well"),
    (lambda order: Outcome.FAILED if order.logical_date.day == 2 else Outcome.SUCCESS, 1, "failed", "1 failed"),
]


@pytest.mark.parametrize(("behave", "code", "state", "said"), ENDS, ids=["success", "failed"])
def test_waiting_ends_with_the_backfill_and_exits_by_its_outcome(
    db: Database, call: Call, behave: Callable[[AttemptOrder], Outcome], code: int, state: str, said: str
) -> None:
    with running_scheduler(db, behave):
        result = call("backfill", "create", "--dag-id", "etl", *SPAN, "--wait", "--tasks", "extract")

    assert result.exit_code == code, result.output
    assert f"Backfill 1: {state} after" in result.stderr
    assert said in result.stderr
    assert "backfill 1: 2 of 2" in result.stderr
    assert call("backfill", "wait", "1").exit_code == code


def test_waiting_for_a_cancelled_one_says_so_by_its_exit_code(db: Database, call: Call) -> None:
    call("backfill", "create", "--dag-id", "etl", *SPAN)
    call("backfill", "cancel", "1", "--yes")
    with running_scheduler(db):
        wait_until(is_complete(db, 1), timeout=30)

    result = call("backfill", "wait", "1")
    assert (result.exit_code, "cancelled after" in result.stderr) == (3, True)


def test_what_airflow_2_called_a_backfill_is_translated(db: Database, call: Call) -> None:
    words = ("-s", "2026-01-01", "-e", "2026-01-03", "-t", "^ex", "-i", "--rerun-failed-tasks", "-B", "-y", "-x", "-n")
    result = call("dags", "backfill", "etl", *words)

    assert result.exit_code == 0, result.output
    assert "Without effect here: --donot-pickle, --yes." in result.stderr.replace("--yes, --donot-pickle",
                                                                                   "--donot-pickle, --yes")  # fmt: skip
    assert (
        "In today's words: tradewind backfill create --dag-id etl --from-date 2026-01-01T00:00:00+00:00 "
        "--to-date 2026-01-03T00:00:00+00:00 --reprocess-behavior failed --tasks extract --run-backwards --dry-run"
    ) in result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()[2:]] == ["2026-01-02", "2026-01-01"]
    assert "Of DAG etl only 1 task: extract." in result.stderr


def test_what_airflow_2_did_in_the_foreground_is_waited_for(db: Database, call: Call) -> None:
    with running_scheduler(db):
        result = call("dags", "backfill", "e.l", "--treat-dag-id-as-regex", "-s", "2026-01-01T02:00", "-t", "load")

    assert result.exit_code == 0, result.output
    assert "--tasks load --with-upstream --wait" in result.stderr
    assert "Backfill 1: success" in result.stderr


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("dags", "backfill", "etl"), "Give --start-date, --end-date, or both."),
    (("dags", "backfill", "etl", "-s", "2026-01-01", "--mark-success"), "tradewind dags mark-run"),
    (("dags", "backfill", "etl", "-s", "2026-01-01", "--pool", "p"), "use the pools of the DAG file"),
    (("dags", "backfill", "etl", "-s", "2026-01-01", "-t", "["), "is not a regular expression"),
    (("dags", "backfill", "etl", "-s", "2026-01-01", "-t", "zz"), "matches no task of etl"),
    (("backfill", "create", "--dag-id", "etl", *SPAN, "--dry-run", "--wait"), "nothing to --wait for"),
    (("backfill", "create", "--dag-id", "etl", *SPAN, "--max-active-runs", "0"), "0 is not in the range x>=1"),
    (("backfill", "create", "--dag-id", "etl", *SPAN, "--dag-run-conf", "{bad"), "is not JSON"),
    (
        ("backfill", "create", "--dag-id", "etl", *SPAN, "--only", "failed", "--reprocess-behavior", "none"),
        "contradict",
    ),
    (("backfill", "create", "--dag-id", "etl", *SPAN, "--order", "etl,x"), "not part of the backfill"),
    (("backfill", "create", "--dag-id", "etl", "--from-date", "bad", "--to-date", "2026-01-01"), "'bad' is not a date"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_misuse_is_told_with_the_mend(db: Database, call: Call, words: tuple[str, ...], message: str) -> None:
    result = call(*words)

    assert result.exit_code == 2, result.output
    assert message in result.stderr


def test_an_unknown_dag_and_an_unknown_backfill_are_told(db: Database, call: Call) -> None:
    dag = call("backfill", "create", "--dag-id", "elt", *SPAN)
    assert (dag.exit_code, "Did you mean 'etl'?" in dag.stderr) == (1, True)
    backfill = call("backfill", "show", "7")
    assert (backfill.exit_code, "Backfill '7' does not exist." in backfill.stderr) == (1, True)


def test_the_pace_is_told_from_the_first_look_on() -> None:
    def at(second: int, **counts: Any) -> str:
        return pace.say(BackfillCounts(**counts), datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC))

    pace = Pace()
    assert at(0, waiting=100, success=20) == ""
    assert at(10, waiting=80, success=40) == "2.0 runs/s, 40s left"
    pace = Pace()
    assert at(0, waiting=100) == ""
    assert at(50, waiting=90, success=5, failed=5) == "12.0 runs/min, 7m 30s left"
    assert at(55, success=100) == "1.8 runs/s"
