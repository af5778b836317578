"""``tradewind plugins`` and ``dags callbacks``: what hangs on runs, and what is wrong with it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest

from executors.runner.log_paths import callback_log_path
from tradewind.config import load_config
from tradewind.metadata.callbacks import NewCallback, list_callbacks, put_callbacks
from tradewind.metadata.opening import open_database
from tradewind.metadata.runs import find_run

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
print("what a plugin prints is not what the command says")
def double(x): return 2 * x
class P(AirflowPlugin):
    name = "mine"
    macros = [double]
    fastapi_apps = [1]
"""


def test_plugins_are_listed_with_their_parts_and_errors(call, ok, home):
    assert json.loads(ok("plugins", "-o", "json")) == []
    (home / "plugins").mkdir()
    (home / "plugins" / "mine.py").write_text(PLUGIN)
    result = call("plugins", "-o", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == [
        {"name": "mine", "source": "$PLUGINS_FOLDER/mine.py", "parts": "macros: double", "ignored": ["fastapi_apps"]}
    ]
    assert "fastapi_apps has no effect" in result.stderr

    (home / "plugins" / "broken.py").write_text("import nothing_of_the_kind\n")
    result = call("plugins", "-o", "json")
    assert result.exit_code == 1
    assert "broken.py cannot be used: ModuleNotFoundError" in result.stderr


def test_a_plugin_that_ends_its_process_is_said_to(call, home):
    (home / "plugins").mkdir()
    (home / "plugins" / "mine.py").write_text("import os\nos._exit(3)\n")

    result = call("plugins")

    assert result.exit_code == 1
    assert "ended with exit code 3" in result.stderr


@pytest.fixture
def called(migrated, etl, ok):
    """A run with a call that waits; returns its id, and where the log of its first start would be."""
    ok("dags", "reserialize")
    ok("dags", "trigger", "etl", "-r", "one")
    config = load_config(os.environ)
    with open_database(config) as db:
        with db.write() as tx:
            run = find_run(tx, "etl", "one")
            assert run is not None
            payload = {"hook": "on_failure_callback", "reason": "task_failure"}
            put_callbacks(tx, [NewCallback(run.pk, "run", ("load", -1), payload)], datetime.now(UTC))
        with db.read() as tx:
            (call_id,) = [one.id for one in list_callbacks(tx, run.pk)]
    return call_id, callback_log_path(config.logging.base_log_folder, "etl", "one", call_id, 1)


def test_callbacks_of_a_run_are_listed(call, ok, called):
    call_id, log = called
    (row,) = json.loads(ok("dags", "callbacks", "etl", "one", "-o", "json"))
    assert (row["id"], row["kind"], row["what"], row["task_id"]) == (call_id, "run", "on_failure_callback", "load")
    assert (row["state"], row["starts"]) == ("waiting", 0)
    assert ok("dags", "callbacks", "etl", "one", "--log", str(call_id)) == "", "nothing has been started"
    assert log.name == "attempt=1.log"

    result = call("dags", "callbacks", "etl", "one", "--log", "999")
    assert result.exit_code == 1
    assert "999" in result.stderr
