"""``tradewind jobs check``: is there exactly one living process, or any, and of which kind?"""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from uuid import uuid4

import pytest

from tradewind.metadata import processes
from tradewind.metadata.database import Database

LEASE = timedelta(seconds=30)


@pytest.fixture
def begin(migrated):
    """Write the lease of a process that is alive, or was ``ago`` seconds before."""
    database = Database(migrated)

    def write(kind, host="h", ago=0, **info):
        with database.write() as tx:
            now = database.now() - timedelta(seconds=ago)
            processes.register(
                tx, process_id=uuid4(), kind=kind, hostname=host, pid=7, now=now, lease=LEASE,
                info={"version": "1.2", **info},
            )  # fmt: skip

    yield write
    database.close()


def test_one_that_lives_is_well(ok, call, begin):
    begin("scheduler", ago=10)
    begin("scheduler", ago=100)
    (row,) = json.loads(ok("jobs", "check", "--job-type", "SchedulerJob", "-o", "json"))
    assert (row["kind"], row["hostname"], row["pid"], row["version"]) == ("scheduler", "h", 7, "1.2")
    assert "One process of type SchedulerJob is alive." in call("jobs", "check", "--job-type", "SchedulerJob").stderr


@pytest.mark.parametrize("words", [("TriggererJob",), ("triggerer",), ("SchedulerJob", "--hostname", "other")])
def test_none_that_lives_is_an_error(call, begin, words):
    begin("scheduler")
    begin("triggerer", ago=31)
    result = call("jobs", "check", "--job-type", *words)
    assert result.exit_code == 1
    assert f"No process of type {words[0]}{' on other' if len(words) > 1 else ''} is alive." in result.stderr


def test_more_than_one_must_be_allowed(ok, call, begin):
    begin("scheduler")
    begin("scheduler", socket.gethostname())
    assert call("jobs", "check").exit_code == 0  # the newest is looked at
    result = call("jobs", "check", "--limit", "0")
    assert (result.exit_code, "2 processes are alive where one was expected" in result.stderr) == (1, True)
    assert len(json.loads(ok("jobs", "check", "--limit", "0", "--allow-multiple", "-o", "json"))) == 2
    (row,) = json.loads(ok("jobs", "check", "--local", "--limit", "0", "-o", "json"))
    assert row["hostname"] == socket.gethostname()


def test_a_scheduler_that_reads_dag_files_is_a_dag_processor_too(call, begin):
    begin("scheduler")
    assert call("jobs", "check", "--job-type", "DagProcessorJob").exit_code == 1
    begin("scheduler", dag_files_seconds=1.5)
    assert call("jobs", "check", "--job-type", "DagProcessorJob").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--allow-multiple",), "--allow-multiple needs a --limit above 1"),
        (("--hostname", "h", "--local"), "both say which host"),
        (("--job-type", "LocalTaskJob"), "is not one of"),
    ],
)
def test_misuse_is_said(call, migrated_sqlite, words, said):
    result = call("jobs", "check", *words)
    assert (result.exit_code, said in result.stderr) == (2, True)
