"""A whole cluster by one command: is everybody there, and gone when it ends, in order or by ``kill -9``?"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DAG = """
from airflow.sdk import DAG, task

with DAG("where", is_paused_upon_creation=False):
    @task
    def anywhere():
        return 1

    @task(queue="worker-2")
    def second(value):
        print(f"got {value}")

    second(anywhere())
"""


class Cluster:
    """A cluster in a home of its own. Started as often as a test wants."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.output = home / "output.log"
        (home / "dags").mkdir()
        (home / "dags" / "where.py").write_text(DAG)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TRADEWIND", "AIRFLOW"))}
        self.environ = {**clean, "TRADEWIND_HOME": str(home), "TRADEWIND__CORE__LOAD_EXAMPLES": "False"}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, and return the address of its web UI once it says that it is ready."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tradewind.cli", "cluster", "--port", "0"],
                env=self.environ, cwd=self.home, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        wait_until(lambda: "is ready" in self.said() or self.process_ended(), 120, what="the cluster")
        found = re.search(r"Web UI +http://localhost:(\d+)", self.said())
        assert found is not None, self.said()
        return f"http://127.0.0.1:{found[1]}"

    def process_ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def everybody(self) -> list[psutil.Process]:
        """Return all processes of the machine that belong to this home: by their command, folder or environment."""
        found, home = [], str(self.home)
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.status() != psutil.STATUS_ZOMBIE and (
                    any(home in word for word in process.cmdline())
                    or process.cwd().startswith(home)
                    or home in process.environ().get("TRADEWIND_HOME", "")
                ):
                    found.append(process)
        return found

    def run(self, *words: str) -> str:
        """Return what a command prints in another terminal."""
        script = f'. "{self.home}/cluster/env" && exec "{sys.executable}" -m tradewind.cli "$@"'
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", *words], env=self.environ, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="cluster-", dir="/tmp", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # PostgreSQL does not run as root
        made = Cluster(Path(name))
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.process.kill()
                made.process.wait()
            for process in made.everybody():
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def test_a_cluster_runs_tasks_lives_on_and_ends_without_a_trace(cluster: Cluster):
    url = cluster.start()
    port = int(url.rpartition(":")[2])

    def listening() -> set[int | None]:
        open_ = psutil.net_connections("tcp")
        return {c.pid for c in open_ if c.laddr and c.laddr.port == port and c.status == "LISTEN"}

    wait_until(lambda: len(listening()) == 2, 20, what="two web servers behind one address")
    with urllib.request.urlopen(f"{url}/health", timeout=20) as answer:
        assert answer.status == 200
    workers = json.loads(cluster.run("celery", "list-workers", "-o", "json"))
    assert Counter(worker["queues"] for worker in workers) == {"default,worker-1": 1, "default,worker-2": 1}

    (made,) = json.loads(cluster.run("dags", "trigger", "where", "-o", "json"))

    def is_over() -> bool:
        runs = json.loads(cluster.run("dags", "list-runs", "where", "-o", "json"))
        assert [run["state"] for run in runs if run["run_id"] == made["dag_run_id"]] == ["success"]
        return True

    wait_until(is_over, 60, every=0.2, what="the end of a run through Celery")

    # kill -9 of the whole leaves nothing, and what was stored is there afterwards.
    assert cluster.process is not None
    before = cluster.everybody()
    assert len(before) > 9
    cluster.process.kill()
    cluster.process.wait()
    wait_until(lambda: not cluster.everybody(), 20, what="the end of everybody")

    cluster.start()
    assert made["dag_run_id"] in cluster.run("dags", "list-runs", "where", "-o", "plain")
    (worker,) = [p for p in cluster.everybody() if "worker-1" in p.cmdline()]
    worker.kill()
    wait_until(lambda: "starting it again" in cluster.said(), 20, what="the next life of the worker")

    cluster.process.send_signal(signal.SIGINT)
    assert cluster.process.wait(60) == 0, cluster.said()
    assert cluster.said().rstrip().endswith("Stopped.")
    assert cluster.everybody() == []
