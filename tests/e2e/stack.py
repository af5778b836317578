"""A real installation for tests: home, metadata DB, DAG files, and a scheduler that can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from scheduler.runs import trigger_run
from scheduler.verify import verify
from scheduler.why import explain
from tests.support.waiting import wait_until
from tradewind.config import Config, load_config
from tradewind.metadata import attempts, runs
from tradewind.metadata.dags import find_dag
from tradewind.metadata.database import Database
from tradewind.run.view import TaskView

EFFECTS = '''
import os
def effect(**context):
    """Leave one line for each start: what was started, and as which attempt."""
    ti = context["ti"]
    line = f"{ti.run_id} {ti.task_id} {ti.try_number}\\n"
    fd = os.open(os.environ["EFFECTS_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)
'''


@dataclass
class Stack:
    """One home with its metadata DB. ``environ`` is what its processes get."""

    home: Path
    url: str
    lease_seconds: float = 3.0
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.effects = self.home / "effects.txt"
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TRADEWIND", "AIRFLOW"))},
            "TRADEWIND_HOME": str(self.home),
            "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": self.url,
            "TRADEWIND__CORE__LOAD_EXAMPLES": "False",
            "TRADEWIND__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "TRADEWIND__SCHEDULER__LEASE_SECONDS": str(self.lease_seconds),
            "TRADEWIND__SCHEDULER__POLL_SECONDS": "1",
            "EFFECTS_FILE": str(self.effects),
            **self.settings,
        }
        self.config: Config = load_config(self.environ)
        self.db = Database(self.url)

    # --- DAG files and runs ------------------------------------------------------------------------------------------

    def write_dag(self, name: str, text: str) -> None:
        (self.home / "dags" / name).write_text(text, encoding="utf-8")

    def wait_dag(self, dag_id: str) -> None:
        def is_there() -> bool:
            with self.db.read() as tx:
                return find_dag(tx, dag_id) is not None

        wait_until(is_there, timeout=90, what=f"DAG {dag_id}")

    def trigger(self, dag_id: str, number: int = 1, **fields: object) -> int:
        made = trigger_run(self.db, self.config, dag_id=dag_id, run_id=f"run{number}", logical_date=None, **fields)  # type: ignore[arg-type]
        return made.pk

    def lines(self) -> list[str]:
        """What tasks did, a line for each start."""
        return self.effects.read_text().splitlines() if self.effects.exists() else []

    def all_over(self, *pks: int) -> bool:
        """Whether all these runs have ended."""
        with self.db.read() as tx:
            return all(run.ended_at is not None for run in runs.get_runs(tx, pks))

    def wait_over(self, *pks: int, timeout: float = 60) -> None:
        wait_until(lambda: self.all_over(*pks), timeout=timeout, every=0.05, what=f"the end of runs {pks}")

    def run_state(self, pk: int) -> str:
        with self.db.read() as tx:
            return runs.get_runs(tx, [pk])[0].state.value

    def tasks(self, pk: int) -> dict[str, TaskView]:
        with self.db.read() as tx:
            return {task.task_id: task for task in runs.list_task_instances(tx, pk)}

    def attempts(self, pk: int, task_id: str | None = None) -> list[attempts.AttemptRecord]:
        with self.db.read() as tx:
            return attempts.list_attempts(tx, pk, task_id)

    def log(self, pk: int, task_id: str, try_number: int = 1) -> str:
        with self.db.read() as tx:
            run = runs.get_runs(tx, [pk])[0]
        folder = self.config.logging.base_log_folder / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"
        return (folder / f"task_id={task_id}" / f"attempt={try_number}.log").read_text(encoding="utf-8")

    # --- the scheduler -----------------------------------------------------------------------------------------------

    def start(self, **extra: str) -> None:
        """Start a scheduler. ``extra`` is added to its environment."""
        output = (self.home / "scheduler.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tradewind.cli", "scheduler"],
            env={**self.environ, **extra},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.home,
        )
        output.close()

    def is_dead(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=20)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)
        self.db.close()

    def tell(self) -> None:
        """Print what is known of every run and the end of the scheduler's output: shown when the test failed."""
        with self.db.read() as tx:
            found = runs.list_runs(tx, limit=1000)
        for run in found:
            for reason in explain(self.db, run.dag_id, run.run_id):
                print(reason.run_id, reason.task_id, reason.state, reason.text)
        output = self.home / "scheduler.log"
        if output.exists():
            print(output.read_text(errors="replace")[-8000:])

    def below(self, title: str) -> list[psutil.Process]:
        """Processes below the scheduler whose title begins so."""
        assert self.process is not None
        found = []
        try:
            for process in psutil.Process(self.process.pid).children(recursive=True):
                if process.is_running() and process.name().startswith(title[:15]):
                    found.append(process)
        except psutil.NoSuchProcess:
            pass
        return found

    # --- what must hold at the end -----------------------------------------------------------------------------------

    def assert_sound(self) -> None:
        """No attempt was started twice, each start is recorded, the log agrees with what is stored, nothing is left."""
        lines = self.lines()
        twice = {line: n for line, n in Counter(lines).items() if n > 1}
        assert twice == {}, "started twice for one attempt"
        assert verify(self.db) == []
        with self.db.read() as tx:
            known = {
                f"{run.run_id} {a.task_id} {a.try_number}"
                for run in runs.list_runs(tx, limit=1000)
                for a in attempts.list_attempts(tx, run.pk)
            }
        assert set(lines) <= known
        wait_until(lambda: self._active() == 0, timeout=30, what="no attempt that holds slots")

    def _active(self) -> int:
        with self.db.read() as tx:
            return len(attempts.list_active(tx))
