"""Does a worker work that has no way to the metadata DB, and may its tasks see nothing that is not theirs?

All parts are real and stand in homes of their own: a scheduler and a web server with the metadata DB, and far from them
a worker that is given two addresses and a token.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.e2e.stack import EFFECTS, Stack
from tests.executors.stores import put_variable
from tests.executors.worker.control import TOKEN
from tests.support.waiting import wait_until
from tests.webui.processes import answers, free_port
from tradewind.config import with_secrets

ROOT = Path(__file__).parents[3]
SEEDS = int(os.environ.get("CHAOS_SEEDS", "1"))

DAG = (
    EFFECTS
    + '''
import json, pathlib, time
from airflow.sdk import DAG, Variable, task

def _read(path):
    try:
        return pathlib.Path(path).read_bytes().decode(errors="replace")
    except OSError as error:
        return f"not to be read: {error}"

with DAG("far"):

    @task
    def peek():
        """Look wherever a secret could be."""
        me, everything = pathlib.Path("/proc/self"), []
        pid = os.getpid()
        while pid > 1 and "tradewind" in _read(f"/proc/{pid}/cmdline") + _read(f"/proc/{pid}/comm"):
            if b"celery" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                break  # the worker itself, which is root's here as the task is: see the next test
            everything += [_read(f"/proc/{pid}/environ"), _read(f"/proc/{pid}/cmdline")]
            pid = int(_read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[1])
        sockets = [os.readlink(f) for f in (me / "fd").iterdir() if f.is_symlink()]
        return {"read": everything, "environ": dict(os.environ), "files": sockets}

    @task
    def talk(**context):
        """Ask and ask, until told to stop."""
        effect(**context)
        asked = 0
        while Variable.get("go") != "on":
            asked += 1
            Variable.set("asked", asked)
            time.sleep(0.02)
        return asked

    peek() >> talk()
'''
)


MANY = (
    EFFECTS
    + """
from airflow.sdk import DAG, Variable, task

with DAG("many", max_active_tasks=20):
    for number in range(12):
        last = None
        for step in range(3):

            @task(task_id=f"t{number}_{step}")
            def work(before=None, **context):
                effect(**context)
                Variable.set(context["ti"].task_id, "x" * 100)
                context["ti"].xcom_push("more", list(range(100)))
                assert Variable.get("go")
                return (before or 0) + 1

            last = work(last)
"""
)


class Far:
    """Both sides: what has the metadata DB, and a worker that has not."""

    def __init__(self, near: Stack, home: Path, broker: str) -> None:
        self.near, self.home, self.port = near, home, free_port()
        self.broker, self.url = broker, f"http://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start_web_server(self) -> subprocess.Popen[bytes]:
        process = self._start(["webserver", "--port", str(self.port)], self.near.environ, self.near.home / "web.log")
        wait_until(lambda: answers(self.url) or process.poll() is not None, 60, what="the web server")
        assert process.poll() is None, "the web server did not begin"
        return process

    def start_worker(self) -> subprocess.Popen[bytes]:
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("TRADEWIND", "AIRFLOW"))}
        settings = {
            "TRADEWIND_HOME": str(self.home),
            "TRADEWIND__CORE__EXECUTOR": "CeleryExecutor",
            "TRADEWIND__WORKERS__CONTROL_PLANE": self.url,
            "TRADEWIND__WORKERS__TOKEN": TOKEN,
            "TRADEWIND__CELERY__BROKER_URL": self.broker,
            "A_COPY_OF_THE_TOKEN": f"for others: {TOKEN}",
            "EFFECTS_FILE": str(self.near.effects),
        }
        return self._start(["celery", "worker", "-c", "2"], {**plain, **settings}, self.home / "worker.log")

    def _start(self, words: list[str], environ: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tradewind.cli", *words], env=environ, stdout=out, stderr=out, cwd=ROOT
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes[1:] + self.processes[:1]:  # the worker takes its leave of the web server
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            process.wait()

    def tell(self) -> None:
        self.near.tell()
        for log in (self.near.home / "web.log", self.home / "worker.log"):
            print(log, log.read_text(errors="replace")[-6000:] if log.exists() else "is not there", sep="\n")


@pytest.fixture
def far(tmp_path: Path, postgres_url: str, redis_url: str, request: pytest.FixtureRequest) -> Iterator[Far]:
    near_home, home = tmp_path / "near", tmp_path / "far"
    (near_home / "dags").mkdir(parents=True)
    home.mkdir()
    settings = {
        "TRADEWIND__CORE__EXECUTOR": "CeleryExecutor",
        "TRADEWIND__CELERY__BROKER_URL": redis_url,
        "TRADEWIND__WORKERS__TOKEN": TOKEN,
    }
    near = Stack(near_home, postgres_url, lease_seconds=60, settings=settings)
    near.config = with_secrets(near.config)
    made = Far(near, home, redis_url)
    failed_before = request.session.testsfailed
    try:
        near.write_dag("far.py", DAG)
        put_variable(near.db, near.config, "go", "no")
        near.start()
        made.start_web_server()
        made.start_worker()
        yield made
    except BaseException:
        made.tell()
        raise
    finally:
        if request.session.testsfailed > failed_before:
            made.tell()
        made.stop()
        near.stop()


def test_a_worker_without_the_metadata_db_works_and_a_killed_web_server_holds_its_tasks_up_no_longer_than_it_is_away(
    far,
):
    near, (web, worker) = far.near, far.processes
    near.wait_dag("far")
    pk = near.trigger("far")
    wait_until(lambda: near.lines(), timeout=60, what="the start of the second task")

    web.kill()
    web.wait()
    asked = near.attempts(pk, "talk")
    far.start_web_server()
    put_variable(near.db, near.config, "go", "on")
    near.wait_over(pk)

    assert near.run_state(pk) == "success"
    assert [len(near.attempts(pk, name)) for name in ("peek", "talk")] == [1, 1]
    assert [one.state for one in asked] == ["running"]
    near.assert_sound()
    assert_nothing_secret(far, _xcom(near, pk, "peek"), worker.pid)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_web_server_that_dies_or_stands_still_at_random_loses_nothing(far, seed):
    near, chance = far.near, random.Random(seed)
    near.write_dag("many.py", MANY)
    near.wait_dag("many")
    pk = near.trigger("many")
    web = far.processes[0]

    for _ in range(3):
        known = len(near.lines())
        wait_until(partial(_goes_on, near, pk, known), timeout=60, what="the start of a task")
        threading.Event().wait(chance.uniform(0, 0.3))  # what happens when is the point: anything may
        if chance.random() < 0.3:
            for process in (web, *_children(web)):
                process.send_signal(signal.SIGSTOP)
            threading.Event().wait(chance.uniform(0, 2))
            for process in (web, *_children(web)):
                process.send_signal(signal.SIGCONT)
        else:
            web.kill()
            web.wait()
            web = far.start_web_server()
    near.wait_over(pk, timeout=90)

    assert near.run_state(pk) == "success"
    assert [one for one in near.attempts(pk) if one.try_number > 1 or one.outcome != "success"] == []
    assert len(near.lines()) == 36
    near.assert_sound()


def _goes_on(near: Stack, pk: int, known: int) -> bool:
    return len(near.lines()) > known or near.all_over(pk)


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def assert_nothing_secret(far: Far, seen: dict[str, Any], worker_pid: int) -> None:
    """The worker has no secret of the installation but its token, and its tasks have not even that."""
    config = far.near.config
    database = str(far.near.url)
    secrets = [config.core.fernet_key, config.api.secret_key, database]
    told = json.dumps(seen)
    assert all(secrets)
    assert [secret for secret in (*secrets, TOKEN, far.broker) if secret in told] == []
    assert len(seen["read"]) >= 2  # it has read something

    worker = psutil.Process(worker_pid)
    kept = json.dumps(worker.environ())
    assert [secret for secret in secrets if secret in kept] == []
    assert [path.name for path in far.home.rglob("*fernet*")] == []
    reached = {one.raddr.port for one in worker.net_connections("tcp") if one.raddr}
    assert reached <= {far.port, urlsplit(far.broker).port}
    used = {Path(found.path).name.split(".")[0] for found in worker.memory_maps()}
    assert not any(name.startswith(("_psycopg", "libpq")) for name in used), "it has loaded a driver of the metadata DB"


def _xcom(near: Stack, pk: int, task_id: str) -> dict[str, Any]:
    from tradewind.metadata import xcoms

    with near.db.read() as tx:
        (found,) = xcoms.find_xcoms(tx, "far", "run1", [task_id], "return_value", None)
    assert found.value is not None
    value: dict[str, Any] = json.loads(found.value)
    return value
