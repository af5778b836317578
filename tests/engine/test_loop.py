"""Does the scheduler bring runs to their end, under every limit, on both databases?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from scheduler.plan import Policy
from scheduler.planner import RunPlanner
from scheduler.verify import verify
from scheduler.why import explain
from tests.engine.world import T0, add_run, dag, is_over, run_state, running_scheduler, states, store, task
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.inbox import Message, send
from tradewind.model.orders import AttemptEnded, AttemptOrder, Outcome


def test_a_chain_runs_in_order_and_the_run_succeeds(database: Database) -> None:
    spec = dag("etl", task("extract"), task("transform", "extract"), task("load", "transform"))
    run = add_run(database, store(database, spec), "etl")

    with running_scheduler(database) as executor:
        wait_until(is_over(database, run))

    assert verify(database) == []
    assert [order.task_id for order in executor.orders] == ["extract", "transform", "load"]
    assert states(database, run) == {"extract": "success", "transform": "success", "load": "success"}
    assert run_state(database, run) == "success"


def test_a_failed_task_is_tried_again_after_its_delay(database: Database) -> None:
    spec = dag("etl", task("flaky", retries=2, retry_delay_seconds=0.05))
    run = add_run(database, store(database, spec), "etl")

    def behave(order: AttemptOrder) -> Outcome:
        return Outcome.SUCCESS if order.try_number == 3 else Outcome.FAILED

    with running_scheduler(database, behave) as executor:
        wait_until(is_over(database, run))

    assert verify(database) == []
    assert [order.try_number for order in executor.orders] == [1, 2, 3]
    assert run_state(database, run) == "success"


def test_a_task_without_tries_left_fails_the_run_and_what_follows(database: Database) -> None:
    spec = dag(
        "etl", task("a", retries=1, retry_delay_seconds=0), task("b", "a"), task("c", "b", trigger_rule="all_done")
    )
    run = add_run(database, store(database, spec), "etl")

    with running_scheduler(database, lambda o: Outcome.FAILED if o.task_id == "a" else Outcome.SUCCESS):
        wait_until(is_over(database, run))

    assert verify(database) == []
    assert states(database, run) == {"a": "failed", "b": "upstream_failed", "c": "success"}
    assert run_state(database, run) == "success"  # judged by its leaves only


def test_parallelism_is_never_exceeded(database: Database) -> None:
    spec = dag("wide", *[task(f"t{n:02}") for n in range(40)], max_active_tasks=100)
    run = add_run(database, store(database, spec), "wide")
    gauge = Gauge()

    with running_scheduler(database, gauge.behave, parallelism=7) as executor:
        gauge.end = lambda order: executor.end(order, Outcome.SUCCESS)
        wait_until(is_over(database, run), timeout=30)

    assert gauge.most == 7
    assert set(states(database, run).values()) == {"success"}


def test_max_active_runs_is_never_exceeded(database: Database) -> None:
    spec = dag("daily", task("only"), max_active_runs=2)
    version = store(database, spec)
    pks = [add_run(database, version, "daily", n) for n in range(1, 11)]
    gauge = Gauge()

    with running_scheduler(database, gauge.behave) as executor:
        gauge.end = lambda order: executor.end(order, Outcome.SUCCESS)
        wait_until(is_over(database, *pks), timeout=30)

    assert gauge.most == 2
    assert [order.run_id for order in executor.orders[:2]] == ["r1", "r2"]  # the oldest first


def test_a_run_that_takes_too_long_fails_and_its_tasks_are_cancelled(database: Database) -> None:
    spec = dag("slow", task("a"), task("b", "a"), dagrun_timeout_seconds=0.2)
    run = add_run(database, store(database, spec), "slow")

    with running_scheduler(database, lambda _order: None) as executor:
        wait_until(is_over(database, run))
        wait_until(lambda: executor.cancelled)

    assert states(database, run) == {"a": "skipped", "b": "skipped"}
    assert run_state(database, run) == "failed"
    assert executor.cancelled == [executor.orders[0].attempt_id]


def test_a_lost_attempt_is_started_again_without_using_up_a_try(database: Database) -> None:
    spec = dag("etl", task("a"))
    run = add_run(database, store(database, spec), "etl")

    with running_scheduler(
        database, lambda o: Outcome.LOST if o.try_number < 3 else Outcome.SUCCESS, policy=Policy(max_losses=3)
    ) as executor:
        wait_until(is_over(database, run))

    assert verify(database) == []
    assert [order.try_number for order in executor.orders] == [1, 2, 3]
    assert run_state(database, run) == "success"


def test_an_attempt_that_is_always_lost_fails_at_the_limit(database: Database) -> None:
    spec = dag("etl", task("a"))
    run = add_run(database, store(database, spec), "etl")

    with running_scheduler(database, lambda _o: Outcome.LOST, policy=Policy(max_losses=2)) as executor:
        wait_until(is_over(database, run))

    assert verify(database) == []
    assert len(executor.orders) == 3
    assert run_state(database, run) == "failed"


def test_an_attempt_handed_back_by_an_orderly_stop_counts_neither_as_try_nor_as_loss(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a"))), "etl")

    def behave(order: AttemptOrder) -> Outcome:
        return Outcome.RETURNED if order.try_number < 6 else Outcome.SUCCESS

    with running_scheduler(database, behave, policy=Policy(max_losses=1)):
        wait_until(is_over(database, run))

    assert run_state(database, run) == "success"
    assert verify(database) == []


def test_what_a_dead_scheduler_left_running_is_taken_up(database: Database) -> None:
    spec = dag("etl", task("a"), task("b", "a"))
    run = add_run(database, store(database, spec), "etl")
    # The first scheduler hands "a" out and is then gone: its thread ends without a report, its lease is short.
    with running_scheduler(database, lambda _o: None, lease=timedelta(seconds=0.3)) as first:
        wait_until(lambda: first.orders)

    with running_scheduler(database, lease=timedelta(seconds=0.3)) as second:
        wait_until(is_over(database, run))

    assert verify(database) == []
    assert [(o.task_id, o.try_number) for o in second.orders] == [("a", 2), ("b", 1)]


def test_a_defect_that_one_run_meets_fails_that_run_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = dag("good", task("a")), dag("bad", task("a"), task("b", "a"))
    pks = [add_run(database, store(database, spec), spec.dag_id) for spec in (good, bad)]
    sound = RunPlanner.attempt_ended

    def attempt_ended(self: RunPlanner, fact: AttemptEnded) -> None:
        if fact.run_pk == pks[1]:
            raise RuntimeError("boom")
        sound(self, fact)

    monkeypatch.setattr(RunPlanner, "attempt_ended", attempt_ended)
    with running_scheduler(database):
        wait_until(is_over(database, *pks))

    assert [run_state(database, pk) for pk in pks] == ["success", "failed"]
    assert states(database, pks[1]) == {"a": "failed", "b": "skipped"}
    reasons = [reason.text for reason in explain(database, "bad")]
    assert "RuntimeError: boom" in reasons[0]


def test_a_message_that_makes_no_sense_is_dropped_and_the_run_goes_on(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a"))), "etl")
    with database.write() as tx:
        send(
            tx, [Message(run, "odd", "attempt_ended", {"nonsense": 1}), Message(run, "new", "from_the_future", {})], T0
        )

    with running_scheduler(database):
        wait_until(is_over(database, run))

    assert run_state(database, run) == "success"


def test_a_task_that_names_an_unknown_executor_waits_and_says_so(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a", executor="Nowhere"), task("b"))), "etl")

    with running_scheduler(database):
        wait_until(lambda: states(database, run).get("b") == "success")
        reasons = {reason.task_id: reason.text for reason in explain(database, "etl")}

    assert reasons["a"].startswith("executor 'Nowhere' is not there; this installation has LocalExecutor.")


class Gauge:
    """Holds attempts until as many are there as will come, and keeps the greatest number seen at once."""

    def __init__(self) -> None:
        self.most = 0
        self.end: Callable[[AttemptOrder], None] | None = None
        self._active = 0
        self._lock = threading.Lock()

    def behave(self, order: AttemptOrder) -> None:
        with self._lock:
            self._active += 1
            self.most = max(self.most, self._active)
        threading.Timer(0.02, self._leave, [order]).start()

    def _leave(self, order: AttemptOrder) -> None:
        with self._lock:
            self._active -= 1
        assert self.end is not None
        self.end(order)
