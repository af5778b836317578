"""How do these tests call the command line? In this process, or for user code and signals as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tradewind.cli import main

Call = Callable[..., Result]

ETL = """
from datetime import datetime

from airflow.sdk import DAG, task

with DAG("etl", schedule="0 2 * * *", start_date=datetime(2026, 1, 1), catchup=True, tags=["flights"], params={"n": 1}):

    @task
    def extract(n):
        return n

    @task
    def load(value):
        print(f"loaded {value}")

    load(extract("{{ params.n }}"))
"""


@pytest.fixture(autouse=True)
def _own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND__CORE__LOAD_EXAMPLES", "False")


@pytest.fixture
def call(request: pytest.FixtureRequest) -> Call:
    """``call("db", "check", input=...)``: run a command in this process, without asking for success."""

    def run(*words: str, **options: Any) -> Result:
        return CliRunner().invoke(main, words, prog_name="tradewind", **options)

    return run


@pytest.fixture
def ok(call: Call) -> Callable[..., str]:
    """Run a command that must succeed; return what it printed on standard output."""

    def run(*words: str, **options: Any) -> str:
        result = call(*words, **options)
        assert result.exit_code == 0, f"{words}: {result.output}"
        return result.stdout

    return run


@pytest.fixture
def migrated(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated metadata DB that the commands use; the test runs once for each kind of database."""
    monkeypatch.setenv("TRADEWIND__DATABASE__SQL_ALCHEMY_CONN", database_url)
    return database_url


@pytest.fixture
def migrated_sqlite(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated SQLite metadata DB that the commands use."""
    monkeypatch.setenv("TRADEWIND__DATABASE__SQL_ALCHEMY_CONN", sqlite_url)
    return sqlite_url


@pytest.fixture
def etl(home: Path) -> Path:
    """A DAG file with the DAG ``etl`` in the DAG folder."""
    path = home / "dags" / "etl.py"
    path.write_text(ETL)
    return path


def tradewind(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own, and wait for its end."""
    command = [sys.executable, "-m", "tradewind.cli", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=50, env=dict(os.environ), check=False, **options
    )


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process of its own; whatever is left of it is killed at the end of the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tradewind.cli", *words]
        made = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ), **options
        )
        processes.append(made)
        return made

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
