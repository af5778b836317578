"""How long does a single run wait while thousands of another DAG's runs are queued, or thousands of its tasks ready?

python -m benchmarks.fairness --runs 10000 --tasks 10000 [--database URL]

A real scheduler with real task processes works on the mass all the time; the single run is asked for again and again.
Waiting is from the instant that the run is stored to the start of its task, both by the clock of this machine.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import click
from sqlalchemy import func, insert, select

from tests.support.installation import Installation
from tests.support.waiting import wait_until
from tradewind.metadata import dags
from tradewind.metadata.database import Database
from tradewind.metadata.migrate import migrate
from tradewind.metadata.models import DagRun, TaskInstance
from tradewind.metadata.triggering import WantedRun, create_run
from tradewind.model.states import RunState, RunType, TaskState

DAGS: Final = """
from airflow.sdk import DAG, task

with DAG("a_busy", schedule=None, is_paused_upon_creation=False):

    @task
    def work():
        pass

    work()

with DAG("b_single", schedule=None, is_paused_upon_creation=False):

    @task
    def only():
        pass

    only()

with DAG("c_wide", schedule=None, is_paused_upon_creation=False, max_active_tasks=100_000):

    @task
    def values():
        return list(range({tasks}))

    @task
    def one(value):
        pass

    one.expand(value=values())
"""


def queue_runs(db: Database, count: int) -> None:
    """Queue so many runs of the busy DAG, by one statement."""
    now = datetime.now(UTC)
    with db.write() as tx:
        version = dags.get_dag(tx, "a_busy").version_id
        rows: list[dict[str, Any]] = [
            {
                "kind": "dag",
                "dag_id": "a_busy",
                "run_id": f"r{number}",
                "version_id": version,
                "run_type": RunType.MANUAL,
                "triggered_by": "cli",
                "run_after": now - timedelta(days=1) + timedelta(seconds=number),
                "conf": {},
                "state": RunState.QUEUED,
                "queued_at": now,
                "next_seq": 2,
                "fence": 0,
            }
            for number in range(count)
        ]
        tx.execute(insert(DagRun), rows)


def waits(db: Database, tries: int) -> list[float]:
    """Ask for the single run so often; return the milliseconds from each wish to the start of its task."""
    found = list[float]()
    for _ in range(tries):
        with db.write() as tx:
            asked_at = datetime.now(UTC)
            pk = create_run(tx, WantedRun("b_single"), asked_at).pk
        at = wait_until(partial(_started, db, pk), 120, what="the single run", every=0.02)
        assert at is not None
        found.append((at - asked_at).total_seconds() * 1000)
        time.sleep(0.3)
    return found


def _started(db: Database, pk: int) -> datetime | None:
    with db.read() as tx:
        return tx.execute(select(TaskInstance.started_at).where(TaskInstance.run_pk == pk)).scalar()


def told(name: str, found: list[float], db: Database) -> str:
    """Return one line of figures, with how many tasks of the mass have ended meanwhile."""
    with db.read() as tx:
        query = select(func.count()).where(TaskInstance.state == TaskState.SUCCESS, TaskInstance.dag_id != "b_single")
        done = tx.execute(query).scalar_one()
    p95 = quantiles(found, n=20)[-1]
    return f"{name:32} p50 {median(found):6.0f} ms  p95 {p95:6.0f} ms  max {max(found):6.0f} ms  {done:6,} tasks done"


@click.command()
@click.option("--database", help="URL of an empty database. Without it: an SQLite file.")
@click.option("--runs", default=10_000, show_default=True, help="Queued runs of the busy DAG.")
@click.option("--tasks", default=10_000, show_default=True, help="Ready tasks of one run of the wide DAG.")
@click.option("--tries", default=30, show_default=True, help="How often the single run is asked for.")
def main(database: str | None, runs: int, tasks: int, tries: int) -> None:
    """Measure how long a single run waits beside the mass of others."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder:
        url = database or f"sqlite:///{folder}/bench.db"
        db = Database(url)
        migrate(db)
        settings = {"TRADEWIND__CORE__MAX_MAP_LENGTH": str(tasks), "TRADEWIND__CORE__PARALLELISM": "16"}
        with Installation(Path(folder) / "home", url, settings) as installation:
            (installation.dags / "fair.py").write_text(DAGS.format(tasks=tasks))
            installation.start_scheduler()
            installation.wait_for_dags("a_busy", "b_single", "c_wide")
            waits(db, 2)
            click.echo(f"load average {os.getloadavg()[0]:.1f}")
            click.echo(told("nothing else to do", waits(db, tries), db))
            queue_runs(db, runs)
            click.echo(told(f"{runs:,} queued runs", waits(db, tries), db))
            with db.write() as tx:
                create_run(tx, WantedRun("c_wide", run_id="wide"), datetime.now(UTC))
            wait_until(lambda: _ready(db) > tasks // 2, 300, what="ready tasks")
            click.echo(told(f"and {_ready(db):,} ready tasks", waits(db, tries), db))
            click.echo(f"load average {os.getloadavg()[0]:.1f}")
        db.close()


def _ready(db: Database) -> int:
    with db.read() as tx:
        return tx.execute(select(func.count()).where(TaskInstance.state == TaskState.SCHEDULED)).scalar_one()


if __name__ == "__main__":
    main()
