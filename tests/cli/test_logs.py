"""Does the command line show the log of a task: once, as it grows, and when there is none?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.webui.seed import ETL_TASKS, Seed
from tradewind.metadata.database import Database
from tradewind.model.states import RunState, TaskState


@pytest.fixture
def seed(migrated_sqlite, home) -> Iterator[Seed]:
    """A run of a task that runs, or so it says."""
    database = Database(migrated_sqlite)
    seed = Seed(database, home / "logs")
    seed.run("d", seed.dag("d", ETL_TASKS), {"clean": "running"}, run_id="one", state=RunState.RUNNING)
    yield seed
    database.close()


def test_a_log_is_printed_as_it_is(seed, ok, call):
    seed.log("d", "one", "clean", "first\nünd {last}\n")
    assert ok("tasks", "logs", "d", "clean", "one") == "first\nünd {last}\n"
    missing = call("tasks", "logs", "d", "clean", "one", "-t", "2")
    assert (missing.exit_code, missing.stdout) == (0, "")
    assert "attempt=2.log" in missing.stderr


def test_what_does_not_exist_is_said_with_the_mend(seed, call):
    unknown = call("tasks", "logs", "d", "claen", "one")
    assert unknown.exit_code == 1
    assert "Did you mean 'clean'?" in unknown.stderr
    assert "--map-index" in call("tasks", "logs", "d", "clean", "one", "--map-index", "3").stderr


def test_a_log_is_followed_to_the_end_of_its_task(seed, started):
    log = seed.log("d", "one", "clean", "first\n")
    following = started("tasks", "logs", "d", "clean", "one", "--follow")
    assert following.stdout.readline() == "first\n"
    with log.open("a") as file:
        file.write("second\n")
    assert following.stdout.readline() == "second\n"
    seed.set_task("d", "one", "clean", TaskState.SUCCESS)
    assert following.wait(30) == 0
    assert following.stdout.read() == ""
