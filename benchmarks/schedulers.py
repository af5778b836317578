"""How much do more schedulers get done, and what does a slow way to the metadata DB cost? 1, 2 and 3, with delay.

``python -m benchmarks.schedulers [--delay-ms 0 --delay-ms 2 --delay-ms 20] [--schedulers 1 ...] [--runs 60 --tasks 8]``
starts a PostgreSQL of its own, puts a proxy before it that holds back each answer, and lets each number of schedulers
run the same runs of many DAGs with real task processes.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import click
import psycopg
from sqlalchemy import make_url, text

from benchmarks.__main__ import postgres_server
from benchmarks.report import machine
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database, ring
from tradewind.metadata.migrate import migrate
from tradewind.metadata.triggering import WantedRun, create_run
from tradewind.model.states import RunType

DAGS = 12
FILE = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator

def nothing():
    pass

with DAG({dag_id!r}, schedule=None, is_paused_upon_creation=False, max_active_runs=100):
    tasks = [PythonOperator(task_id=f"t{{n}}", python_callable=nothing) for n in range({tasks})]
    for one, two in zip(tasks, tasks[1:]):
        one >> two
"""


class DelayProxy:
    """Passes TCP on, each piece of an answer after a delay: a metadata DB that is so far away, there and back."""

    def __init__(self, host: str, port: int, delay_seconds: float) -> None:
        self._target, self._delay = (host, port), delay_seconds
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more; what is open ends with its ends."""
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            waiting: deque[tuple[float, bytes]] = deque()
            while True:
                left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
                readable, _, _ = select.select([client, server], [], [], left)
                while waiting and waiting[0][0] <= time.monotonic():
                    client.sendall(waiting.popleft()[1])
                for end in readable:
                    try:
                        data = end.recv(1 << 16)
                    except OSError:
                        return
                    if not data:
                        return
                    if end is client:
                        server.sendall(data)
                    else:
                        waiting.append((time.monotonic() + self._delay, data))


class Figures(NamedTuple):
    """What came of one measurement."""

    tasks_per_second: float
    hop_p50_ms: float
    hop_p95_ms: float


@click.command()
@click.option("--schedulers", "counts", multiple=True, type=int, default=(1, 2, 3), show_default=True)
@click.option("--delay-ms", "delays", multiple=True, type=float, default=(0, 2, 20), show_default=True)
@click.option("--runs", default=60, show_default=True, help="Runs, over 12 DAGs.")
@click.option("--tasks", default=8, show_default=True, help="Tasks of each run, one after another.")
def main(counts: tuple[int, ...], delays: tuple[float, ...], runs: int, tasks: int) -> None:
    """Measure throughput and hops with several schedulers, near to the metadata DB and far from it."""
    print(*machine(), sep="\n")
    print(f"\n{runs} runs of {tasks} tasks, one after another, over {DAGS} DAGs; load {os.getloadavg()[0]:.0f}\n")
    print("| delay | schedulers | tasks/s | hop, median | hop, 95 % |\n|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder, postgres_server(Path(folder)) as server:
        for delay in delays:
            for count in counts:
                done = _measure(Path(folder), server, count, delay / 1000, runs, tasks)
                print(
                    f"| {delay:g} ms | {count} | {done.tasks_per_second:.0f} | {done.hop_p50_ms:.0f} ms "
                    f"| {done.hop_p95_ms:.0f} ms |",
                    flush=True,
                )


def _measure(folder: Path, server: str, count: int, delay: float, runs: int, tasks: int) -> Figures:
    name = f"s_{uuid4().hex}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    near = make_url(server).set(database=name)
    home = folder / name
    (home / "dags").mkdir(parents=True)
    for number in range(DAGS):
        (home / "dags" / f"d{number}.py").write_text(FILE.format(dag_id=f"d{number}", tasks=tasks))
    with closing(Database(near.render_as_string(hide_password=False))) as db, _proxy(near.port or 5432, delay) as port:
        migrate(db)
        with _schedulers(count, home, near.set(port=port).render_as_string(hide_password=False)):
            wait_until(lambda: _count(db, "SELECT count(*) FROM dag") >= DAGS, 120, every=0.2)
            # One run of each, so that files are imported and runs are known before the clock starts.
            _trigger(db, DAGS)
            wait_until(lambda: _count(db, ENDED) >= DAGS, 300, every=0.1)
            began = _trigger(db, runs)
            wait_until(lambda: _count(db, ENDED) >= DAGS + runs, 900, every=0.1)
        with db.read() as tx:
            seconds = tx.execute(text(SPAN), {"began": began}).scalar_one()
            p50, p95 = tx.execute(text(HOPS), {"began": began}).one()
    return Figures(runs * tasks / float(seconds), float(p50), float(p95))


ENDED = "SELECT count(*) FROM dag_run WHERE state = 'success'"
SPAN = """
    SELECT extract(epoch FROM max(i.ended_at) - min(i.started_at))
    FROM task_instance i JOIN dag_run r ON r.id = i.run_pk WHERE r.queued_at >= :began
"""
HOPS = """
    SELECT 1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY hop),
        1000 * percentile_cont(0.95) WITHIN GROUP (ORDER BY hop)
    FROM (
        SELECT extract(epoch FROM i.started_at - lag(i.ended_at) OVER of_run) AS hop
        FROM task_instance i JOIN dag_run r ON r.id = i.run_pk WHERE r.queued_at >= :began
        WINDOW of_run AS (PARTITION BY i.run_pk ORDER BY i.started_at)
    ) AS hops
"""


def _count(db: Database, query: str) -> int:
    with db.read() as tx:
        return int(tx.execute(text(query)).scalar_one())


def _trigger(db: Database, runs: int) -> object:
    now = db.now()
    for number in range(runs):
        with db.write() as tx:
            wanted = WantedRun(
                f"d{number % DAGS}",
                f"r-{uuid4().hex}",
                None,
                now,
                {},
                None,
                RunType.MANUAL,
                triggered_by="cli",
                user=None,
            )
            create_run(tx, wanted, now)
            ring(tx, "run")
    return now


@contextmanager
def _proxy(port: int, delay: float) -> Iterator[int]:
    if not delay:
        yield port
        return
    proxy = DelayProxy("127.0.0.1", port, delay)
    try:
        yield proxy.port
    finally:
        proxy.close()


@contextmanager
def _schedulers(count: int, home: Path, url: str) -> Iterator[None]:
    environ = os.environ | {
        "TRADEWIND_HOME": str(home),
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": url,
        "TRADEWIND__CORE__LOAD_EXAMPLES": "False",
        "TRADEWIND__LOGGING__LOGGING_LEVEL": "WARNING",
    }
    running = []
    for number in range(count):
        with (home / f"scheduler-{number}.log").open("wb") as log:
            command = [sys.executable, "-m", "tradewind.cli", "scheduler"]
            running.append(subprocess.Popen(command, env=environ, stdout=log, stderr=log))
    try:
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(60)


if __name__ == "__main__":
    main()
