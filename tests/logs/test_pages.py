"""Does a person see the logs of other machines: while tasks run, and when the machines and their disks are gone?"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.e2e.stack import Stack
from tests.support.s3_server import S3Server
from tests.support.waiting import wait_until
from tests.webui.conftest import HASH, PASSWORD
from tests.webui.seed import ETL_TASKS, Seed
from tradewind.config import load_config, with_secrets
from tradewind.errors import UsageError
from tradewind.metadata.database import Database
from tradewind.metadata.users import create_user
from tradewind.model.states import RunState
from webui.app import create_app

DAG = """
import os, time
from airflow.sdk import DAG, BaseOperator, task
from airflow.triggers.base import BaseTrigger, TriggerEvent

class Looks(BaseTrigger):
    def serialize(self):
        return "far.Looks", {}
    async def run(self):
        print("the trigger speaks")
        yield TriggerEvent("done")

class Waits(BaseOperator):
    def execute(self, context):
        print("before the wait")
        self.defer(trigger=Looks(), method_name="after")
    def after(self, context, event):
        print("after the wait")

with DAG("far"):
    @task(on_failure_callback=lambda context: print("the callback speaks"))
    def talks():
        print("first words")
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.02)
        print("last words")
        os.kill(os.getpid(), 9)
    talks()
    Waits(task_id="waits")
"""
PATIENCE = 60.0


@pytest.fixture
def far(home: Path, postgres_url: str, s3_server: S3Server, s3_url: str, tmp_path: Path) -> Iterator[Stack]:
    """A scheduler and a triggerer, each with a disk of its own, and what the web server has: none of these."""
    stack = Stack(
        home,
        postgres_url,
        settings={
            "TRADEWIND__LOGGING__REMOTE_BASE_LOG_FOLDER": s3_url,
            "TRADEWIND__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "disk of the scheduler"),
            "TRADEWIND__TRIGGERER__CAPACITY": "0",
            "GO": str(tmp_path / "go"),
            **s3_server.environ,
        },
    )
    stack.write_dag("far.py", DAG)
    stack.start()
    triggerer = subprocess.Popen(
        [sys.executable, "-m", "tradewind.cli", "triggerer", "--capacity", "10"],
        env={**stack.environ, "TRADEWIND__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "disk of the triggerer")},
        cwd=home,
    )
    yield stack
    triggerer.terminate()
    triggerer.wait(30)
    stack.tell()
    stack.stop()


@pytest.fixture
def client(far: Stack, tmp_path: Path) -> Iterator[FlaskClient]:
    """A browser's way to a web server on another machine."""
    environ = {**far.environ, "TRADEWIND__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "disk of the web server")}
    config = with_secrets(load_config(environ))
    with far.db.write() as tx:
        create_user(tx, "admin", HASH, "admin", datetime.now(UTC))
    app = create_app(config, far.db)
    app.testing = True
    client = app.test_client()
    assert client.post("/login", data={"username": "admin", "password": PASSWORD}).status_code == 302
    yield client
    app.extensions["tradewind"].hub.close()
    app.extensions["tradewind"].log_files.close()


def test_logs_of_machines_that_are_elsewhere_and_then_nowhere(far: Stack, client: FlaskClient, tmp_path: Path):
    far.wait_dag("far")
    run = far.trigger("far")
    page = "/dags/far/runs/run1/tasks/talks"
    logs = "/api/v2/dags/far/dagRuns/run1/taskInstances/{}/logs/1"

    def seen(path: str) -> str:
        return client.get(path, buffered=True).get_data(as_text=True)

    def says(task_id: str) -> list[str]:
        answer = robot.get(logs.format(task_id), headers=token).get_json()
        return [line.partition(" - ")[2] for line in answer.get("content", [])]

    robot = client.application.test_client()
    answer = robot.post("/auth/token", json={"username": "admin", "password": PASSWORD})
    token = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}

    wait_until(lambda: "first words" in seen(page), PATIENCE, every=0.2, what="the log on the page")
    text = seen(page)
    assert "last words" not in text and 'data-live="log:far/run1/talks/-1/1"' in text
    at = {name: text.partition(f'data-{name}="')[2].partition('"')[0] for name in ("next", "mark")}
    assert size_of(client) >= int(at["next"])

    (tmp_path / "go").touch()
    wait_until(lambda: size_of(client) > int(at["next"]), PATIENCE, every=0.2, what="the page is told of more")
    more = client.get(f"{page}?_p=log&try=1&since={at['next']}&mark={at['mark']}").get_json()
    assert "last words" in more["html"]
    assert client.get(f"{page}?_p=log&try=1&since={at['next']}&mark=00000000").get_json() == {"html": "", "anew": True}

    far.wait_over(run, timeout=PATIENCE)
    wait_until(lambda: "after the wait" in says("waits"), PATIENCE, every=0.2)
    wait_until(lambda: "the trigger speaks" in says("waits"), PATIENCE, every=0.2)
    said = [line for line in says("waits") if line in ("before the wait", "the trigger speaks", "after the wait")]
    assert said == ["before the wait", "the trigger speaks", "after the wait"]
    call = wait_until(lambda: callback_log(far, tmp_path), PATIENCE, every=0.2, what="the log of the call")

    far.stop()
    for disk in tmp_path.glob("disk of *"):
        shutil.rmtree(disk)

    assert "last words" in seen(page)
    assert "first words" in seen(f"{page}?_p=raw&try=1")
    assert says("waits")[-1:] != []
    assert "the callback speaks" in call


def size_of(client: FlaskClient) -> int:
    """How long the log is, as the page is told live."""
    ((_, words),) = client.get("/live/now?topics=log:far/run1/talks/-1/1").get_json()
    return int(words["size"])


def callback_log(far: Stack, tmp_path: Path) -> str:
    """What the command line shows of the call that hangs on the run, on a machine that has nothing."""
    environ = {**far.environ, "TRADEWIND__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "disk of nobody")}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "tradewind.cli", "dags", "callbacks", "far", "run1", *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout

    calls: list[dict[str, Any]] = json.loads(run("-o", "json"))
    text = run("--log", str(calls[0]["id"])) if calls else ""
    return text if "the callback speaks" in text else ""


def test_a_store_that_is_away_is_said_on_the_page(sqlite_url, home, tmp_path):
    place = tmp_path / "store"
    place.write_text("a file in the way")
    environ = {
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": sqlite_url,
        "TRADEWIND__LOGGING__REMOTE_BASE_LOG_FOLDER": str(place),
    }
    config, db = with_secrets(load_config(environ, home)), Database(sqlite_url)
    seed = Seed(db, config.logging.base_log_folder)
    seed.run("d", seed.dag("d", ETL_TASKS), {"clean": "running"}, run_id="r", state=RunState.RUNNING)
    with db.write() as tx:
        create_user(tx, "admin", HASH, "admin", datetime.now(UTC))
    app = create_app(config, db)
    client, robot = app.test_client(), app.test_client()
    client.post("/login", data={"username": "admin", "password": PASSWORD})
    answer = robot.post("/auth/token", json={"username": "admin", "password": PASSWORD})
    token = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
    path = "/api/v2/dags/d/dagRuns/r/taskInstances/clean/logs/1"

    nothing = client.get("/dags/d/runs/r/tasks/clean").get_data(as_text=True)
    refused = robot.get(path, headers=token)
    seed.log("d", "r", "clean", "what is here\n")
    page = client.get("/dags/d/runs/r/tasks/clean").get_data(as_text=True)

    assert f"The log store {place} does not do its work" in nothing
    assert (refused.status_code, "does not do its work" in refused.get_json()["detail"]) == (503, True)
    assert "what is here" in page and 'id="logtrouble"' in page
    app.extensions["tradewind"].log_files.close()
    db.close()


def test_a_web_server_refuses_to_start_with_a_store_that_cannot_be(sqlite_url, home):
    environ = {"TRADEWIND__LOGGING__REMOTE_BASE_LOG_FOLDER": "cloudwatch://arn"}
    with pytest.raises(UsageError, match="nobody knows cloudwatch://"):
        create_app(with_secrets(load_config(environ, home)), Database(sqlite_url))
