"""Who is measured, and how is each brought up? Apache Airflow and Tradewind, each with its own home and database."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

PARALLELISM: Final = 16


@dataclass(frozen=True, slots=True)
class TaskTimes:
    """When one task ran, by its scheduler's own record."""

    task_id: str
    state: str
    started: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Contender:
    """One configuration of one scheduler.

    Attributes:
        name: as it stands in the table.
        program: the command (``tradewind`` or ``airflow``).
        server: the address of a PostgreSQL server on which databases may be made; None means SQLite.
        settings: further environment variables.
        parts: what it takes part in; None means everything.
        command: what brings up all of it.
    """

    name: str
    program: str
    server: str | None
    settings: Mapping[str, str] = field(default_factory=dict)
    parts: frozenset[str] | None = None
    command: str = "standalone"

    @property
    def is_airflow(self) -> bool:
        return Path(self.program).name == "airflow"


class Running:
    """A contender that was brought up in a fresh home. A context manager: on leaving, all of it is ended."""

    def __init__(self, contender: Contender, home: Path, database_url: str) -> None:
        """
        Args:
            home: its ``dags`` folder holds the DAG files; everything else is made.
            database_url: an empty database (a SQLite file that does not exist, or an empty PostgreSQL database).
        """
        self.contender = contender
        self.home = home
        self._url = database_url
        self._engine: Engine | None = None
        self._stage: subprocess.Popen[bytes] | None = None
        self.environment = self._make_environment()

    def __enter__(self) -> Running:
        script = f'"{self.contender.program}" db migrate && exec "{self.contender.program}" {self.contender.command}'
        with (self.home / "output.log").open("wb") as log:
            self._stage = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.stage", "/bin/sh", "-c", script],
                env=self.environment, cwd=self.home, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._stage is not None
        if self._engine is not None:
            self._engine.dispose()
        self._stage.send_signal(signal.SIGTERM)
        try:
            self._stage.wait(60)
        except subprocess.TimeoutExpired:
            _kill_tree(self._stage.pid)
            self._stage.wait()

    @property
    def pid(self) -> int:
        """The stage: the root of all that belongs to this contender."""
        assert self._stage is not None
        if self._stage.poll() is not None:
            tail = (self.home / "output.log").read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{self.contender.name} ended by itself:\n{tail}")
        return self._stage.pid

    def trigger(self, dag_id: str) -> None:
        """Start a run of a DAG from the command line, which is not counted: it is no part of the tree."""
        words = [self.contender.program, "dags", "trigger", dag_id]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def known_dags(self) -> int:
        """Return how many DAGs the scheduler knows, and could run."""
        active = "NOT is_stale" if self.contender.is_airflow else "is_active"
        return int(self._rows(f"SELECT count(*) FROM dag WHERE {active}", default=0)[0][0])

    def knows(self, dag_id: str) -> bool:
        """Say whether the scheduler knows a DAG of this name."""
        return bool(self._rows("SELECT 1 FROM dag WHERE dag_id = :dag_id", dag_id=dag_id))

    def first_starts(self, prefix: str) -> list[datetime]:
        """Return when the first task of each ended run started, of the DAGs whose name begins so."""
        start = "start_date" if self.contender.is_airflow else "started_at"
        rows = self._rows(
            f"SELECT {start} FROM task_instance WHERE state = 'success' AND dag_id LIKE :prefix", prefix=f"{prefix}%"
        )
        return [_instant(row[0]) for row in rows]

    def run_state(self, dag_id: str) -> str:
        """Return the state of the DAG's newest run, or an empty string when it has none."""
        rows = self._rows("SELECT state FROM dag_run WHERE dag_id = :dag_id ORDER BY id DESC LIMIT 1", dag_id=dag_id)
        return str(rows[0][0]) if rows else ""

    def task_times(self, dag_id: str) -> list[TaskTimes]:
        """Return when each ended task of the DAG ran, ordered by its start."""
        columns = ("start_date", "end_date") if self.contender.is_airflow else ("started_at", "ended_at")
        rows = self._rows(
            "SELECT task_id, state, {0}, {1} FROM task_instance WHERE dag_id = :dag_id AND {1} IS NOT NULL "
            "AND {0} IS NOT NULL ORDER BY {0}".format(*columns),
            dag_id=dag_id,
        )
        return [TaskTimes(str(row[0]), str(row[1]), _instant(row[2]), _instant(row[3])) for row in rows]

    def _rows(self, statement: str, *, default: Any = None, **values: Any) -> list[Any]:
        """Return what the contender's database answers; ``default`` stands for tables that do not exist yet."""
        if self._engine is None:
            self._engine = create_engine(_only_to_read(self._url))
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(text(statement), values))
        except DBAPIError:
            return [] if default is None else [[default]]

    def _make_environment(self) -> dict[str, str]:
        prefix = "AIRFLOW" if self.contender.is_airflow else "TRADEWIND"
        port = str(free_port())
        settings = {
            f"{prefix}_HOME": str(self.home),
            f"{prefix}__CORE__EXECUTOR": "LocalExecutor",
            f"{prefix}__CORE__PARALLELISM": str(PARALLELISM),
            f"{prefix}__CORE__LOAD_EXAMPLES": "False",
            f"{prefix}__CORE__DAGS_FOLDER": str(self.home / "dags"),
            f"{prefix}__DATABASE__SQL_ALCHEMY_CONN": self._program_url(),
            f"{prefix}__API__PORT": port,
        }
        if self.contender.is_airflow:
            settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"http://localhost:{port}/execution/"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "TRADEWIND", "PYTHON"))}
        programs = f"{Path(self.contender.program).parent}{os.pathsep}{clean.get('PATH', os.defpath)}"
        return {**clean, "PATH": programs, **settings, **self.contender.settings}

    def _program_url(self) -> str:
        return self._url.replace("+psycopg:", "+psycopg2:") if self.contender.is_airflow else self._url


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh_home(folder: Path) -> Path:
    """Empty ``folder`` and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _only_to_read(url: str) -> str:
    """Asking a SQLite file that does not exist yet must not make an empty one."""
    path = url.removeprefix("sqlite:///")
    return url if path == url else f"sqlite:///file:{path}?mode=ro&uri=true"


def _instant(value: Any) -> datetime:
    if isinstance(value, str):  # SQLite keeps text, in UTC
        value = datetime.fromisoformat(value)
    assert isinstance(value, datetime)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _kill_tree(pid: int) -> None:
    for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        process.kill()
