"""Does ``why`` name what keeps an attempt in its queue: nobody takes it, workers are full or drain, it has moved?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import structs
from sqlalchemy import update

from executors.worker.sql_link import SqlLink
from executors.worker.talk import WorkerFacts
from scheduler.why import explain
from tests.engine.world import task
from tests.executors.worker.yard import EXECUTOR, Yard
from tests.support.waiting import wait_until
from tradewind.metadata.models import Attempt


@dataclass
class Waiting:
    """A run with a task in queue gpu, and workers that are told of by hand."""

    yard: Yard
    run: int
    link: SqlLink
    workers: dict[UUID, WorkerFacts] = field(default_factory=dict)

    def why(self) -> str:
        return explain(self.yard.database, "d", task_id="far")[1].text.partition("waits ")[2]

    def add(self, name: str, *queues: str, **facts: Any) -> UUID:
        worker = uuid4()
        values: dict[str, Any] = {"hostname": name, "pid": 1, "version": "1", "executor": EXECUTOR, "slots": 2}
        self.workers[worker] = WorkerFacts(queues=queues, machine="elsewhere", **(values | facts))
        self.link.register(worker, self.workers[worker])
        return worker

    def change(self, worker: UUID, **facts: Any) -> None:
        self.workers[worker] = structs.replace(self.workers[worker], **facts)
        self.link.look(worker, self.workers[worker], free=0, running=[], is_beat=True)


@pytest.fixture
def waiting(yard: Yard) -> Iterator[Waiting]:
    version = yard.add_dag("", task("far", queue="gpu"), *[task(f"t{n}", queue="cpu") for n in range(3)])
    with yard.scheduler(lease=60):
        run = yard.run(version)
        wait_until(lambda: len(yard.broker.told) == 4, what="the attempts")
        yield Waiting(yard, run, yard.link())


def test_a_queue_that_no_worker_takes_is_named_with_the_mend(waiting: Waiting) -> None:
    start = "start one with `tradewind celery worker --queues gpu`"
    assert waiting.why() == f"in queue 'gpu', which no worker takes; {start}"

    waiting.add("w1", "cpu", "default")
    waiting.add("other", "gpu", executor="another")

    assert waiting.why() == f"in queue 'gpu', which no worker takes (w1 takes cpu, default); {start}"


def test_workers_that_are_full_are_named_with_their_slots(waiting: Waiting) -> None:
    full, wide = waiting.add("w1", "gpu", "cpu", slots=1), waiting.add("w2", "gpu", "cpu")
    for worker, free in ((full, 1), (wide, 2)):
        facts = structs.replace(waiting.workers[worker], queues=("cpu",))
        assert len(waiting.link.look(worker, facts, free=free, running=[], is_beat=False).orders) == free

    assert waiting.why() == "in queue 'gpu': all 3 slots of the 2 workers that take it are taken (w1 1 of 1, w2 2 of 2)"

    waiting.change(wide, slots=5)
    assert waiting.why() == "in queue 'gpu': 3 slots of its workers are free, so it is taken within seconds"


def test_workers_that_drain_are_told(waiting: Waiting) -> None:
    start = "start one with `tradewind celery worker --queues gpu`"
    first = waiting.add("w1", "gpu")
    waiting.change(first, is_draining=True)
    assert waiting.why() == (
        f"in queue 'gpu': the only worker that takes it, w1, is draining and takes no more work; {start}"
    )

    second = waiting.add("w2", "gpu", is_draining=True)
    assert waiting.why() == f"in queue 'gpu': all its workers are draining and take no more work; {start}"

    waiting.change(second, is_draining=False)
    assert waiting.why() == "in queue 'gpu': 2 slots of its workers are free, so it is taken within seconds"


def test_an_executor_that_no_scheduler_has_any_more_is_told(waiting: Waiting) -> None:
    with waiting.yard.database.write() as tx:
        tx.execute(update(Attempt).values(executor="GoneExecutor"))

    assert waiting.why() == (
        "in queue 'gpu' of an executor that no scheduler has any more (there are: CeleryExecutor); put it back into "
        "[core] executor, or clear the task"
    )
