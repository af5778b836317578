"""What becomes of work whose worker is killed, or stands still for longer than its lease?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest

from tests.engine.world import task
from tests.executors.worker.yard import PATIENCE, Yard
from tests.support.waiting import wait_until
from tradewind.faults import KILL_AT
from tradewind.metadata.attempts import list_attempts
from tradewind.metadata.worker_queue import list_workers

ROOT = Path(__file__).parents[3]
NAMES = [f"t{number}" for number in range(12)]
MANY = """
for number in range(12):
    @task(task_id=f"t{number}")
    def one(ti):
        note(ti)
    one()
"""
SLOW = """
@task
def slow(ti):
    note(ti)
    while not (HERE / "gate").exists():
        time.sleep(0.02)
    note(ti)
slow()
"""


@contextmanager
def worker_process(yard: Yard, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own."""
    settings = {
        "TRADEWIND_HOME": str(yard.config.home),
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": yard.config.database.sql_alchemy_conn,
        "TRADEWIND__SCHEDULER__LEASE_SECONDS": "3",
        "TRADEWIND__SCHEDULER__POLL_SECONDS": "1",
    }
    with (yard.config.home / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.executors.worker.child"],
            cwd=ROOT, env={**os.environ, **settings, **environ}, stdin=subprocess.PIPE, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait(PATIENCE)


def workers(yard: Yard) -> int:
    with yard.database.read() as tx:
        return len(list_workers(tx, yard.database.now()))


@pytest.mark.parametrize("point", ["after-claim", "after-look", "before-report", "after-report"])
def test_a_worker_that_is_killed_loses_nothing_and_starts_nothing_twice(yard: Yard, tmp_path: Path, point: str) -> None:
    version = yard.add_dag(MANY, *[task(name) for name in NAMES])
    with worker_process(yard, **{KILL_AT: f"worker-{point}"}) as first, yard.scheduler():
        assert first.stdin is not None
        told = first.stdin

        def deliver(ids: list[UUID]) -> None:
            with suppress(BrokenPipeError):  # it is dead: then the message is lost
                told.write("".join(f"{one}\n" for one in ids).encode())
                told.flush()

        wait_until(lambda: workers(yard) == 1, PATIENCE, what="the worker")
        if point == "after-claim":
            yard.broker.deliver = deliver
        run = yard.run(version)
        assert first.wait(PATIENCE) == -signal.SIGKILL
        yard.worker()
        yard.wait_over(run)

    assert yard.state_of(run) == "success"
    attempts = yard.attempts(run)
    for name in NAMES:
        tries = [row for row in attempts if row[0] == name]
        assert [row[3] for row in tries] == ["lost"] * (len(tries) - 1) + ["success"]
        begun = yard.ran(name).split()
        assert len(begun) == len(set(begun)), f"an attempt of {name} began twice: {begun}"
        assert set(begun) <= {str(row[1]) for row in tries}
    if point == "after-claim":
        assert yard.losses(run) >= 1


def test_a_worker_that_stood_still_for_longer_than_its_lease_kills_what_is_not_its_own(yard: Yard) -> None:
    version = yard.add_dag(SLOW, task("slow"))
    with worker_process(yard) as first, yard.scheduler():
        run = yard.run(version)
        yard.wait_ran("slow", "1")
        zombie = wait_until(lambda: pid_of(yard, run), PATIENCE, what="the process of the first try")
        first.send_signal(signal.SIGSTOP)
        second = yard.worker()
        yard.wait_ran("slow", "1 2")
        first.send_signal(signal.SIGCONT)
        wait_until(lambda: workers(yard) == 2, PATIENCE, what="the first worker, begun anew")
        wait_until(lambda: not Path(f"/proc/{zombie}").exists(), PATIENCE, what="the end of its process")
        assert second.running == 1
        yard.open_gate()
        yard.wait_over(run)

    assert yard.ran("slow") == "1 2 2"
    assert [row[3] for row in yard.attempts(run)] == ["lost", "success"]


def pid_of(yard: Yard, run: int) -> int | None:
    with yard.database.read() as tx:
        return list_attempts(tx, run)[0].pid
