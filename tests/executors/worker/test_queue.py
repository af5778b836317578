"""Is the metadata DB a queue that any number of workers may take from? On both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from executors.worker.other_clock import OtherClock
from scheduler import callbacks
from scheduler.advance import Advancer
from scheduler.held import Lanes
from scheduler.plan import Policy
from scheduler.versions import VersionCache
from tests.engine.world import add_run, dag, store, task
from tradewind.metadata import processes, runs, worker_queue
from tradewind.metadata.attempts import load_orders
from tradewind.metadata.callbacks import NewCallback, put_callbacks
from tradewind.metadata.database import Database
from tradewind.metadata.inbox import read_facts, read_inbox
from tradewind.model.orders import Aftermath, AttemptEnded, AttemptStarted, Outcome
from tradewind.model.states import AttemptState

NOW = datetime.now(UTC)
LEASE = timedelta(seconds=30)
FAR = "FarExecutor"


def queue_attempts(database: Database, count: int = 6) -> tuple[UUID, list[UUID]]:
    """Start a run with ``count`` tasks; return who holds it, and the attempts: the first half is in queue ``a``."""
    tasks = [task(f"t{n}", queue="a" if n < count / 2 else "b") for n in range(count)]
    add_run(database, store(database, dag("far", *tasks)), "far")
    holder = uuid4()
    lanes = Lanes(FAR, {FAR: None}, lambda: {FAR: None})
    advancer = Advancer(holder, policy=Policy(), parallelism=50, lanes=lanes, versions=VersionCache())
    with database.write() as tx:
        orders = advancer.step(tx, NOW, starts=runs.claim_startable(tx, "far", holder, 10)).orders
    return holder, [order.attempt_id for order in sorted(orders, key=lambda order: order.task_id)]


def begin(database: Database, now: datetime = NOW) -> UUID:
    """Begin the lease of a worker."""
    worker = uuid4()
    with database.write() as tx:
        worker_queue.begin_lease(tx, worker, hostname="h", pid=1, now=now, lease=LEASE, info={"slots": 9})
    return worker


def test_what_waits_is_taken_by_queue_and_number_and_only_under_a_lease(database: Database) -> None:
    _, ids = queue_attempts(database)
    worker, late = begin(database), begin(database, NOW - 2 * LEASE)
    with database.write() as tx:
        assert worker_queue.take_waiting(tx, late, FAR, ["a", "b"], 9, NOW) == []
        assert worker_queue.take_waiting(tx, worker, "another", ["a", "b"], 9, NOW) == []
        assert worker_queue.take_waiting(tx, worker, FAR, ["c"], 9, NOW) == []
        assert worker_queue.take_waiting(tx, worker, FAR, ["a"], 0, NOW) == []
        first = worker_queue.take_waiting(tx, worker, FAR, ["a"], 2, NOW)
        rest = worker_queue.take_waiting(tx, worker, FAR, ["a", "b"], 9, NOW)

    assert len(first) == 2
    assert set(first) < set(ids[:3])
    assert {*first, *rest} == set(ids)
    with database.read() as tx:
        assert worker_queue.attempts_of(tx, worker) == dict.fromkeys(ids, AttemptState.RUNNING)
        (seen,) = [one for one in worker_queue.list_workers(tx, NOW) if one.id == worker]
    assert (seen.held, seen.slots) == (6, 9)


def test_what_was_told_is_taken_once_and_given_again_to_the_same_worker(database: Database) -> None:
    _, ids = queue_attempts(database)
    first, second = begin(database), begin(database)
    with database.write() as tx:
        assert sorted(worker_queue.take_told(tx, first, ids[:4], NOW)) == sorted(ids[:4])
        assert sorted(worker_queue.take_told(tx, second, ids, NOW)) == sorted(ids[4:])
        assert sorted(worker_queue.take_told(tx, first, [*ids, uuid4()], NOW)) == sorted(ids[:4])
        assert worker_queue.take_told(tx, uuid4(), ids, NOW) == []


def test_workers_that_take_at_once_share_what_waits(database: Database) -> None:
    _, ids = queue_attempts(database, 24)
    workers = [begin(database) for _ in range(3)]
    together = threading.Barrier(3)

    def take(worker: UUID) -> None:
        together.wait()
        for number, one in enumerate(ids):
            with database.write() as tx:
                if number % 2:
                    worker_queue.take_waiting(tx, worker, FAR, ["a", "b"], 2, NOW)
                else:
                    worker_queue.take_told(tx, worker, [one], NOW)

    threads = [threading.Thread(target=take, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    with database.read() as tx:
        held = [one for worker in workers for one in worker_queue.attempts_of(tx, worker)]
    assert sorted(held) == sorted(ids)


def test_a_worker_is_heard_of_its_own_attempts_only(database: Database) -> None:
    holder, ids = queue_attempts(database, 2)
    worker, other = begin(database), begin(database)
    with database.write() as tx:
        worker_queue.take_told(tx, worker, ids, NOW)
        run_pk = runs.list_runs(tx, dag_id="far", limit=1)[0].pk
        ended = AttemptEnded(ids[0], 1, run_pk, Outcome.SUCCESS, NOW)
        worker_queue.tell_facts(tx, other, [ended], NOW)
        worker_queue.tell_facts(tx, worker, [structs.replace(ended, run_pk=run_pk + 1)], NOW)
        assert read_inbox(tx, holder, 9) == []
        for _ in range(2):
            worker_queue.tell_facts(tx, worker, [ended], NOW)
        assert read_facts(read_inbox(tx, holder, 9)) == [ended]

        worker_queue.give_back(tx, worker, NOW)
        told = [fact for fact in read_facts(read_inbox(tx, holder, 9)) if isinstance(fact, AttemptEnded)]
    assert [(fact.attempt_id, fact.outcome) for fact in told] == [(ids[0], "success"), (ids[1], "lost")]


def test_calls_of_user_code_wait_in_the_default_queue_of_the_installation(database: Database) -> None:
    run_pk = add_run(database, store(database, dag("far", task("t"))), "far")
    worker = begin(database)
    lanes = Lanes(FAR, {FAR: None}, lambda: {FAR: None}, default_queue="calls")
    with database.write() as tx:
        put_callbacks(tx, [NewCallback(run_pk, "dag", None, {})], NOW)
        (order,) = callbacks.start_waiting(tx, NOW, [], parallelism=9, lanes=lanes).orders
        assert worker_queue.take_waiting(tx, worker, FAR, ["default"], 9, NOW) == []
        assert worker_queue.take_waiting(tx, worker, FAR, ["calls"], 9, NOW) == [order.attempt_id]
        (loaded,) = load_orders(tx, [order.attempt_id])
    assert loaded == structs.replace(order, fence=1)


def test_a_lease_that_has_run_out_is_ended_for_everybody(database: Database) -> None:
    late, alive, web = begin(database, NOW - 2 * LEASE), begin(database), uuid4()
    with database.write() as tx:
        processes.register(
            tx, process_id=web, kind="webserver", hostname="h", pid=1, now=NOW - 2 * LEASE, lease=LEASE, info={}
        )
        assert [one.id for one in processes.end_expired(tx, ["worker", "scheduler"], NOW)] == [late]
        assert processes.end_expired(tx, ["worker", "scheduler"], NOW) == []
        assert not worker_queue.extend_lease(tx, late, NOW, LEASE, {})
        assert worker_queue.extend_lease(tx, alive, NOW, LEASE, {})
        assert processes.heartbeat(tx, web, NOW, LEASE)


@pytest.mark.parametrize("off", [timedelta(minutes=1), timedelta(minutes=-1)])
def test_instants_are_told_by_the_clock_of_the_control_plane(off: timedelta) -> None:
    clock, at = OtherClock(), datetime.now(UTC)
    started = AttemptStarted(uuid4(), 1, 1, at)
    ended = AttemptEnded(
        uuid4(), 1, 1, Outcome.RESCHEDULED, at, started_at=at - timedelta(seconds=9), then=Aftermath(resume_at=at)
    )
    clock.learn(None)
    clock.learn(datetime.now(UTC) + timedelta(seconds=0.2))
    assert (clock.set_right(started), clock.set_right(ended)) == (started, ended)

    clock.learn(datetime.now(UTC) + off)

    assert abs(clock.set_right(started).at - at - off) < timedelta(seconds=5)
    moved = clock.set_right(ended)
    assert isinstance(moved, AttemptEnded)
    assert moved.then is not None and moved.then.resume_at == moved.at
    assert moved.started_at == moved.at - timedelta(seconds=9)
