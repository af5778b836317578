"""How fast is what is old removed, and what does a scheduler beside it notice? A past is made by copying one real run.

python -m benchmarks.retention --database URL --runs 10000 --tasks 100

One run of a DAG is run by a real scheduler; its rows are then copied as often as wanted, each copy with ids and dates
of its own. Half of the figures are taken while a scheduler with real task processes runs a chain beside it.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

import click
import psutil
from sqlalchemy import Column, Connection, TextClause, func, insert, select, text, update

from scheduler.retention.cleaning import Cleaner, Wish
from scheduler.retention.foreseeing import foresee
from scheduler.retention.pace import pace_for
from scheduler.retention.service import RESTS
from scheduler.retention.tables import RUNS
from scheduler.verify import verify
from tests.engine.world import add_run, dag, is_over, running_scheduler, store, task
from tests.support.installation import Installation
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.migrate import migrate
from tradewind.metadata.models import Attempt, Base, TaskInstance, XCom
from tradewind.metadata.retention_rest import Scope, file_size
from tradewind.metadata.runs import find_run
from tradewind.model.orders import attempt_id

COPIED: Final = ("task_instance", "attempt", "run_event", "xcom")
SHIFTED: Final = {("dag_run", "logical_date"), ("dag_run", "run_after"), ("dag_run", "ended_at"), ("run_event", "at")}
"""What says when a run ended; of the log, that of its end alone. All else is as it was in the model run."""
CHUNK: Final = 500


def seed(db: Database, runs: int, tasks: int, say: Callable[[int, int], None]) -> None:
    """Make a DAG ``past`` with so many runs of so many tasks, an hour apart, the last an hour ago."""
    model = _model_run(db, tasks)
    for first in range(1, runs + 1, CHUNK):
        last = min(runs, first + CHUNK - 1)
        with db.write() as tx:
            if not db.is_sqlite:
                tx.execute(text("SET LOCAL synchronous_commit = off"))
            for name in ("dag_run", *COPIED):
                tx.execute(_copying(db, name), {"model": model, "first": first, "last": last, "runs": runs})
        say(last, runs)
    with db.write() as tx:
        _name_attempts(tx, range(model + max(1, runs - 20), model + runs + 1))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not db.is_sqlite:
            number = "pg_get_serial_sequence('dag_run', 'id')"
            connection.execute(text(f"SELECT setval({number}, (SELECT max(id) FROM dag_run))"))
            connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("ANALYZE" if db.is_sqlite else "VACUUM ANALYZE"))


def _name_attempts(tx: Connection, pks: range) -> None:
    """Give the attempts of runs that will stay the ids that the log says; those of the others are but unique."""
    for row in tx.execute(select(Attempt.id, Attempt.run_pk, Attempt.task_id).where(Attempt.run_pk.in_(pks))).all():
        right = attempt_id(row.run_pk, row.task_id, -1, 1, 0)
        tx.execute(update(Attempt).where(Attempt.id == row.id).values(id=right))
        of_task = (TaskInstance.run_pk == row.run_pk, TaskInstance.task_id == row.task_id)
        tx.execute(update(TaskInstance).where(*of_task).values(attempt_id=right))


def _model_run(db: Database, tasks: int) -> int:
    spec = dag("past", task("t000"), *(task(f"t{n:03}", f"t{n - 1:03}") for n in range(1, tasks)))
    pk = add_run(db, store(db, spec), "past", 1)
    with running_scheduler(db):
        wait_until(is_over(db, pk), 120)
    value = json.dumps({"rows": 1000, "path": "s3://somewhere/part-00000.parquet"})
    with db.write() as tx:
        for task_id in tx.execute(select(TaskInstance.task_id).where(TaskInstance.run_pk == pk)).scalars().all():
            key = {"run_pk": pk, "task_id": task_id, "map_index": -1, "key": "return_value"}
            tx.execute(insert(XCom).values(**key, value=value, size_bytes=len(value), created_at=datetime.now(UTC)))
    return pk


def _copying(db: Database, name: str) -> TextClause:
    """Return the statement that copies a table's rows of the model run for the runs ``first`` to ``last``."""
    table = Base.metadata.tables[name]
    columns = [column.name for column in table.columns]
    given = ", ".join(_copied(db, column) for column in table.columns)
    numbers = "generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n(n)"
    if db.is_sqlite:
        counting = "WITH RECURSIVE c(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM c WHERE n < :last)"
        numbers = f"({counting} SELECT n FROM c) n"
    of_model = "id" if name == "dag_run" else "run_pk"
    quoted = ", ".join(f'"{column}"' for column in columns)
    return text(f"INSERT INTO {name} ({quoted}) SELECT {given} FROM {numbers}, {name} m WHERE m.{of_model} = :model")


def _copied(db: Database, column: Column[Any]) -> str:
    name = f'm."{column.name}"'
    hexed = "printf('%08x', n.n)" if db.is_sqlite else "lpad(to_hex(n.n), 8, '0')"
    if column.name == "run_pk" or (column.table.name, column.name) == ("dag_run", "id"):
        return ":model + n.n"
    if (column.table.name, column.name) == ("dag_run", "run_id"):
        return "'past' || n.n"
    if (column.table.name, column.name) in SHIFTED:
        shifted = f"{name} - (:runs - n.n + 1) * interval '1 hour'"
        if db.is_sqlite:
            shifted = f"strftime('%Y-%m-%d %H:%M:%f', {name}, '-' || (:runs - n.n + 1) || ' hours') || '000'"
        is_moved = "m.kind = 'run_succeeded'" if column.table.name == "run_event" else "true"
        return f"CASE WHEN {is_moved} THEN {shifted} ELSE {name} END"
    if (column.table.name, column.name) in (("attempt", "id"), ("task_instance", "attempt_id")):
        return f"{hexed} || substr({name}, 9)" if db.is_sqlite else f"CAST({hexed} || substr({name}::text, 9) AS uuid)"
    return name


# --- what a scheduler notices ----------------------------------------------------------------------------------------

CHAIN: Final = """
from datetime import datetime
from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator

with DAG("chain", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    before = None
    for n in range(40):
        one = PythonOperator(task_id=f"t{n:03}", python_callable=print)
        if before is not None:
            before >> one
        before = one
"""


def hops(installation: Installation, runs: int) -> list[float]:
    """Run the chain so often; return the milliseconds from the end of each task to the start of the next."""
    found: list[float] = []
    for _ in range(runs):
        run_id = installation.trigger("chain")
        installation.wait_for_run("chain", run_id, 120)
        database = Database(installation.database_url)
        with database.read() as tx:
            run = find_run(tx, "chain", run_id)
            assert run is not None
            query = select(TaskInstance.started_at, TaskInstance.ended_at).where(TaskInstance.run_pk == run.pk)
            rows = tx.execute(query.order_by(TaskInstance.task_id)).all()
        database.close()
        found += [
            (after[0] - before[1]).total_seconds() * 1000
            for before, after in pairwise(rows)
            if before[1] is not None and after[0] is not None
        ]
    return found


def told(name: str, found: list[float]) -> str:
    """Return one line of figures."""
    found = sorted(found)
    return (
        f"{name}: {median(found):.1f} ms median, {found[int(len(found) * 0.95)]:.1f} ms 95th percentile, "
        f"{found[-1]:.0f} ms the slowest of {len(found)}"
    )


@click.command()
@click.option("--database", "url", help="Of an empty database. [default: a new SQLite file]")
@click.option("--runs", default=10_000, show_default=True)
@click.option("--tasks", default=100, show_default=True, help="Of each run.")
@click.option("--chains", default=3, show_default=True, help="Runs of 40 tasks that the scheduler does each time.")
@click.option("--beside-seconds", default=60.0, show_default=True, help="How long to remove beside the scheduler.")
@click.option("--archive", is_flag=True, help="Keep what is removed.")
@click.option("--seeded", is_flag=True, help="The past is there already.")
def main(
    url: str | None, runs: int, tasks: int, chains: int, beside_seconds: float, archive: bool, seeded: bool
) -> None:
    """Measure how what is old is removed."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder:
        url = url or f"sqlite:///{folder}/tradewind.db"
        db = Database(url)
        try:
            _measure(db, Path(folder), runs, tasks, chains, beside_seconds, archive=archive, seeded=seeded)
        finally:
            db.close()


def _measure(
    db: Database, folder: Path, runs: int, tasks: int, chains: int, beside: float, *, archive: bool, seeded: bool
) -> None:
    migrate(db)
    started = time.monotonic()
    if not seeded:
        seed(db, runs, tasks, lambda done, of_all: click.echo(f"\rseeding: run {done:,} of {of_all:,}", nl=False))
    click.echo(f"\nseeded {runs * tasks:,} task instances in {time.monotonic() - started:.0f} s; {_size(db)}")
    now = datetime.now(UTC)
    wish = Wish(
        scopes={RUNS: Scope(now)},
        min_runs=10,
        log_folder=folder / "none",
        archive=folder / "archive" if archive else None,
    )
    started = time.monotonic()
    coming = foresee(db, wish)
    plan = ", ".join(f"{one.name} {one.rows:,}" for one in coming if one.rows)
    click.echo(f"dry run: {time.monotonic() - started:.2f} s: {plan}")
    if chains:
        _beside_scheduler(db, folder, wish, chains, beside, now)
    cleaner = Cleaner(db, wish, pace_for(db.is_sqlite, rests=0.0), now)
    click.echo(_removed("alone", db, cleaner, None))
    with db.read() as tx:
        left = tx.execute(select(func.count()).select_from(TaskInstance)).scalar_one()
    click.echo(f"left: {left:,} task instances; {_size(db)}")
    click.echo(f"verify: {len(verify(db))} differences")


def _beside_scheduler(db: Database, folder: Path, wish: Wish, chains: int, beside: float, now: datetime) -> None:
    url = db.url.render_as_string(hide_password=False)
    with Installation(folder / "home", url, {"TRADEWIND__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False"}) as installation:
        (installation.dags / "chain.py").write_text(CHAIN)
        installation.start_scheduler()
        installation.wait_for_dags("chain")
        hops(installation, 1)
        click.echo(told("hop, nothing is removed", hops(installation, chains)))
        stop = threading.Event()
        said: list[str] = []

        def remove() -> None:
            said.append(
                _removed("beside", db, Cleaner(db, wish, pace_for(db.is_sqlite, rests=RESTS), now), (stop, beside))
            )

        thread = threading.Thread(target=remove)
        thread.start()
        click.echo(told("hop, while rows are removed", hops(installation, chains)))
        stop.set()
        thread.join()
        click.echo(said[0])
        click.echo(told("hop, nothing is removed", hops(installation, chains)))


def _removed(how: str, db: Database, cleaner: Cleaner, until: tuple[threading.Event, float] | None) -> str:
    gone: Counter[str] = Counter()
    seconds: list[float] = []
    most, wal = 0, 0
    started = time.monotonic()
    process = psutil.Process()
    before = process.memory_info().rss
    for number, step in enumerate(cleaner.steps()):
        gone += step.gone
        seconds.append(step.seconds)
        if number % 50 == 0:
            most = max(most, process.memory_info().rss - before)
            wal = max(wal, _wal(db))
        if until is None:
            time.sleep(step.rest)
        elif until[0].wait(step.rest) or time.monotonic() - started > until[1]:
            break
    took = time.monotonic() - started
    if not seconds:
        return f"{how}: nothing was left to remove"
    seconds.sort()
    return (
        f"{how}: {gone.total():,} rows ({gone['task_instance']:,} task instances) in {took:.1f} s, "
        f"{gone.total() / took:,.0f} rows/s; {len(seconds):,} transactions, {median(seconds) * 1000:.0f} ms median, "
        f"{seconds[int(len(seconds) * 0.99)] * 1000:.0f} ms 99th percentile, {seconds[-1] * 1000:.0f} ms the longest; "
        f"{most / 2**20:.0f} MiB more memory" + (f"; WAL at most {wal / 2**20:.0f} MiB" if db.is_sqlite else "")
    )


def _wal(db: Database) -> int:
    path = Path(f"{db.url.database}-wal")
    return path.stat().st_size if db.is_sqlite and path.exists() else 0


def _size(db: Database) -> str:
    if db.is_sqlite:
        size, free = file_size(db)
        return f"the file has {size / 2**20:,.0f} MiB, {free / 2**20:,.0f} of them free"
    with db.read() as tx:
        size = tx.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return f"the database has {size / 2**20:,.0f} MiB"


if __name__ == "__main__":
    main()
