"""Is a run that failed tried again as its DAG wishes: later, from what failed, and without a word before the end?"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from scheduler.verify import verify
from scheduler.why import explain
from tests.engine.world import (
    ScriptedExecutor,
    add_run,
    dag,
    index_states,
    is_over,
    run_state,
    running_scheduler,
    states,
    store,
    task,
)
from tests.support.waiting import wait_until
from tradewind.metadata import attempts, callbacks, inbox, runs, timers
from tradewind.metadata.database import Database, ring
from tradewind.model.commands import ClearTasks, Selection
from tradewind.model.orders import AttemptOrder, Outcome
from tradewind.model.spec import DagSpec, FixedLength, MappingSpec
from tradewind.model.states import RunType

HOUR = 3600.0


def say(database: Database, run_pk: int, command: ClearTasks) -> None:
    with database.write() as tx:
        inbox.send(tx, [inbox.command_message(run_pk, uuid4(), command)], datetime.now(UTC))


def pass_time(database: Database, run_pk: int) -> None:
    """Let the delay of a run's next try be over."""
    with database.write() as tx:
        key = timers.start_key(run_pk)
        timers.set_timers(tx, [timers.TimerRow(key, timers.START, datetime.now(UTC), dag_id="etl")])
        ring(tx, "timer")


def waits_for_its_next_try(database: Database, run_pk: int) -> bool:
    with database.read() as tx:
        run = runs.get_runs(tx, [run_pk])[0]
    return run.state == "queued" and run.retries_used > 0


def started(executor: ScriptedExecutor) -> list[str]:
    return [order.task_id for order in executor.orders if order.callback is None]


class FailsOnce:
    """Fails the first try of some tasks."""

    def __init__(self, *task_ids: str, times: int = 1) -> None:
        self.left = dict.fromkeys(task_ids, times)

    def __call__(self, order: AttemptOrder) -> Outcome:
        if order.callback is None and self.left.get(order.task_id, 0) and order.map_index in (-1, 1):
            self.left[order.task_id] -= 1
            return Outcome.FAILED
        return Outcome.SUCCESS


@pytest.fixture
def chain() -> DagSpec:
    return dag(
        "etl",
        task("extract"),
        task("load", "extract"),
        task("report", "load"),
        task("other"),
        run_retries=1,
        run_retry_delay_seconds=HOUR,
        has_failure_callback=True,
        has_success_callback=True,
    )


def test_what_failed_and_what_follows_is_done_again_after_the_delay(database: Database, chain: DagSpec) -> None:
    pk = add_run(database, store(database, chain), "etl")
    with running_scheduler(database, FailsOnce("load")) as executor:
        wait_until(lambda: waits_for_its_next_try(database, pk))
        assert states(database, pk) == {"extract": "success", "load": "none", "report": "none", "other": "success"}
        said = explain(database, "etl", "r1")[0].text
        pass_time(database, pk)
        wait_until(is_over(database, pk))

    assert said.startswith("its try 1 of 2 failed ('report' failed); the next begins at ")
    assert sorted(started(executor)) == ["extract", "load", "load", "other", "report"]
    assert run_state(database, pk) == "success"
    with database.read() as tx:
        history = [(a.try_number, a.outcome) for a in attempts.list_attempts(tx, pk, "load")]
        told = [call.payload["hook"] for call in callbacks.list_callbacks(tx, pk)]
    assert history == [(1, "failed"), (2, "success")]
    assert told == ["on_success_callback"]  # and none of the failure in between
    assert verify(database) == []


def test_it_fails_for_good_when_its_tries_are_used_up_and_only_then_says_so(database: Database, chain: DagSpec) -> None:
    pk = add_run(database, store(database, chain), "etl")
    with running_scheduler(database, FailsOnce("load", times=2)):
        wait_until(lambda: waits_for_its_next_try(database, pk))
        with database.read() as tx:
            assert callbacks.list_callbacks(tx, pk) == []
        pass_time(database, pk)
        wait_until(is_over(database, pk))

    assert run_state(database, pk) == "failed"
    with database.read() as tx:
        assert [call.payload["hook"] for call in callbacks.list_callbacks(tx, pk)] == ["on_failure_callback"]
    assert verify(database) == []


def test_a_run_that_is_cleared_has_all_its_tries_again(database: Database, chain: DagSpec) -> None:
    pk = add_run(database, store(database, chain), "etl")
    with running_scheduler(database, FailsOnce("load", times=3)):
        wait_until(lambda: waits_for_its_next_try(database, pk))
        pass_time(database, pk)
        wait_until(is_over(database, pk))
        say(database, pk, ClearTasks(Selection(("load",), downstream=True)))
        wait_until(lambda: waits_for_its_next_try(database, pk))
        pass_time(database, pk)
        wait_until(lambda: run_state(database, pk) == "success")

    with database.read() as tx:
        assert [a.try_number for a in attempts.list_attempts(tx, pk, "load")] == [1, 2, 3, 4]
    assert verify(database) == []


def test_a_clear_does_not_wait_for_the_delay(database: Database, chain: DagSpec) -> None:
    pk = add_run(database, store(database, chain), "etl")
    with running_scheduler(database, FailsOnce("load")) as executor:
        wait_until(lambda: waits_for_its_next_try(database, pk))
        say(database, pk, ClearTasks(Selection()))
        wait_until(is_over(database, pk))

    assert sorted(started(executor)) == ["extract", "extract", "load", "load", "other", "other", "report"]
    assert verify(database) == []


def test_of_mapped_tasks_only_the_indexes_that_failed_are_done_again(database: Database) -> None:
    spec = dag(
        "etl",
        task("part", mapping=MappingSpec((FixedLength(3),))),
        task("sum", "part"),
        run_retries=1,
        run_retry_delay_seconds=0.0,
    )
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, FailsOnce("part")) as executor:
        wait_until(is_over(database, pk))

    assert run_state(database, pk) == "success"
    indexes = sorted(order.map_index for order in executor.orders if order.task_id == "part")
    assert indexes == [0, 1, 1, 2]
    assert set(index_states(database, pk).values()) == {"success"}
    assert verify(database) == []


def test_a_setup_and_its_teardown_come_along(database: Database) -> None:
    spec = dag(
        "etl",
        task("up", is_setup=True),
        task("work", "up"),
        task("down", "up", "work", is_teardown=True, trigger_rule="all_done_setup_success"),
        run_retries=1,
        run_retry_delay_seconds=0.0,
    )
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, FailsOnce("work")) as executor:
        wait_until(is_over(database, pk))

    assert run_state(database, pk) == "success"
    assert started(executor) == ["up", "work", "down"] * 2
    assert verify(database) == []


def test_after_a_failure_for_good_later_runs_wait_until_somebody_has_seen_to_it(database: Database) -> None:
    version = store(database, dag("etl", task("a"), holds_after_failure=True, max_active_runs=1))
    first = add_run(database, version, "etl", 1, run_type=RunType.SCHEDULED)
    second = add_run(database, version, "etl", 2, run_type=RunType.SCHEDULED)
    with running_scheduler(database, FailsOnce("a")) as executor:
        wait_until(is_over(database, first))
        by_hand = add_run(
            database, version, "etl", 3, run_type=RunType.MANUAL, run_after=datetime(2025, 1, 1, tzinfo=UTC)
        )
        wait_until(is_over(database, by_hand))
        assert run_state(database, second) == "queued"
        assert "run 'r1' failed, and the DAG says on_run_failure='hold'" in explain(database, "etl", "r2")[0].text
        say(database, first, ClearTasks(Selection()))
        wait_until(is_over(database, first, second))

    assert [order.run_id for order in executor.orders] == ["r1", "r3", "r1", "r2"]
    assert verify(database) == []
