"""Do workers keep their laws when everything goes wrong at random? Lost answers, messages in any order, ended leases.

``CHAOS_SEEDS=20`` plays twenty stories instead of one.
"""

from __future__ import annotations

import os
import random
import threading
from typing import Any
from uuid import UUID

import pytest

from executors.worker.host import WorkerHost
from executors.worker.link import LinkLost, WorkerLink
from scheduler.verify import verify
from tests.engine.world import task
from tests.executors.worker.yard import Yard
from tests.support.waiting import wait_until
from tradewind.metadata import processes

SEEDS = range(int(os.environ.get("CHAOS_SEEDS", "1")))
COUNT = 40
TASKS = f"""
for number in range({COUNT}):
    @task(task_id=f"t{{number}}")
    def one(ti):
        note(ti)
        time.sleep(0.05 * (int(ti.task_id[1:]) % 4))
    one()
"""


class Unreliable:
    """A link that fails now and then, before or after what was asked is done."""

    def __init__(self, link: WorkerLink, dice: random.Random) -> None:
        self._link, self._dice = link, dice
        self.desk = link.desk
        self.failures = 0
        self.is_calm = False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._link, name)
        if name == "ringing":
            return call

        def made(*args: Any, **kwargs: Any) -> Any:
            fate = 1.0 if self.is_calm else self._dice.random()
            if fate < 0.1:
                self.failures += 1
                raise LinkLost("The question got lost.")
            answer = call(*args, **kwargs)
            if fate < 0.2:
                self.failures += 1
                raise LinkLost("The answer got lost.")
            return answer

        return made


@pytest.mark.parametrize("seed", SEEDS)
def test_every_task_ends_well_and_no_attempt_begins_twice(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    for module in ("executors.worker.host", "executors.worker.teller"):
        monkeypatch.setattr(f"{module}.MAX_AGAIN_SECONDS", 0.3)
    names = [f"t{number}" for number in range(COUNT)]
    above = {name: dice.sample(names[:number], min(number, dice.randint(0, 2))) for number, name in enumerate(names)}
    version = yard.add_dag(TASKS, *[task(name, *above[name]) for name in names])
    links = [Unreliable(yard.link(), random.Random(f"{seed} {number}")) for number in range(3)]
    workers = [yard.worker(link, slots=dice.randint(2, 6)) for link in links]
    told: list[UUID] = []
    lock = threading.Lock()

    def deliver(ids: list[UUID]) -> None:
        with lock:
            told.extend(ids)
            again = [*ids, *dice.sample(told, min(len(told), 3))]
            dice.shuffle(again)
            for one in again:
                if dice.random() < 0.8:  # else the message is lost
                    dice.choice(workers).offer([one])

    yard.broker.deliver = deliver
    with yard.scheduler():
        run = yard.run(version)
        for number in (8, 16, 24):
            wait_until(lambda enough=number: done(yard, run) >= enough, 60, what=f"{number} tasks")  # type: ignore[misc]
            disturb(yard, dice, workers)
        yard.wait_over(run)
        for link in links:
            link.is_calm = True

    assert yard.state_of(run) == "success"
    assert verify(yard.database) == []
    attempts = yard.attempts(run)
    for name in names:
        tries = [row for row in attempts if row[0] == name]
        assert [row[3] for row in tries][-1] == "success"
        assert {row[3] for row in tries[:-1]} <= {"lost", "returned"}
        begun = yard.ran(name).split()
        assert len(begun) == len(set(begun)), f"an attempt of {name} began twice: {begun}"
        assert set(begun) <= {str(row[1]) for row in tries}
        assert str(tries[-1][1]) in begun
    assert sum(link.failures for link in links) > 5


def done(yard: Yard, run: int) -> int:
    return sum(row[3] == "success" for row in yard.attempts(run))


def disturb(yard: Yard, dice: random.Random, workers: list[WorkerHost]) -> None:
    """Take a worker for dead, have one drained and another in its place, or change how much one takes."""
    number = dice.randrange(len(workers))
    match dice.randrange(3):
        case 0:
            with yard.database.write() as tx:
                processes.mark_ended(tx, [workers[number].worker_id], yard.database.now())
        case 1:
            workers[number].stop(0.2)
            workers[number] = yard.worker(slots=3)
        case _:
            workers[number].resize(dice.randint(1, 8))
            workers[number].ring()
