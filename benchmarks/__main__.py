"""What is run, in which order? All contenders in turn, several rounds, one after another on one machine."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import click
import psycopg
from psycopg import sql
from sqlalchemy import make_url

from benchmarks import measures, report
from benchmarks.contenders import PARALLELISM, Contender, Running, free_port, fresh_home
from benchmarks.measures import Figures
from benchmarks.workloads import QUICK, Sizes, write_dags, write_due, write_once
from tests.support import postgres
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[1]
PARTS = ("idle", "chain", "parallel", "mapped", "save", "due", "cold", "import")


@click.command()
@click.option("--airflow", type=click.Path(exists=True), help="The rival's command. Without it only Tradewind runs.")
@click.option("--tradewind", default=str(ROOT / ".venv/bin/tradewind"), show_default=True, help="Our command.")
@click.option("--contender", "only", multiple=True, help="Run only contenders whose name contains this. Repeatable.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Run only this part. Repeatable.")
@click.option("--rounds", default=2, show_default=True, help="How often each contender takes its turn.")
@click.option("--quick", is_flag=True, help="Small sizes, to see that everything works. Figures mean little.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the page here, e.g. docs/benchmarks.md.")
def main(
    airflow: str | None,
    tradewind: str,
    only: tuple[str, ...],
    parts: tuple[str, ...],
    rounds: int,
    quick: bool,
    out: Path | None,
) -> None:
    """Measure Tradewind side by side with Apache Airflow, and print a table."""
    sizes = QUICK if quick else Sizes()
    kept = report.written_by_hand(out.read_text()) if out is not None and out.exists() else ""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder, postgres_server(Path(folder)) as server:
        contenders = [c for c in _contenders(tradewind, airflow, server) if not only or any(o in c.name for o in only)]
        results: dict[str, list[Figures]] = {contender.name: [] for contender in contenders}
        facts = [*report.machine(), f"PostgreSQL {_server_version(server)}"]
        facts += sorted({report.version_of(c.program, c.settings) for c in contenders})
        order: list[str] = []
        for round_ in range(rounds):
            for contender in contenders:
                click.echo(f"Round {round_ + 1} of {rounds}: {contender.name}", err=True)
                order.append(contender.name)
                results[contender.name].append(_take_turn(contender, Path(folder) / "homes", sizes, parts or PARTS))
                click.echo(report.table(results, sizes), err=True)
                if out is not None:  # after each turn, so that an interrupted measurement leaves what it has
                    out.write_text(report.page(results, sizes, order, facts) + kept)
    click.echo(report.table(results, sizes))


CELERY = {"TRADEWIND__CORE__EXECUTOR": "CeleryExecutor", "TRADEWIND__CELERY__WORKER_CONCURRENCY": str(PARALLELISM)}
CELERY_PARTS = frozenset({"idle", "chain", "parallel", "mapped"})  # how tasks run makes no difference to the rest
ONE_OF_EACH = "cluster --schedulers 1 --workers 1 --triggerers 1 --web-servers 1"


def _contenders(tradewind: str, airflow: str | None, server: str) -> Iterator[Contender]:
    """Rivals and ours alternate, so that a slow hour of the machine hits both."""
    if airflow is not None:
        tuned = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1"}
        yield Contender("Airflow, tuned", airflow, server, tuned)
    yield Contender("Tradewind, PostgreSQL", tradewind, server)
    yield Contender("Tradewind, Celery + Redis", tradewind, server, CELERY, CELERY_PARTS, ONE_OF_EACH)
    if airflow is not None:
        yield Contender("Airflow, as shipped", airflow, server, parts=frozenset({"idle", "chain"}))  # the rest is alike
    yield Contender("Tradewind, SQLite", tradewind, None)


def _take_turn(contender: Contender, homes: Path, sizes: Sizes, asked: tuple[str, ...]) -> Figures:
    figures: Figures = {}
    parts = [part for part in PARTS if part in asked and (contender.parts is None or part in contender.parts)]
    for name, group in GROUPS.items():
        mine = [part for part in group if part in parts]
        try:
            if mine:
                TURNS[name](contender, homes / name, sizes, mine, figures)
        except RuntimeError as error:  # one contender that fails at one thing must not cost the others their figures
            click.echo(f"{contender.name}, {name}: {error}", err=True)
    return figures


def _turn_main(contender: Contender, home: Path, sizes: Sizes, parts: list[str], figures: Figures) -> None:
    with _running(contender, home, lambda folder: write_dags(folder, sizes)) as (running, _):
        measures.ready(running, sizes.dags)
        for part in parts:
            figures |= MAIN[part](running, sizes)


def _turn_due(contender: Contender, home: Path, sizes: Sizes, _parts: list[str], figures: Figures) -> None:
    with _running(contender, home, lambda folder: write_due(folder, sizes)) as (running, at):
        measures.ready(running, sizes.due)
        figures |= measures.due(running, sizes, at)


def _turn_cold(contender: Contender, home: Path, _sizes: Sizes, _parts: list[str], figures: Figures) -> None:
    began = time.monotonic()
    with _running(contender, home, write_once) as (running, _):
        figures |= measures.cold(running, began)


def _turn_import(contender: Contender, _home: Path, _sizes: Sizes, _parts: list[str], figures: Figures) -> None:
    figures |= measures.importing(contender)


MAIN = {
    "idle": measures.idle,
    "chain": measures.chain,
    "parallel": measures.parallel,
    "mapped": measures.mapped,
    "save": measures.save,
}
GROUPS = {"main": tuple(MAIN), "due": ("due",), "cold": ("cold",), "import": ("import",)}
TURNS = {"main": _turn_main, "due": _turn_due, "cold": _turn_cold, "import": _turn_import}

T = TypeVar("T")


@contextmanager
def _running(contender: Contender, folder: Path, write: Callable[[Path], T]) -> Iterator[tuple[Running, T]]:
    """Bring the contender up in a fresh home and database; give it, and what ``write`` returned for its DAG folder."""
    home = fresh_home(folder)
    written = write(home / "dags")
    with _database(contender, home) as url, Running(contender, home, url) as running:
        yield running, written


@contextmanager
def _database(contender: Contender, home: Path) -> Iterator[str]:
    """Give the URL of an empty database."""
    if contender.server is None:
        yield f"sqlite:///{home / 'bench.db'}"
        return
    name = f"bench_{uuid4().hex}"
    with psycopg.connect(contender.server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_url(contender.server).set(database=name).render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Give the address of a private PostgreSQL server with its own defaults, durability included."""
    place = folder / "postgres"
    place.mkdir()
    folder.chmod(0o755)  # root lends the server another user's ids
    server, address = postgres.start(place, postgres.DURABLE, free_port())
    try:
        wait_until(lambda: _answers(address), 30, what="PostgreSQL")
        yield address
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _server_version(address: str) -> str:
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        return connection.info.parameter_status("server_version") or "unknown"


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address.replace("+psycopg", "")).close()
    except psycopg.OperationalError:
        return False
    return True


if __name__ == "__main__":
    main()
