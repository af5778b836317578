"""Is somebody called when a task is late: while it still runs, once, and not when it is done in time?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from scheduler.verify import verify
from scheduler.why import explain
from tests.engine.world import T0, add_run, dag, is_over, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import callbacks, inbox, runs
from tradewind.metadata.callbacks import CallbackRecord
from tradewind.metadata.database import Database
from tradewind.metadata.models import DagVersion, Timer
from tradewind.model.commands import ClearTasks, Selection
from tradewind.model.orders import AttemptOrder, Outcome
from tradewind.model.spec import DeadlineSpec, FixedLength, MappingSpec, TaskSpec

LATE, IN_TIME = 0.0, 3600.0


def late(reference: str, seconds: float = LATE, at: str | None = None) -> tuple[DeadlineSpec, ...]:
    return (DeadlineSpec(reference, seconds, at, name="sla", callback="call_me"),)


def calls(database: Database, run_pk: int) -> list[CallbackRecord]:
    with database.read() as tx:
        return [call for call in callbacks.list_callbacks(tx, run_pk) if call.kind == "deadline"]


def timers(database: Database) -> int:
    with database.read() as tx:
        return len(tx.execute(select(Timer.key)).all())


def started(database: Database, tasks: list[TaskSpec], **run: Any) -> int:
    return add_run(database, store(database, dag("etl", *tasks)), "etl", **run)


def hangs(order: AttemptOrder) -> Outcome | None:
    return None if order.callback is None and order.task_id == "slow" else Outcome.SUCCESS


@pytest.mark.parametrize(
    ("reference", "run"),
    [
        ("logical_date", {"logical_date": T0}),
        ("queued_at", {}),
        ("run_started_at", {}),
        ("task_queued_at", {}),
        ("task_started_at", {}),
        ("fixed", {}),
    ],
)
def test_it_is_called_while_the_task_runs_and_the_task_goes_on(
    database: Database, reference: str, run: dict[str, object]
) -> None:
    at = T0.isoformat() if reference == "fixed" else None
    pk = started(database, [task("slow", deadlines=late(reference, at=at))], **run)
    with running_scheduler(database, hangs) as executor:
        if reference == "task_started_at":
            wait_until(lambda: bool(executor.orders))
            executor.began(executor.orders[0])
        wait_until(lambda: [call.state for call in calls(database, pk)] == ["done"])
        (order,) = [order for order in executor.orders if order.callback is None]
        said = explain(database, "etl", "r1", "slow")[1].text
        executor.end(order, Outcome.SUCCESS)
        wait_until(is_over(database, pk))

    (call,) = calls(database, pk)
    assert (call.task_id, call.map_index, call.payload["number"]) == ("slow", -1, 0)
    assert "; it missed its deadline of " in said
    assert verify(database) == []


@pytest.mark.parametrize("reference", ["run_started_at", "task_queued_at", "task_started_at"])
def test_a_task_in_time_leaves_no_timer_and_calls_nobody(database: Database, reference: str) -> None:
    pk = started(database, [task("a", deadlines=late(reference, IN_TIME)), task("b", "a")])
    with running_scheduler(database):
        wait_until(is_over(database, pk))

    assert calls(database, pk) == []
    assert timers(database) == 0


def test_a_task_that_waits_for_another_can_be_late(database: Database) -> None:
    pk = started(database, [task("slow"), task("after", "slow", deadlines=late("run_started_at"))])
    with running_scheduler(database, hangs) as executor:
        wait_until(lambda: [call.task_id for call in calls(database, pk)] == ["after"])
        executor.end(executor.orders[0], Outcome.SUCCESS)
        wait_until(is_over(database, pk))

    assert len(calls(database, pk)) == 1


def test_of_a_mapped_task_each_index_has_the_deadline_of_its_own_tries(database: Database) -> None:
    mapping = MappingSpec((FixedLength(3),))
    pk = started(database, [task("slow", mapping=mapping, deadlines=late("task_queued_at"))])
    with running_scheduler(database, hangs) as executor:
        wait_until(lambda: sorted(call.map_index for call in calls(database, pk)) == [0, 1, 2])
        for order in [order for order in executor.orders if order.callback is None]:
            executor.end(order, Outcome.SUCCESS)
        wait_until(is_over(database, pk))

    assert timers(database) == 0


def test_of_a_mapped_task_that_counts_from_its_run_somebody_is_called_once(database: Database) -> None:
    mapping = MappingSpec((FixedLength(3),))
    pk = started(database, [task("slow", mapping=mapping, deadlines=late("run_started_at"))])
    with running_scheduler(database, hangs) as executor:
        wait_until(lambda: [call.map_index for call in calls(database, pk)] == [0])
        for order in [order for order in executor.orders if order.callback is None]:
            executor.end(order, Outcome.SUCCESS)
        wait_until(is_over(database, pk))

    assert len(calls(database, pk)) == 1


def test_a_task_that_is_done_again_has_its_deadline_again(database: Database) -> None:
    pk = started(database, [task("slow", deadlines=late("task_queued_at"))])
    with running_scheduler(database, hangs) as executor:
        wait_until(lambda: [call.state for call in calls(database, pk)] == ["done"])
        executor.end(executor.orders[0], Outcome.SUCCESS)
        wait_until(is_over(database, pk))
        with database.write() as tx:
            command = inbox.command_message(pk, uuid4(), ClearTasks(Selection()))
            inbox.send(tx, [command], datetime.now(UTC))
        wait_until(lambda: [call.state for call in calls(database, pk)] == ["done"] * 2)
        executor.end(next(o for o in executor.orders if o.callback is None and o.try_number == 2), Outcome.SUCCESS)
        wait_until(is_over(database, pk))

    assert verify(database) == []


def test_the_run_can_be_late_as_well_while_it_runs_and_again_after_a_clear(database: Database) -> None:
    version = store(database, dag("etl", task("slow"), deadlines=late("queued_at")))
    with database.write() as tx:
        plain = [{"reference": "queued_at", "interval_seconds": 0.0}]
        tx.execute(update(DagVersion).where(DagVersion.id == version).values(deadlines=plain))
    pk = add_run(database, version, "etl")
    with running_scheduler(database, hangs) as executor:
        wait_until(lambda: len(calls(database, pk)) == 1)
        wait_until(lambda: any(order.callback is None for order in executor.orders))
        executor.end(next(o for o in executor.orders if o.callback is None), Outcome.SUCCESS)
        wait_until(is_over(database, pk))
        with database.write() as tx:
            command = inbox.command_message(pk, uuid4(), ClearTasks(Selection()))
            inbox.send(tx, [command], datetime.now(UTC))
        wait_until(lambda: len(calls(database, pk)) == 2)
        wait_until(lambda: any(order.callback is None and order.try_number == 2 for order in executor.orders))
        said = explain(database, "etl", "r1")[0].text
        executor.end(next(o for o in executor.orders if o.try_number == 2), Outcome.SUCCESS)
        wait_until(is_over(database, pk))

    assert "; it missed its deadline of " in said
    with database.read() as tx:
        kinds = [event.kind for event in runs.read_events(tx, pk)]
    assert kinds.count("deadline_missed") == 2
