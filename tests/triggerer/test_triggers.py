"""Does a trigger run, fire and end as its task expects, whatever users write? With a real trigger process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update

from scheduler.triggerer.host import Triggerer
from tests.support.waiting import wait_until
from tests.triggerer.bench import MODULE, Bench, notes, process_of
from tradewind.metadata.connections import ConnectionRow
from tradewind.metadata.database import Database
from tradewind.metadata.models import DagVersion

Start = Callable[..., Triggerer]


def test_events_reach_the_run(bench: Bench, start: Start) -> None:
    values = [None, "text", {"a": (1, 2)}, datetime(2026, 1, 1, tzinfo=UTC), {"status": "success", "n": [1.5]}]
    made = bench.defer_many([("watchers.Echo", {"value": value}) for value in values])
    start()

    assert [bench.payload(wait) for wait in made] == values


def test_every_end_without_an_event_is_a_failure_that_says_why(bench: Bench, start: Start) -> None:
    cases = {
        "watchers.Fails": "ValueError: no such bucket",
        "watchers.Exits": "SystemExit: 3",
        "watchers.Nothing": "ended without an event",
        "watchers.NoGenerator": "must be an async generator",
        "watchers.NoEvent": "this one yielded 5",
        "watchers.Stubborn": "RuntimeError: cannot be made",
        "watchers.Missing": "has no 'Missing'",
        "nowhere.at.all": "cannot be found where triggers run",
    }
    made = bench.defer_many([(path, {}) for path in cases])
    start()

    for wait, words in zip(made, cases.values(), strict=True):
        assert words in bench.failure(wait)
    assert "watchers.py" in bench.failure(made[0])


def test_what_a_trigger_says_stands_in_the_log_of_its_task(bench: Bench, start: Start) -> None:
    first, second = bench.defer_many([("watchers.Says", {}), ("watchers.Fails", {})])
    start()
    bench.wait_said(first, second)

    assert "INFO watchers.Says - a line of the log" in bench.log(0)
    assert "INFO trigger.stdout - a line of print" in bench.log(0)
    assert "no such bucket" in bench.log(1)
    assert "no such bucket" not in bench.log(0)


def test_triggers_ask_as_tasks_do_and_secrets_are_masked(
    bench: Bench, database: Database, config, start: Start
) -> None:
    from tradewind.metadata import connections, variables
    from tradewind.metadata.crypto import encrypt, make_fernet

    key = make_fernet(config.core.fernet_key)
    with database.write() as tx:
        variables.set_variable(tx, "colour", encrypt(key, "green"), None)
        row = ConnectionRow("db", "postgres", None, "h", None, "u", 5432, "hunter2hunter2", None)
        connections.set_connection(tx, connections.encrypt_connection(key, row))
    asks = bench.defer("watchers.Asks")
    start()
    assert bench.payload(asks) == ["green", "green", "green", "hunter2hunter2"]

    says = bench.defer("watchers.Says", secret="hunter2hunter2")
    bench.payload(says)
    assert "hunter2" not in bench.log(1)
    assert "a secret: ***" in bench.log(1)


def test_a_class_in_the_dag_file_is_found(database: Database, config, start: Start) -> None:
    source = (
        "from airflow.triggers.base import BaseTrigger, TriggerEvent\n"
        "class Mine(BaseTrigger):\n"
        "    def serialize(self): return 'x.Mine', {}\n"
        "    async def run(self): yield TriggerEvent('from the file')\n"
    )
    bench = Bench(database, config, source=source)
    (config.core.dags_folder / "t.py").write_text("# changed since the run was made")
    wait = bench.defer("dag file:Mine")
    start()

    assert bench.payload(wait) == "from the file"


def test_a_module_beside_the_dag_file_is_found(bench: Bench, database: Database, start: Start) -> None:
    folder = bench.config.core.dags_folder / "team"
    folder.mkdir()
    (folder / "beside_it.py").write_text(MODULE)
    with database.write() as tx:
        tx.execute(update(DagVersion).values(file_path="team/t.py"))
    wait = bench.defer("beside_it.Echo", value="found")
    start()

    assert bench.payload(wait) == "found"


def test_one_that_blocks_is_named(bench: Bench, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    wait = bench.defer("watchers.Blocks", seconds=0.4)
    start()
    bench.payload(wait)

    assert "watchers.Blocks blocked its process for 0.4" in bench.log(0)
    wait_until(lambda: "of task 't0' of DAG 'd'" in caplog.text, what="the triggerer's word")


def test_one_that_blocks_too_long_fails_and_the_others_go_on(
    bench: Bench, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.triggerer.host.BLOCKED_LIMIT_SECONDS", 0.5)
    until = tmp_path / "until"
    other = bench.defer("watchers.Forever", until=str(until))
    start()
    bad = bench.defer("watchers.Blocks", seconds=1000)

    assert "blocked its process for" in bench.failure(bad)
    assert "time.sleep" in bench.failure(bad)
    until.touch()
    assert bench.payload(other) == "released"


def test_nobody_waits_any_more(bench: Bench, start: Start, tmp_path: Path) -> None:
    given_up, late = tmp_path / "given_up", tmp_path / "late"
    first = bench.defer("watchers.Forever", notes=str(given_up))
    second = bench.defer("watchers.Forever", notes=str(late), timeout=60)
    triggerer = start()
    wait_until(lambda: notes(given_up) and notes(late), timeout=30, what="both to run")
    bench.drop(first)
    bench.drop(second, later=timedelta(seconds=61))
    triggerer.wake()

    wait_until(lambda: "cleanup" in notes(given_up) and "cleanup" in notes(late), timeout=20, what="their ends")
    assert notes(given_up) == ["run", "end", "on_kill", "cleanup"]
    assert notes(late) == ["run", "end", "cleanup"]  # a timeout ends the trigger, not what it watches
    assert bench.said() == {}


def test_a_killed_trigger_process_loses_nothing(bench: Bench, start: Start, tmp_path: Path) -> None:
    seen, until = tmp_path / "seen", tmp_path / "until"
    wait = bench.defer("watchers.Forever", notes=str(seen), until=str(until))
    triggerer = start()
    first = process_of(triggerer)
    wait_until(lambda: notes(seen), timeout=30, what="it to run")

    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(notes(seen)) == 2, timeout=30, what="it to run again")
    until.touch()

    assert bench.payload(wait) == "released"
    assert not psutil.pid_exists(first) or triggerer.process_pid != first
    assert notes(seen)[:2] == ["run", "run"]


def test_an_idle_trigger_process_is_let_go(bench: Bench, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.triggerer.host.REST_SECONDS", 0.0)
    triggerer = start()
    assert triggerer.process_pid is None

    bench.payload(bench.defer("watchers.Echo", value=1))
    wait_until(lambda: triggerer.process_pid is None, timeout=20, what="the end of the process")
    assert bench.payload(bench.defer("watchers.Echo", value=2)) == 2
