"""Are calls of user code made within the limits, before tasks, once, and again when they are lost?"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.engine import world
from tests.engine.world import add_run, is_over, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import attempts, callbacks, inbox, runs
from tradewind.metadata.callback_attempts import MAX_LOSSES
from tradewind.metadata.callbacks import CallbackRecord
from tradewind.metadata.database import Database
from tradewind.metadata.inbox import fact_message
from tradewind.metadata.models import DagRun, DagVersion, Timer
from tradewind.model.orders import (
    Aftermath,
    AttemptEnded,
    AttemptOrder,
    Outcome,
    attempt_id,
    callback_attempt_id,
    is_callback,
)
from tradewind.model.spec import DeadlineSpec

NOTED = {"has_success_callback": True, "has_failure_callback": True}


def calls(db: Database, *pks: int) -> list[CallbackRecord]:
    with db.read() as tx:
        return [one for pk in pks for one in callbacks.list_callbacks(tx, pk)]


def are_made(db: Database, count: int, *pks: int):
    def predicate() -> bool:
        found = calls(db, *pks)
        return len(found) == count and all(one.ended_at is not None for one in found)

    return predicate


def test_ids_say_which_attempts_make_calls():
    made = {callback_attempt_id(call, start) for call in range(200) for start in range(1, 4)}

    assert len(made) == 600
    assert all(map(is_callback, made))
    assert not any(is_callback(attempt_id(run, "t", -1, 1)) for run in range(2000))
    assert not is_callback(UUID(int=0))


def test_calls_go_before_tasks_and_stay_within_parallelism(database):
    """With one place in all, and tasks that always wait for it, the call of the first run is made all the same."""
    busy = store(database, world.dag("busy", *(task(f"t{n:02}") for n in range(20))))
    small = store(database, world.dag("small", task("a"), **NOTED))
    lock, active, most, seen = threading.Lock(), [0], [0], []

    def behave(order: AttemptOrder) -> Outcome:
        with lock:
            active[0] += 1
            most[0] = max(most[0], active[0])
            seen.append("call" if order.callback is not None else order.dag_id)
            active[0] -= 1
        return Outcome.SUCCESS

    with running_scheduler(database, behave, parallelism=1) as executor:
        executor.slots = 1
        first, second = add_run(database, busy, "busy"), add_run(database, small, "small")
        wait_until(is_over(database, first, second), timeout=40, what="both runs")
        wait_until(are_made(database, 1, second), timeout=40, what="the call")

    assert most == [1]
    assert seen.index("call") <= seen.index("small") + 3, "it went before the tasks that waited for the place"
    with database.read() as tx:
        assert attempts.list_active(tx) == []


def test_the_order_of_a_call_says_what_happened(database):
    version = store(database, world.dag("d", task("a"), task("b", "a"), **NOTED))
    orders: list[AttemptOrder] = []

    def behave(order: AttemptOrder) -> Outcome:
        orders.append(order)
        return Outcome.FAILED if order.task_id == "b" and order.callback is None else Outcome.SUCCESS

    with running_scheduler(database, behave):
        run = add_run(database, version, "d", partition_key="eu", partition_date=world.T0)
        wait_until(are_made(database, 1, run), timeout=40, what="the call")

    (order,) = [one for one in orders if one.callback is not None]
    assert (order.partition_key, order.partition_date) == ("eu", world.T0)
    assert (order.task_id, order.try_number, order.max_tries, order.run_id) == ("b", 1, 1, "r1")
    assert order.callback is not None
    assert order.callback.kind == "run"
    assert order.callback.payload["hook"] == "on_failure_callback"
    assert order.callback.payload["reason"] == "task_failure"
    assert order.callback.payload["task"]["state"] == "failed"
    (call,) = calls(database, run)
    assert (call.state, call.starts, call.losses, call.error) == ("done", 1, 0, None)


@pytest.mark.parametrize(
    ("outcomes", "state", "losses"),
    [
        ([Outcome.LOST, Outcome.SUCCESS], "done", 1),
        ([Outcome.RETURNED] * 5 + [Outcome.SUCCESS], "done", 0),
        ([Outcome.LOST] * (MAX_LOSSES + 1), "failed", MAX_LOSSES + 1),
    ],
)
def test_a_lost_call_is_made_again(database, outcomes, state, losses):
    version = store(database, world.dag("d", task("a"), **NOTED))
    left = list(outcomes)

    def behave(order: AttemptOrder) -> Outcome:
        return Outcome.SUCCESS if order.callback is None else left.pop(0)

    with running_scheduler(database, behave):
        run = add_run(database, version, "d")
        wait_until(are_made(database, 1, run), timeout=40, what="the call")

    (call,) = calls(database, run)
    assert (call.state, call.losses, call.starts) == (state, losses, len(outcomes))
    assert left == []


def test_what_the_code_raised_is_final(database):
    version = store(database, world.dag("d", task("a"), **NOTED))
    with running_scheduler(database, lambda order: None if order.callback else Outcome.SUCCESS) as executor:
        run = add_run(database, version, "d")
        wait_until(lambda: [o for o in executor.orders if o.callback], timeout=40, what="the order of the call")
        (order,) = [o for o in executor.orders if o.callback]
        executor.end(order, Outcome.FAILED, error="ValueError: no", may_retry=False)
        wait_until(are_made(database, 1, run), timeout=40, what="the call")

    (call,) = calls(database, run)
    assert (call.state, call.starts, call.error) == ("failed", 1, "ValueError: no")


# --- deadlines -------------------------------------------------------------------------------------------------------


def with_deadlines(db: Database, dag_id: str, *alerts: DeadlineSpec, **fields: object) -> int:
    spec = world.dag(dag_id, task("a"), deadlines=alerts, **fields)
    version = store(db, spec)
    with db.write() as tx:
        plain = [{"reference": a.reference, "interval_seconds": a.interval_seconds, "max_runs": a.max_runs,
                  "min_runs": a.min_runs, "name": a.name, "callback": a.callback} for a in alerts]  # fmt: skip
        tx.execute(update(DagVersion).where(DagVersion.id == version).values(deadlines=plain))
    return version


def missed(db: Database, pk: int) -> list[object]:
    with db.read() as tx:
        return [event.payload["number"] for event in runs.read_events(tx, pk) if event.kind == "deadline_missed"]


def test_a_deadline_fires_for_a_run_that_still_waits_to_start(database):
    soon = DeadlineSpec("queued_at", 0.2, name="soon")
    version = with_deadlines(database, "d", soon, max_active_runs=1)
    with running_scheduler(database, lambda order: Outcome.SUCCESS if order.callback else None) as executor:
        first = add_run(database, version, "d", 1)
        second = add_run(database, version, "d", 2)
        wait_until(are_made(database, 2, first, second), timeout=40, what="both calls")
        assert world.run_state(database, second) == "queued"
        wait_until(lambda: missed(database, first) == [0], timeout=40, what="the event of the run that runs")
        with database.read() as tx:
            assert attempts.list_active(tx) != [], "the task of the first run goes on"
        for order in [o for o in executor.orders if o.callback is None]:
            executor.end(order, Outcome.SUCCESS)
        wait_until(lambda: missed(database, second) == [0], timeout=40, what="the event, when the run has started")


def test_a_run_in_time_misses_nothing_and_leaves_no_timer(database):
    version = with_deadlines(database, "d", DeadlineSpec("queued_at", 3600.0))
    with running_scheduler(database):
        run = add_run(database, version, "d")
        wait_until(is_over(database, run), timeout=40, what="the run")

    assert calls(database, run) == []
    with database.read() as tx:
        assert tx.execute(select(Timer.key)).all() == []


def test_a_failed_run_has_not_met_its_deadline(database):
    version = with_deadlines(database, "d", DeadlineSpec("queued_at", 1.0))
    with running_scheduler(database, lambda order: Outcome.SUCCESS if order.callback else Outcome.FAILED):
        run = add_run(database, version, "d")
        wait_until(is_over(database, run), timeout=40, what="the run")
        wait_until(are_made(database, 1, run), timeout=40, what="the call")
        wait_until(lambda: missed(database, run) == [0], timeout=40, what="the event")


def test_the_average_of_the_last_runs_counts_when_there_are_enough(database):
    version = with_deadlines(database, "d", DeadlineSpec("average_runtime", 60.0, max_runs=2, min_runs=2))
    with running_scheduler(database):
        pks = [add_run(database, version, "d", number) for number in (1, 2, 3)]
        wait_until(is_over(database, *pks), timeout=40, what="three runs")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with database.write() as tx:
        for pk, seconds in zip(pks, (10_000, 100, 300), strict=True):
            values = {"started_at": start, "ended_at": start + timedelta(seconds=seconds)}
            tx.execute(update(DagRun).where(DagRun.id == pk).values(**values))
        before = datetime.now(UTC)

    last = add_run(database, version, "d", 4)

    with database.read() as tx:
        (due,) = tx.execute(select(Timer.due_at).where(Timer.key == f"deadline:{last}:0")).scalars()
        none = tx.execute(select(Timer.key).where(Timer.key.startswith(f"deadline:{pks[0]}:"))).all()
    assert abs(due - before - timedelta(seconds=200 + 60)) < timedelta(seconds=30)
    assert none == [], "the first run had none to go by"


def test_an_instant_that_user_code_says_becomes_a_deadline(database):
    version = with_deadlines(database, "d", DeadlineSpec("own", 60.0))
    due = datetime.now(UTC) + timedelta(days=3)
    with running_scheduler(database, lambda order: None) as executor:
        run = add_run(database, version, "d")
        wait_until(lambda: [o for o in executor.orders if o.callback], timeout=40, what="the reckoning")
        (order,) = [o for o in executor.orders if o.callback]
        assert order.callback is not None
        assert order.callback.kind == "reckoning"
        # Told through the inbox, as a worker elsewhere does.
        fact = AttemptEnded(order.attempt_id, 1, run, Outcome.SUCCESS, datetime.now(UTC), then=Aftermath(resume_at=due))
        with database.write() as tx:
            inbox.send(tx, [fact_message(fact)], datetime.now(UTC))
        wait_until(are_made(database, 1, run), timeout=40, what="the call")

    with database.read() as tx:
        assert tx.execute(select(Timer.due_at).where(Timer.key == f"deadline:{run}:0")).scalars().all() == [due]
