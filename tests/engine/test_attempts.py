"""Is an attempt claimed once, whoever asks for it, and does its claimer learn what to run?"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from scheduler.admission import Usage
from scheduler.advance import Advancer, Step
from scheduler.held import Lanes
from scheduler.plan import Policy
from scheduler.versions import VersionCache
from tests.engine.world import add_run, dag, store, task
from tradewind.metadata import attempts, processes, runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt
from tradewind.model.states import AttemptState

NOW = datetime.now(UTC)


def queue_attempts(database: Database) -> Step:
    """Start a run whose executor sits elsewhere: its attempts wait to be claimed."""
    spec = dag("far", *[task(f"t{n}", execution_timeout_seconds=60) for n in range(5)])
    of_run = {"conf": {"day": "2013-07-04"}, "triggering_user": "ann", "partition_key": "eu", "partition_date": NOW}
    add_run(database, store(database, spec), "far", 1, **of_run)
    holder = uuid4()
    lanes = Lanes("RemoteExecutor", {"RemoteExecutor": None}, lambda: {"RemoteExecutor": None})
    advancer = Advancer(holder, policy=Policy(), parallelism=8, lanes=lanes, versions=VersionCache())
    with database.write() as tx:
        started = runs.claim_startable(tx, "far", holder, 10)
        return advancer.step(tx, NOW, starts=started)


def test_two_supervisors_that_claim_at_once_share_the_attempts(database: Database) -> None:
    ids = [order.attempt_id for order in queue_attempts(database).orders]
    got: dict[UUID, list[UUID]] = {}
    together = threading.Barrier(2)

    def claim(supervisor: UUID) -> None:
        together.wait()
        for attempt in ids:
            with database.write() as tx:
                got.setdefault(supervisor, []).extend(attempts.claim_attempts(tx, [attempt], supervisor))

    threads = [threading.Thread(target=claim, args=(uuid4(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert sorted(i for claimed in got.values() for i in claimed) == sorted(ids)  # each once
    with database.read() as tx:
        rows = tx.execute(select(Attempt.id, Attempt.state, Attempt.fence, Attempt.supervisor_id)).all()
    assert {row.id: row.supervisor_id for row in rows} == {i: who for who, claimed in got.items() for i in claimed}
    assert {(row.state, row.fence) for row in rows} == {(AttemptState.RUNNING, 1)}


def test_a_delivered_twice_attempt_is_claimed_once(database: Database) -> None:
    ids = [order.attempt_id for order in queue_attempts(database).orders]
    with database.write() as tx:
        assert sorted(attempts.claim_attempts(tx, ids, uuid4())) == sorted(ids)
    with database.write() as tx:
        assert attempts.claim_attempts(tx, ids, uuid4()) == []


def test_who_knows_only_the_ids_learns_what_the_scheduler_would_have_said(database: Database) -> None:
    told = {order.attempt_id: order for order in queue_attempts(database).orders}

    with database.read() as tx:
        loaded = {order.attempt_id: order for order in attempts.load_orders(tx, list(told))}

    assert loaded == told
    assert {(order.partition_key, order.partition_date) for order in loaded.values()} == {("eu", NOW)}


def test_processes_that_ended_long_ago_are_forgotten(database: Database) -> None:
    with database.write() as tx:
        for age in (1, 30):
            processes.register(
                tx,
                process_id=uuid4(),
                kind="scheduler",
                hostname="h",
                pid=1,
                now=NOW - timedelta(days=age),
                lease=timedelta(seconds=30),
                info={},
            )
        processes.prune(tx, NOW - timedelta(days=7))
        assert len(processes.list_processes(tx)) == 1


def test_usage_counts_what_is_active(database: Database) -> None:
    queue_attempts(database)
    usage = Usage(parallelism=8, pools={})
    with database.read() as tx:
        for active in attempts.list_active(tx):
            usage.take(
                run_pk=active.run_pk,
                dag_id=active.dag_id,
                task_id=active.task_id,
                pool=active.pool,
                pool_slots=active.pool_slots,
                executor=active.executor,
            )

    assert (usage.active, usage.pool_used["default_pool"], usage.executor_active["RemoteExecutor"]) == (5, 5, 5)
