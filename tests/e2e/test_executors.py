"""Does each task run where it asks to? A scheduler with several executors, one of them somebody's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.support.waiting import wait_until
from tradewind.metadata.dag_files import list_import_errors

OWN = '''
"""An executor that runs tasks as the built-in one does, and says so in their environment."""

import os

from executors.base import ExecutorHost
from executors.local import LocalExecutor


def make(host: ExecutorHost) -> LocalExecutor:
    environ = {**os.environ, "RUN_BY": host.name}
    return LocalExecutor(host.config, host.control_plane, host.lease_id, name=host.name, environ=environ)
'''

DAGS = """
import os
from airflow.sdk import DAG, task

with DAG("mixed", default_args={"executor": "LocalExecutor"}):

    @task(executor="CeleryExecutor")
    def far():
        pass

    @task(executor="own_executors.make")
    def own():
        return os.environ["RUN_BY"]

    @task
    def near():
        pass

    far() >> own() >> near()

with DAG("plain"):

    @task
    def anywhere():
        pass

    anywhere()

with DAG("lost"):

    @task(executor="LokalExecutor")
    def nowhere():
        pass

    nowhere()
"""


@pytest.fixture
def stack(home: Path, postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Stack]:
    site = tmp_path / "site"
    site.mkdir()
    (site / "own_executors.py").write_text(OWN)
    settings = {
        "TRADEWIND__CORE__EXECUTOR": "CeleryExecutor, mine:own_executors.make, LocalExecutor",
        "TRADEWIND__CELERY__BROKER_URL": redis_url,
        "PYTHONPATH": str(site),
    }
    made = Stack(home, postgres_url, settings=settings)
    made.write_dag("mixed.py", DAGS)
    made.start()
    with (home / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tradewind.cli", "celery", "worker"], env=made.environ, stdout=log, stderr=log
        )
    try:
        yield made
    finally:
        made.tell()
        print((home / "worker.log").read_text())
        worker.terminate()
        worker.wait(30)
        made.stop()


def test_each_task_is_run_by_the_executor_that_it_names(stack):
    stack.wait_dag("mixed")
    mixed, plain = stack.trigger("mixed"), stack.trigger("plain")

    stack.wait_over(mixed, plain)

    assert {one.task_id: (one.executor, one.outcome) for one in stack.attempts(mixed)} == {
        "far": ("CeleryExecutor", "success"),
        "own": ("mine", "success"),
        "near": ("LocalExecutor", "success"),
    }
    assert [(one.executor, one.outcome) for one in stack.attempts(plain)] == [("CeleryExecutor", "success")]

    def errors() -> list[str]:
        with stack.db.read() as tx:
            return [row.error for row in list_import_errors(tx)]

    (error,) = wait_until(errors, what="the import error of the DAG that nobody can run")
    assert (
        "Task 'nowhere' asks for executor 'LokalExecutor', which is not there. Did you mean 'LocalExecutor'?" in error
    )
    assert "[core] executor has CeleryExecutor, LocalExecutor, mine" in error
