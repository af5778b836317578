"""Does a worker run each attempt once, whatever becomes of messages, answers, leases, and of the metadata DB?"""

from __future__ import annotations

import threading
import time
from uuid import UUID, uuid4

import psycopg
import pytest

from executors.worker import host as host_module
from tests.engine.world import task
from tests.executors.worker.yard import Leaky, Yard
from tests.support.waiting import wait_until
from tradewind.metadata import processes
from tradewind.metadata.inbox import command_message, send
from tradewind.model.commands import MarkRun
from tradewind.model.states import RunState

TASKS = """
@task
def quick(ti):
    note(ti)

@task
def slow(ti):
    note(ti)
    while not (HERE / "gate").exists():
        time.sleep(0.02)

quick(); slow()
"""
MANY = """
for number in range(20):
    @task(task_id=f"t{number}")
    def one(ti):
        note(ti)
    one()
"""
NAMES = [f"t{number}" for number in range(20)]


def test_work_is_found_without_a_word_of_the_broker(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("quick"))
    yard.worker()
    with yard.scheduler():
        run = yard.run(version)
        yard.wait_over(run)

    assert yard.state_of(run) == "success"
    assert yard.attempts(run) == [("quick", 1, "ended", "success")]


def test_the_broker_brings_work_before_anybody_looks(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "LOOK_SECONDS", 3600.0)
    version = yard.add_dag(TASKS, task("quick"))
    worker = yard.worker()
    with yard.scheduler(lease=3600):
        wait_until(lambda: not worker._must_look, what="the first look")
        worker._next_beat = time.monotonic() + 3600
        yard.broker.deliver = worker.offer
        run = yard.run(version)
        yard.wait_over(run)

    assert yard.state_of(run) == "success"


def test_messages_twice_and_in_disorder_and_two_workers_at_once_run_everything_once(yard: Yard) -> None:
    version = yard.add_dag(MANY, *[task(name) for name in NAMES])
    workers = [yard.worker(slots=20), yard.worker(slots=20)]

    def deliver(ids: list[UUID]) -> None:
        for worker in workers * 2:
            ids.reverse()
            worker.offer([*ids, uuid4()])
            worker.ring()

    yard.broker.deliver = deliver
    with yard.scheduler():
        run = yard.run(version)
        yard.wait_over(run)
        deliver(list(yard.broker.told))  # long after their end, too

        assert yard.state_of(run) == "success"
    assert {yard.ran(name) for name in NAMES} == {"1"}
    assert len(yard.attempts(run)) == 20


@pytest.mark.parametrize("call", ["claim", "look", "report"])
def test_an_answer_that_gets_lost_costs_nothing_but_time(yard: Yard, call: str) -> None:
    version = yard.add_dag(MANY, *[task(name) for name in NAMES])
    link = Leaky(yard.link(), **{call: 3})
    worker = yard.worker(link, slots=7)
    if call == "claim":
        yard.broker.deliver = worker.offer
    with yard.scheduler():
        run = yard.run(version)
        yard.wait_over(run)

    assert link.lost == [call] * len(link.lost) != []
    assert yard.state_of(run) == "success"
    assert {yard.ran(name) for name in NAMES} == {"1"}
    assert yard.losses(run) == 0


def test_a_worker_whose_lease_was_ended_kills_what_it_runs_and_begins_anew(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("slow"))
    worker = yard.worker()
    before = worker.worker_id
    with yard.scheduler():
        run = yard.run(version)
        yard.wait_ran("slow")
        with yard.database.write() as tx:
            processes.mark_ended(tx, [before], yard.database.now())
        yard.wait_ran("slow", "1 2")
        assert worker.worker_id != before
        assert worker.running == 1
        yard.open_gate()
        yard.wait_over(run)

    assert yard.attempts(run) == [("slow", 1, "ended", "lost"), ("slow", 2, "ended", "success")]
    assert yard.losses(run) == 1


def test_a_worker_that_died_is_noticed_by_the_end_of_its_lease(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("quick"))
    gone = uuid4()
    link = yard.link()
    worker = yard.worker(slots=0)  # looks, and takes nothing
    link.register(gone, worker._facts())
    with yard.scheduler():
        run = yard.run(version)
        wait_until(lambda: yard.broker.told, what="the attempt")
        assert len(link.claim(gone, yard.broker.told)) == 1  # and never a word more
        worker.resize(4)
        yard.wait_over(run)

    assert yard.attempts(run) == [("quick", 1, "ended", "lost"), ("quick", 2, "ended", "success")]


def test_work_is_taken_under_no_lease_that_is_over(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("quick"))
    gone, link, facts = uuid4(), yard.link(), yard.worker(slots=0)._facts()
    link.register(gone, facts)
    with yard.scheduler():
        yard.run(version)
        wait_until(lambda: yard.broker.told, what="the attempt")
        with yard.database.write() as tx:
            processes.mark_ended(tx, [gone], yard.database.now())

        assert link.claim(gone, yard.broker.told) == []
        found = link.look(gone, facts, free=5, running=(), is_beat=False)
        assert (found.is_alive, found.orders) == (False, ())
        assert not link.look(gone, facts, free=5, running=(), is_beat=True).is_alive


def test_a_metadata_db_that_is_away_for_a_while_costs_no_task(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("quick"), task("slow"))
    server = yard.database.url.set(drivername="postgresql", database="postgres")
    name = yard.database.url.database
    worker = yard.worker()
    with (
        yard.scheduler() as scheduler,
        psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as surgeon,
    ):
        run = yard.run(version)
        yard.wait_ran("slow")
        surgeon.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        surgeon.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        yard.open_gate()
        wait_until(lambda: worker.running == 0, what="the end of the tasks")
        assert not worker.wait_idle(0), "their ends cannot have been stored"
        surgeon.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        yard.database.close()
        scheduler.ring()
        yard.wait_over(run)

    assert yard.state_of(run) == "success"
    assert yard.losses(run) == 0
    assert (yard.ran("quick"), yard.ran("slow")) == ("1", "1")


def test_a_worker_that_drains_ends_what_it_has_and_takes_no_more(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("slow"), task("quick", "slow"))
    worker = yard.worker()
    with yard.scheduler():
        run = yard.run(version)
        yard.wait_ran("slow")
        worker.drain()
        wait_until(lambda: yard.process(worker.worker_id).info.get("is_draining"), what="that it drains")
        yard.open_gate()
        assert worker.wait_idle(30)
        wait_until(lambda: len(yard.broker.told) == 2, what="the next attempt")
        worker.offer(yard.broker.told)
        worker.ring()
        yard.worker()
        yard.wait_over(run)

    assert yard.attempts(run) == [("quick", 1, "ended", "success"), ("slow", 1, "ended", "success")]
    assert worker.heard_at > 0


def test_a_worker_that_stops_hands_back_what_it_runs(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("slow"))
    worker = yard.worker()
    with yard.scheduler():
        run = yard.run(version)
        yard.wait_ran("slow")
        worker.stop(1)
        assert yard.process(worker.worker_id).ended_at is not None
        yard.worker()
        yard.wait_ran("slow", "1 2")
        yard.open_gate()
        yard.wait_over(run)

    assert [row[3] for row in yard.attempts(run)] == ["returned", "success"]
    assert yard.losses(run) == 0


def test_what_is_not_wanted_any_more_is_told_to_its_worker_at_once(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    version = yard.add_dag(TASKS, task("slow"))
    worker = yard.worker()
    with yard.scheduler(lease=3600):
        run = yard.run(version)
        yard.wait_ran("slow")
        monkeypatch.setattr(host_module, "LOOK_SECONDS", 3600.0)
        worker._next_look = worker._next_beat = time.monotonic() + 3600  # it looks when it is rung, and not before
        with yard.database.write() as tx:
            send(tx, [command_message(run, uuid4(), MarkRun(RunState.FAILED))], yard.database.now())
        yard.wait_over(run)
        wait_until(lambda: worker.running == 0, what="the end of the process")
        wait_until(lambda: yard.attempts(run)[0][2] == "ended", what="the end of the attempt")

    assert yard.ran("slow") == "1"


def test_a_full_worker_says_so_and_leaves_what_it_was_told_to_others(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "HOLD_SECONDS", 0.0)
    version = yard.add_dag(TASKS, task("slow"), dag_id="d")
    other = yard.add_dag(TASKS, task("quick"), dag_id="e")
    said: list[bool] = []
    has_room = threading.Event()
    worker = yard.worker(slots=1)

    def hear(room: bool) -> None:
        said.append(room)
        if room:
            has_room.set()

    worker.on_room = hear
    with yard.scheduler():
        run = yard.run(version)
        yard.wait_ran("slow")
        wait_until(lambda: said == [False], what="that it is full")
        yard.broker.deliver = worker.offer
        second = yard.run(other, "e")
        wait_until(lambda: len(yard.broker.told) == 2, what="the second attempt")
        yard.worker()
        yard.wait_over(second)
        yard.open_gate()
        yard.wait_over(run)
        assert has_room.wait(30)

    assert said == [False, True]


def test_only_work_of_its_queues_and_its_executor_is_taken(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("quick", queue="far"), task("slow"))
    yard.open_gate()
    yard.worker(queues=["near", "default"])
    with yard.scheduler():
        run = yard.run(version)
        yard.wait_ran("slow")
        wait_until(lambda: ("slow", 1, "ended", "success") in yard.attempts(run), what="the end of slow")
        assert yard.ran("quick") == ""
        yard.worker(queues=["far"])
        yard.wait_over(run)

    assert yard.ran("quick") == "1"


def test_a_scheduler_tells_again_what_one_that_died_told_nobody(yard: Yard) -> None:
    version = yard.add_dag(TASKS, task("quick"))
    with yard.scheduler():
        run = yard.run(version)
        wait_until(lambda: yard.broker.told, what="the attempt")
    first = list(yard.broker.told)
    with yard.scheduler():
        wait_until(lambda: yard.broker.told == first * 2, what="that it is told again")
        yard.worker()
        yard.wait_over(run)
