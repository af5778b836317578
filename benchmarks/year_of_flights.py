"""Does a backfill of the nightly flights ETL load every day once, however often its scheduler is killed? And how fast?

``python -m benchmarks.year_of_flights`` fills the year 2013, 365 runs, 16 at a time, and kills the scheduler twice with
``kill -9``. Then it counts: each day's flights against the archive, the starts of each task, the entries of the log.
The test suite does the same with a few days.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import click
from sqlalchemy import select

from benchmarks import report
from scheduler.verify import verify
from tests.support.installation import Installation
from tests.support.waiting import wait_until
from tradewind.metadata import backfills
from tradewind.metadata.backfills import BackfillCounts
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt, DagRun

DAG_ID = "nightly_flights"
FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)
DAGS = Path(__file__).parents[1] / "dags"

LISTENER = '''
"""Leaves a line for each start of a task's function, written by the task process itself."""
import os
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

class Ear:
    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        line = f"{task_instance.run_id} {task_instance.task_id} {task_instance.try_number}\\n"
        fd = os.open(os.path.join(os.environ["TRADEWIND_HOME"], "starts.txt"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, line.encode())
        os.close(fd)

class Starts(AirflowPlugin):
    name = "starts"
    listeners = [Ear()]
'''


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted when a backfill was over.

    Attributes:
        seconds: from its creation to its end, the time that the scheduler was dead included.
        lost: starts whose end a kill has swallowed; each was done again as another try.
        problems: everything that is not as it must be; empty when all is well.
    """

    runs: int
    flights: int
    tasks: int
    starts: int
    lost: int
    kills: int
    seconds: float
    problems: tuple[str, ...]


def flights_of(first: date, last: date) -> dict[date, Counter[str]]:
    """Return the flights of each day by carrier, counted in the archive itself."""
    with zipfile.ZipFile(_data_folder() / "flights.csv.zip") as archive:
        text = archive.read("flights.csv").decode()
    counts: dict[date, Counter[str]] = defaultdict(Counter)
    for row in csv.DictReader(io.StringIO(text)):
        day = date(int(row["year"]), int(row["month"]), int(row["day"]))
        if first <= day <= last:
            counts[day][row["carrier"]] += 1
    return dict(counts)


def _data_folder() -> Path:
    if str(DAGS) not in sys.path:
        sys.path.insert(0, str(DAGS))  # the example DAGs are a DAG folder, not a package that is installed
    from flights_etl import source

    return source.data_folder()


def prepare(home: Path, url: str, settings: Mapping[str, str] | None = None) -> Installation:
    """Return an installation with the example DAGs, whose tasks leave a line for each start."""
    made = Installation(home, url, {"TRADEWIND__CORE__LOAD_EXAMPLES": "True", **(settings or {})})
    (home / "plugins").mkdir(exist_ok=True)
    (home / "plugins" / "starts.py").write_text(LISTENER, encoding="utf-8")
    made.run("db", "migrate")
    made.run("dags", "reserialize")
    made.run("dags", "pause", DAG_ID)  # no scheduled run comes between; the backfill runs all the same
    return made


def fill(made: Installation, first: date, last: date, *, window: int, kills: int, timeout: float) -> Found:
    """Backfill the days, with as many kills of the scheduler, evenly spread over the runs; then count everything."""
    began = time.monotonic()
    # The run of a night, at 02:00 by New York's clock, is about the day before.
    first_run, last_run = (day + timedelta(days=1) for day in (first, last))
    span = ("--from-date", f"{first_run}T00:00-05:00", "--to-date", f"{last_run}T12:00-05:00")
    options = ("--max-active-runs", str(window), "-o", "json")
    (row,) = json.loads(made.run("backfill", "create", "--dag-id", DAG_ID, *span, *options))
    with closing(Database(made.database_url)) as db:
        made.start_scheduler()
        for number in range(1, kills + 1):
            # In the thick of it: runs have ended, others are under way.
            _wait(made, db, row["id"], row["total"] * number // (kills + 1), timeout)
            assert made.scheduler is not None
            made.scheduler.kill()
            made.scheduler.wait(20)
            made.start_scheduler()
        _wait(made, db, row["id"], row["total"], timeout)
        seconds = time.monotonic() - began
        return _count(made, db, row["id"], first, last, kills, seconds)


def _wait(made: Installation, db: Database, backfill_id: int, wanted: int, timeout: float) -> None:
    def is_so_far() -> bool:
        with db.read() as tx:
            record = backfills.get_backfill(tx, backfill_id)
            counts = backfills.count_slots(tx, backfill_id)
        is_over = record.completed_at is not None
        assert made.scheduler is not None and made.scheduler.poll() is None, "the scheduler has ended by itself"
        return is_over or (counts.done >= wanted < counts.total)

    wait_until(is_so_far, timeout, what=f"{wanted} runs of backfill {backfill_id}", every=0.1)


def _count(
    made: Installation, db: Database, backfill_id: int, first: date, last: date, kills: int, seconds: float
) -> Found:
    expected = flights_of(first, last)
    with db.read() as tx:
        record = backfills.get_backfill(tx, backfill_id)
        counts = backfills.count_slots(tx, backfill_id)
        outcomes: dict[tuple[str, str], Counter[str | None]] = defaultdict(Counter)
        ids = set()
        for run_id, task_id, outcome, try_number in tx.execute(
            select(DagRun.run_id, Attempt.task_id, Attempt.outcome, Attempt.try_number)
            .join(DagRun, DagRun.id == Attempt.run_pk)
            .where(DagRun.backfill_id == backfill_id)
        ):
            outcomes[run_id, task_id][outcome] += 1
            ids.add(f"{run_id} {task_id} {try_number}")
    starts = (made.home / "starts.txt").read_text().splitlines()
    problems = [
        *_wrong_runs(record.state, counts, len(expected)),
        *_wrong_days(_warehouse(made.home), expected),
        *(f"{key} ended well {found['success']} times: {dict(found)}" for key, found in outcomes.items()
          if found["success"] != 1 or set(found) - {"success", "lost", "returned"}),
        *(f"{line} was started {number} times" for line, number in Counter(starts).items() if number > 1),
        *(f"{line} was started, and nobody wrote it down" for line in sorted(set(starts) - ids)),
        *(f"{one.run_id}: {one.text}" for one in verify(db)),
    ]  # fmt: skip
    return Found(
        runs=counts.success,
        flights=sum(found.total() for found in expected.values()),
        tasks=len(outcomes),
        starts=len(starts),
        lost=len(starts) - len(outcomes),
        kills=kills,
        seconds=seconds,
        problems=tuple(problems),
    )


def _wrong_runs(state: str, counts: BackfillCounts, days: int) -> Iterator[str]:
    if state != "success" or counts.success != days or counts.total != days:
        yield f"the backfill is {state}, with {counts} for {days} days"


def _wrong_days(found: Mapping[date, Counter[str]], expected: Mapping[date, Counter[str]]) -> Iterator[str]:
    for day in sorted(found.keys() | expected.keys()):
        if found.get(day) != expected.get(day):
            yield f"{day}: the warehouse holds {found.get(day)}, the archive {expected.get(day)}"


def _warehouse(home: Path) -> dict[date, Counter[str]]:
    counts: dict[date, Counter[str]] = defaultdict(Counter)
    with closing(sqlite3.connect(home / "flights" / "warehouse.db")) as connection:
        asked = "SELECT flight_date, carrier, count(*) FROM flight GROUP BY flight_date, carrier"
        for day, carrier, number in connection.execute(asked):
            counts[date.fromisoformat(day)][carrier] = number
    return dict(counts)


@click.command()
@click.option("--first", type=click.DateTime(["%Y-%m-%d"]), default=str(FIRST), show_default=True, help="First day.")
@click.option("--last", type=click.DateTime(["%Y-%m-%d"]), default=str(LAST), show_default=True, help="Last day.")
@click.option("--window", default=16, show_default=True, help="How many runs at once.")
@click.option("--kills", default=2, show_default=True, help="How often the scheduler is killed with kill -9.")
@click.option("--database", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True)
def main(first: datetime, last: datetime, window: int, kills: int, database: str) -> None:
    """Backfill the nightly flights ETL, kill its scheduler, and count what came of it."""
    facts = report.machine()
    with tempfile.TemporaryDirectory(prefix="flights-", dir="/tmp") as folder, _url(database, Path(folder)) as url:
        with prepare(Path(folder) / "home", url) as made:
            found = fill(made, first.date(), last.date(), window=window, kills=kills, timeout=7200)
    for fact in facts:
        click.echo(f"- {fact}")
    click.echo(
        f"\n{found.runs} runs, {found.tasks:,} tasks, {found.flights:,} flights, {window} runs at a time, "
        f"{found.kills} kills: {found.seconds:.0f} s, {found.runs / found.seconds * 60:.0f} runs/min, "
        f"{found.tasks / found.seconds:.1f} tasks/s; {found.starts:,} starts, {found.lost} of them lost by kills"
    )
    for problem in found.problems:
        click.echo(f"PROBLEM: {problem}")
    click.echo("Every day's counts are right, nothing was done twice, the log is clean." if not found.problems else "")
    raise SystemExit(1 if found.problems else 0)


@contextmanager
def _url(database: str, folder: Path) -> Iterator[str]:
    if database == "sqlite":
        yield f"sqlite:///{folder / 'flights.db'}"
        return
    from benchmarks.__main__ import postgres_server

    with postgres_server(folder) as address:
        yield address


if __name__ == "__main__":
    main()
