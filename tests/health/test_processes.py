"""Do the health pages of real processes mean something? Schedulers, triggerers and web servers, and a database lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.processes import SCHEMA, list_processes
from tradewind.metadata.revision import HEAD

LEASE_SECONDS = 3
Start = Callable[..., tuple[subprocess.Popen[bytes], str]]


@pytest.fixture
def start(home: Path, postgres_url: str) -> Iterator[Start]:
    """``start("scheduler")`` starts a process; its address for probes comes back with it."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*words: str) -> tuple[subprocess.Popen[bytes], str]:
        port = free_port()
        environ = os.environ | {
            "TRADEWIND_HOME": str(home),
            "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": postgres_url,
            "TRADEWIND__SCHEDULER__LEASE_SECONDS": str(LEASE_SECONDS),
            "TRADEWIND__SCHEDULER__POLL_SECONDS": "1",
            "TRADEWIND__CORE__LOAD_EXAMPLES": "False",
            "TRADEWIND__HEALTH__LISTEN": f"127.0.0.1:{port}",
            "TRADEWIND__API__PORT": str(port),
            "TRADEWIND__CELERY__BROKER_URL": "redis://127.0.0.1:1/0",
        }
        with (home / f"{words[0]}.log").open("wb") as log:
            command = [sys.executable, "-m", "tradewind.cli", *words]
            running.append(subprocess.Popen(command, env=environ, stdout=log, stderr=log))
        return running[-1], f"http://127.0.0.1:{port}"

    yield begin
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
    for process in running:
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(url: str, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url + path, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except OSError:
        return 0, None


def wait_for(url: str, path: str, status: int) -> Any:
    return wait_until(lambda: (got := ask(url, path))[0] == status and got[1], 40, what=f"{status} of {path}")


@pytest.fixture
def cut(postgres_url: str) -> Iterator[Callable[[bool], None]]:
    """``cut(True)``: nobody reaches the database any more; ``cut(False)``: everybody does again."""
    url = make_url(postgres_url)
    name = url.database
    server = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as surgeon:

        def act(is_away: bool) -> None:
            surgeon.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {not is_away}')
            if is_away:
                surgeon.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

        yield act
        act(False)


def test_processes_say_whether_they_work(start: Start, cut: Callable[[bool], None], postgres_url: str) -> None:
    scheduler, scheduler_at = start("scheduler")
    triggerer, triggerer_at = start("triggerer", "--capacity", "10")
    _, web_at = start("webserver")
    everywhere = (scheduler_at, triggerer_at, web_at)
    for url in everywhere:
        wait_for(url, "/readyz", 200)
    parts = ask(scheduler_at, "/readyz")[1]["parts"]
    assert set(parts) == {"loop", "DAG files", "triggerer"}
    assert all(said.startswith("took work or asked for it ") for said in parts.values())

    def all_well() -> Any:
        report = ask(web_at, "/api/v2/monitor/health")[1]
        told = {name: part["status"] for name, part in report.items()}
        assert told == {
            "metadatabase": "healthy", "scheduler": "healthy", "triggerer": "healthy", "dag_processor": "healthy",
            "worker": None,
        }  # fmt: skip
        return report["dag_processor"]["latest_dag_processor_heartbeat"]

    wait_until(all_well, 20)
    with closing(Database(postgres_url)) as db, db.read() as tx:
        alive = list_processes(tx, alive_at=db.now())
        assert sorted(one.kind for one in alive) == ["scheduler", "triggerer", "triggerer", "webserver"]
        assert {one.info[SCHEMA] for one in alive} == {HEAD}
        assert next(one for one in alive if one.kind == "scheduler").info["health"] == scheduler_at

    cut(True)
    for url in everywhere:
        said = wait_for(url, "/readyz", 503)["parts"]
        assert any("DB" in sentence for sentence in said.values()), said
        assert ask(url, "/healthz")[0] == 200, "a database that is away is no reason to kill anybody"
    assert ask(web_at, "/health")[0] == 503
    cut(False)
    for url in everywhere:
        wait_for(url, "/readyz", 200)

    scheduler.send_signal(signal.SIGTERM)
    triggerer.send_signal(signal.SIGTERM)
    assert (scheduler.wait(20), triggerer.wait(20)) == (0, 0)
    assert ask(scheduler_at, "/healthz")[0] == 0
    wait_until(lambda: ask(web_at, "/health")[1]["scheduler"]["status"] == "unhealthy", 20)


def test_a_worker_without_its_broker_is_ready_and_one_that_ends_is_not(start: Start, home: Path) -> None:
    (home / "airflow.cfg").write_text("[core]\nexecutor = LocalExecutor,CeleryExecutor\n")
    worker, worker_at = start("celery", "worker", "--concurrency", "1")
    parts = wait_for(worker_at, "/readyz", 200)["parts"]
    assert list(parts) == ["worker"], "it asks the metadata DB for work, whatever the broker does"
    assert ask(worker_at, "/healthz")[0] == 200
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
