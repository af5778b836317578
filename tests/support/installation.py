"""How does a test use Tradewind as people do? Its command, in processes of its own, in a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tests.support.waiting import wait_until
from tradewind.metadata.dags import find_dag
from tradewind.metadata.database import Database
from tradewind.metadata.runs import find_run

COMMAND: Final = Path(sys.executable).parent / "tradewind"
FINAL: Final = ("success", "failed")


class Installation:
    """A home with a database, and the command run in it. A context manager: on leaving, the scheduler is stopped."""

    def __init__(self, home: Path, database_url: str, settings: Mapping[str, str] | None = None) -> None:
        """
        Args:
            home: made when it is missing, with an empty ``dags`` folder.
            database_url: of an empty or migrated database.
            settings: further environment variables, e.g. ``{"TRADEWIND__CORE__LOAD_EXAMPLES": "True"}``.
        """
        self.home: Final = home
        self.dags: Final = home / "dags"
        self.dags.mkdir(parents=True, exist_ok=True)
        self.database_url: Final = database_url
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TRADEWIND_", "AIRFLOW_"))}
        self.environment: Final = {
            **clean,
            "TRADEWIND_HOME": str(home),
            "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": database_url,
            "TRADEWIND__CORE__LOAD_EXAMPLES": "False",
            **(settings or {}),
        }
        self.scheduler: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.scheduler is not None and self.scheduler.poll() is None:
            self.stop_scheduler()

    def run(self, *words: str) -> str:
        """Return what a command printed on stdout.

        Raises:
            AssertionError: it failed; with all that it printed.
        """
        done = subprocess.run(
            [COMMAND, *words], env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, (
            f"tradewind {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def read(self, *words: str) -> Any:
        """Return what a command prints with ``-o json``."""
        return json.loads(self.run(*words, "-o", "json"))

    def start_scheduler(self) -> None:
        """Start ``tradewind scheduler``; what it prints goes to ``scheduler.log`` in the home."""
        with self.log.open("ab") as log:
            self.scheduler = subprocess.Popen(
                [COMMAND, "scheduler"],
                env=self.environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def stop_scheduler(self) -> int:
        """End the scheduler as Ctrl-C does; return its exit code."""
        assert self.scheduler is not None
        self.scheduler.send_signal(signal.SIGINT)
        return self.scheduler.wait(30)

    @property
    def log(self) -> Path:
        return self.home / "scheduler.log"

    def wait_for_dags(self, *dag_ids: str, timeout: float = 30) -> None:
        """Wait until the scheduler knows these DAGs."""

        with closing(Database(self.database_url)) as database:

            def known() -> bool:
                with database.read() as tx:
                    missing = [dag_id for dag_id in dag_ids if find_dag(tx, dag_id) is None]
                assert not missing, f"missing: {missing}; {self._tail()}"
                return True

            wait_until(known, timeout, what=f"DAGs {', '.join(dag_ids)}")

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run; return its id."""
        (row,) = self.read("dags", "trigger", dag_id, "--conf", json.dumps(conf))
        return str(row["dag_run_id"])

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 45) -> str:
        """Wait until a run has ended; return its state."""

        with closing(Database(self.database_url)) as database:

            def ended() -> str:
                with database.read() as tx:
                    run = find_run(tx, dag_id, run_id)
                assert run is not None, "there is no such run"
                assert run.state in FINAL, f"it is {run.state}"
                return run.state.value

            try:
                return wait_until(ended, timeout, what=f"the end of {dag_id} {run_id}")
            except AssertionError as error:
                raise AssertionError(f"{error}: {self.task_states(dag_id, run_id)}; {self._tail()}") from error

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run."""
        return {row["task_id"]: row["state"] for row in self.read("tasks", "states-for-dag-run", dag_id, run_id)}

    def task_log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return the log of an attempt."""
        parts = [f"dag_id={dag_id}", f"run_id={run_id}", f"task_id={task_id}", f"attempt={attempt}.log"]
        return self.home.joinpath("logs", *parts).read_text(encoding="utf-8")

    def _tail(self) -> str:
        return f"scheduler: {self.log.read_text()[-2000:]}" if self.log.exists() else "no scheduler"
