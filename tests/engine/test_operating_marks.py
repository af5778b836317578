"""Does a run take what people mark, and go on with another version of its DAG? On both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from scheduler.verify import verify
from tests.engine.operating import BAD, GOOD, OVER_X, Script, add_version, gives, is_folded, only, say, settle, tries
from tests.engine.world import add_run, dag, index_states, is_over, run_state, running_scheduler, states, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import inbox, runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt, Timer
from tradewind.model.commands import ClearTasks, MarkRun, MarkTasks, Selection
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome
from tradewind.model.states import RunState, TaskState

SETUP = (
    task("up", is_setup=True),
    task("work", "up"),
    task("more", "work"),
    task("down", "up", "more", is_teardown=True, trigger_rule="all_done_setup_success"),
)


# --- mark ------------------------------------------------------------------------------------------------------------


def test_what_failed_is_taken_as_success_and_what_waited_for_it_runs(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"), task("c", "b"))), "etl")
    with running_scheduler(database, Script(a=[BAD])) as executor:
        settle(database, pk)
        say(database, pk, MarkTasks(only("a"), TaskState.SUCCESS, "ann"))
        settle(database, pk)

    assert states(database, pk) == {"a": "success", "b": "success", "c": "success"}
    assert tries(executor.orders) == {"a": 1, "b": 1, "c": 1}
    assert run_state(database, pk) == "success"
    assert verify(database) == []


@pytest.mark.parametrize(("state", "below"), [("failed", "upstream_failed"), ("skipped", "skipped")])
def test_what_runs_is_stopped_and_what_stands_below_follows(database: Database, state: str, below: str) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"))), "etl")
    with running_scheduler(database, Script(a=[None])) as executor:
        wait_until(lambda: executor.orders)
        say(database, pk, MarkTasks(only("a"), TaskState(state)))
        settle(database, pk)
        assert executor.cancelled == [executor.orders[0].attempt_id]
        executor.end(executor.orders[0], GOOD)  # too late: what was said stays
        wait_until(lambda: _are_ended(database))

    assert states(database, pk) == {"a": state, "b": below}
    assert verify(database) == []


def _are_ended(db: Database) -> bool:
    with db.read() as tx:
        return set(tx.execute(select(Attempt.state)).scalars()) == {"ended"}


def test_the_run_is_looked_at_anew_when_what_decides_about_it_is_marked(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"))), "etl")
    with running_scheduler(database, Script(b=[BAD])):
        settle(database, pk)
        for state, expected in [("success", "success"), ("failed", "failed"), ("skipped", "success")]:
            say(database, pk, MarkTasks(only("b"), TaskState(state)))
            settle(database, pk)
            assert (states(database, pk)["b"], run_state(database, pk)) == (state, expected)
    assert verify(database) == []


def test_a_mark_that_decides_nothing_leaves_the_run_as_it_is(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"))), "etl")
    with running_scheduler(database, Script(a=[None])) as executor:
        wait_until(lambda: executor.orders)
        with database.write() as tx:
            inbox.send(tx, [inbox.Message(pk, "c", inbox.CANCEL, {"reason": "no"})], datetime.now(UTC))
        settle(database, pk)
        say(database, pk, MarkTasks(only("nobody"), TaskState.SUCCESS))
        say(database, pk, MarkTasks(only("b"), TaskState.SUCCESS))
        settle(database, pk)
    assert states(database, pk) == {"a": "failed", "b": "success"}
    assert run_state(database, pk) == "failed"


def test_one_index_is_marked_and_what_is_mapped_over_it_runs(database: Database) -> None:
    spec = dag("etl", task("x"), task("m", "x", mapping=OVER_X), task("z", "m"))
    pk = add_run(database, store(database, spec), "etl")

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath]:
        return gives(2) if order.task_id == "x" else BAD if order.map_index == 1 else GOOD

    with running_scheduler(database, behave):
        settle(database, pk)
        assert index_states(database, pk)["z", -1] == "upstream_failed"
        say(database, pk, MarkTasks(only("m", map_indexes={"m": (1,)}), TaskState.SUCCESS))
        settle(database, pk)
    assert run_state(database, pk) == "success"
    assert verify(database) == []


# --- mark a run ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [RunState.SUCCESS, RunState.FAILED])
def test_a_marked_run_cleans_up_first(database: Database, state: RunState) -> None:
    pk = add_run(database, store(database, dag("etl", *SETUP)), "etl")
    with running_scheduler(database, Script(work=[None], down=[None])) as executor:
        wait_until(lambda: len(executor.orders) == 2)
        say(database, pk, MarkRun(state))
        wait_until(lambda: len(executor.orders) == 3)
        assert run_state(database, pk) == "running"
        assert executor.orders[2].task_id == "down"
        executor.end(executor.orders[2], GOOD)
        settle(database, pk)

    assert states(database, pk) == {"up": "success", "work": state.value, "more": "skipped", "down": "success"}
    assert run_state(database, pk) == state.value
    assert verify(database) == []


def test_a_clear_takes_back_the_mark_of_a_run_that_still_cleans_up(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", *SETUP)), "etl")
    with running_scheduler(database, Script(work=[None, GOOD], down=[None, GOOD])) as executor:
        wait_until(lambda: len(executor.orders) == 2)
        say(database, pk, MarkRun(RunState.FAILED))
        wait_until(lambda: len(executor.orders) == 3)
        say(database, pk, ClearTasks(Selection()))
        wait_until(lambda: is_folded(database))
        for order in list(executor.orders[1:]):
            executor.end(order, GOOD)
        settle(database, pk)

    assert set(states(database, pk).values()) == {"success"}
    assert run_state(database, pk) == "success"
    assert verify(database) == []


def test_a_run_that_waits_to_be_done_again_is_marked_whole(database: Database) -> None:
    spec = dag("etl", *SETUP, run_retries=1, run_retry_delay_seconds=9999.0)
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, Script(work=[BAD])):
        wait_until(lambda: states(database, pk).get("more") == "none" and run_state(database, pk) == "queued")
        say(database, pk, MarkRun(RunState.SUCCESS))
        settle(database, pk)
    assert run_state(database, pk) == "success"
    with database.read() as tx:
        assert list(tx.execute(select(Timer.key)).scalars()) == []
    assert verify(database) == []


def test_fail_fast_ends_teardowns_too_when_the_whole_run_is_cancelled(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", *SETUP, fail_fast=True)), "etl")
    with running_scheduler(database, Script(work=[None])) as executor:
        wait_until(lambda: len(executor.orders) == 2)
        with database.write() as tx:
            inbox.send(tx, [inbox.Message(pk, "c", inbox.CANCEL, {"reason": "no"})], datetime.now(UTC))
        settle(database, pk)
    assert states(database, pk) == {"up": "success", "work": "failed", "more": "skipped", "down": "skipped"}
    assert verify(database) == []


# --- another version -------------------------------------------------------------------------------------------------


def test_a_run_that_has_ended_goes_on_with_what_a_newer_version_has(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"), task("c", "b"))), "etl")
    newer = add_version(database, dag("etl", task("a"), task("c", "a"), task("d", "c")))
    with running_scheduler(database) as executor:
        settle(database, pk)
        say(database, pk, ClearTasks(only("c"), newer))
        settle(database, pk)
        assert states(database, pk) == {"a": "success", "b": "removed", "c": "success", "d": "success"}
        assert tries(executor.orders) == {"a": 1, "b": 1, "c": 2, "d": 1}
        assert {o.version_id for o in executor.orders[-2:]} == {newer}
        first = executor.orders[0].version_id
        say(database, pk, ClearTasks(only("a"), first))
        settle(database, pk)

    assert states(database, pk) == {"a": "success", "b": "success", "c": "success", "d": "removed"}
    assert run_state(database, pk) == "success"
    assert verify(database) == []


def test_a_run_that_runs_goes_on_with_a_newer_version(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"), task("c", "b"))), "etl")
    newer = add_version(database, dag("etl", task("b"), task("n"), task("c", "b", "n")))
    with running_scheduler(database, Script(a=[None])) as executor:
        wait_until(lambda: executor.orders)
        say(database, pk, ClearTasks(only("c"), newer))
        settle(database, pk)
        assert executor.cancelled == [executor.orders[0].attempt_id]

    assert states(database, pk) == {"a": "removed", "b": "success", "n": "success", "c": "success"}
    assert run_state(database, pk) == "success"


def test_a_task_that_is_mapped_in_between_counts_its_tries_on(database: Database) -> None:
    plain = dag("etl", task("x"), task("m", "x"), task("z", "m"))
    mapped = dag("etl", task("x"), task("m", "x", mapping=OVER_X), task("z", "m"))
    pk = add_run(database, first := store(database, plain), "etl")
    second = add_version(database, mapped)
    with running_scheduler(database, Script(x=[gives(2)])) as executor:
        settle(database, pk)
        for version in (second, first, second, first):
            executor.orders.clear()
            say(database, pk, ClearTasks(Selection(), version))
            settle(database, pk)
            indexes = [-1] if version == first else [0, 1]
            there = {i for (t, i), s in index_states(database, pk).items() if t == "m" and s == "success"}
            assert there == set(indexes)
            assert sorted(o.map_index for o in executor.orders if o.task_id == "m") == indexes
            assert run_state(database, pk) == "success"
            assert verify(database) == []
    with database.read() as tx:
        rows = tx.execute(select(Attempt.map_index, Attempt.try_number).where(Attempt.task_id == "m"))
        assert sorted(tuple(row) for row in rows) == [(-1, 1), (-1, 3), (-1, 5), (0, 2), (0, 4), (1, 2), (1, 4)]


def test_a_version_without_what_is_ready_or_waits_leaves_nothing_behind(database: Database) -> None:
    spec = dag("etl", task("a", retries=1, retry_delay_seconds=9999.0), task("b"), task("c", "a", "b"))
    pk = add_run(database, store(database, spec), "etl")
    newer = add_version(database, dag("etl", task("c")))
    with running_scheduler(database, Script(a=[BAD], b=[None])) as executor:
        wait_until(lambda: states(database, pk).get("a") == "up_for_retry")
        say(database, pk, ClearTasks(only("c"), newer))
        settle(database, pk)
        for order in executor.orders:
            if order.task_id == "b":
                executor.end(order, GOOD)
        wait_until(lambda: _are_ended(database))

    assert states(database, pk) == {"a": "removed", "b": "removed", "c": "success"}
    with database.read() as tx:
        assert list(tx.execute(select(Timer.key)).scalars()) == []
        kinds = [e.kind for e in runs.read_events(tx, pk)]
    assert kinds.count("run_version_changed") == 1
    assert is_over(database, pk)()
    assert verify(database) == []


def test_a_decision_of_a_marked_branch_is_forgotten(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("branch"), task("a", "branch"))), "etl")
    against = GOOD, Aftermath(skip=("a",))
    with running_scheduler(database, Script(branch=[against])):
        settle(database, pk)
        say(database, pk, MarkTasks(only("branch"), TaskState.FAILED), MarkTasks(only("branch"), TaskState.SUCCESS))
        say(database, pk, ClearTasks(only("a")))
        settle(database, pk)
    assert states(database, pk) == {"branch": "success", "a": "success"}
    assert verify(database) == []
