"""Does a run do again what people clear, and keep still what they hold? On both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from scheduler.advance import Advancer
from scheduler.held import Lanes
from scheduler.plan import Policy
from scheduler.verify import verify
from scheduler.versions import VersionCache
from tests.engine.operating import BAD, GOOD, OVER_X, Script, gives, is_folded, only, say, settle, tries
from tests.engine.world import T0, add_run, dag, index_states, run_state, running_scheduler, states, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import inbox, runs
from tradewind.metadata.attempts import list_attempts
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt, Dag, Timer
from tradewind.model.commands import ClearTasks, Hold, MarkRun, Release, Selection
from tradewind.model.orders import Aftermath, Outcome, Wait
from tradewind.model.spec import FixedLength, GroupSpec, MappingSpec, OutputLength
from tradewind.model.states import RunState, RunType, TaskState

# --- clear -----------------------------------------------------------------------------------------------------------


def test_what_failed_is_done_again_with_what_stands_below(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"), task("c", "b"))), "etl")
    with running_scheduler(database, Script(b=[BAD, GOOD])) as executor:
        settle(database, pk)
        assert states(database, pk) == {"a": "success", "b": "failed", "c": "upstream_failed"}
        say(database, pk, ClearTasks(Selection(downstream=True, starting_from=(TaskState.FAILED,))))
        settle(database, pk)

    assert states(database, pk) == {"a": "success", "b": "success", "c": "success"}
    assert run_state(database, pk) == "success"
    assert tries(executor.orders) == {"a": 1, "b": 2, "c": 1}
    assert [order.try_number for order in executor.orders if order.task_id == "b"] == [1, 2]
    with database.read() as tx:  # the attempt that failed stays in history
        rows = tx.execute(select(Attempt.outcome).where(Attempt.task_id == "b").order_by(Attempt.try_number))
        assert list(rows.scalars()) == ["failed", "success"]
    assert verify(database) == []


def test_a_clear_that_means_nothing_changes_nothing(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"))), "etl")
    with running_scheduler(database) as executor:
        settle(database, pk)
        say(database, pk, ClearTasks(only("b")), ClearTasks(Selection(states=(TaskState.FAILED,))))
        settle(database, pk)
        assert len(executor.orders) == 1
    with database.read() as tx:
        assert [e.kind for e in runs.read_events(tx, pk)][-1] == "run_succeeded"


def test_what_runs_is_stopped_before_it_is_done_again(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"))), "etl")
    with running_scheduler(database, Script(a=[None, GOOD])) as executor:
        wait_until(lambda: executor.orders)
        say(database, pk, ClearTasks(only("a")))
        wait_until(lambda: executor.cancelled == [executor.orders[0].attempt_id])
        assert states(database, pk)["a"] == "restarting"
        assert len(executor.orders) == 1  # its process is still there
        executor.end(executor.orders[0], Outcome.FAILED)
        settle(database, pk)

    assert tries(executor.orders) == {"a": 2, "b": 1}
    assert run_state(database, pk) == "success"
    assert verify(database) == []


def test_a_waiting_retry_and_a_waiting_trigger_are_forgotten_when_cleared(database: Database) -> None:
    spec = dag("etl", task("a", retries=3, retry_delay_seconds=9999.0), task("b"), task("c"))
    pk = add_run(database, store(database, spec), "etl")
    waits = (Outcome.DEFERRED, Aftermath(wait=Wait("on", trigger="t.T", timeout_seconds=9999.0)))
    again = (Outcome.RESCHEDULED, Aftermath(resume_at=datetime.now(UTC) + timedelta(days=1)))
    waiting = {"a": "up_for_retry", "b": "deferred", "c": "up_for_reschedule"}
    with running_scheduler(database, Script(a=[BAD, GOOD], b=[waits, GOOD], c=[again, GOOD])) as executor:
        wait_until(lambda: states(database, pk) == waiting)
        say(database, pk, ClearTasks(Selection()))
        settle(database, pk)

    assert tries(executor.orders) == {"a": 2, "b": 2, "c": 2}
    assert [o.part for o in executor.orders if o.task_id == "b"] == [0, 0]
    with database.read() as tx:
        assert list(tx.execute(select(Timer.key)).scalars()) == []
    assert verify(database) == []


def test_clearing_an_index_takes_the_same_index_below_along(database: Database) -> None:
    spec = dag(
        "etl", task("x"), task("m", "x", mapping=OVER_X), task("n", "m", mapping=MappingSpec((OutputLength("m"),)))
    )
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, Script(x=[gives(3)], m=[gives(1)])) as executor:
        settle(database, pk)
        executor.orders.clear()
        say(database, pk, ClearTasks(only("m", map_indexes={"m": (1,)}, downstream=True)))
        settle(database, pk)
        assert [(o.task_id, o.map_index) for o in executor.orders] == [("m", 1), ("n", 1)]
    assert verify(database) == []


@pytest.mark.parametrize(
    ("length", "left"),
    [
        (1, {0: "success", 1: "removed"}),
        (4, {0: "success", 1: "success", 2: "success", 3: "success"}),
        (0, {0: "skipped", 1: "removed"}),
    ],
)
def test_a_source_that_gives_more_or_less_than_before(database: Database, length: int, left: dict[int, str]) -> None:
    pk = add_run(database, store(database, dag("etl", task("x"), task("m", "x", mapping=OVER_X))), "etl")
    with running_scheduler(database, Script(x=[gives(2), gives(length), gives(2)])):
        settle(database, pk)
        say(database, pk, ClearTasks(Selection()))
        settle(database, pk)
        assert {i: s for (t, i), s in index_states(database, pk).items() if t == "m"} == left
        assert verify(database) == []
        say(database, pk, ClearTasks(Selection()))
        settle(database, pk)

    found = {i: s for (t, i), s in index_states(database, pk).items() if t == "m" and s != "removed"}
    assert found == {0: "success", 1: "success"}
    assert run_state(database, pk) == "success"
    assert verify(database) == []


def test_what_is_mapped_over_a_source_that_fails_the_second_time_fails_for_its_sake(database: Database) -> None:
    spec = dag("etl", task("x"), task("m", "x", mapping=OVER_X, trigger_rule="all_done"))
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, Script(x=[gives(2), BAD])):
        settle(database, pk)
        say(database, pk, ClearTasks(Selection()))
        settle(database, pk)

    assert index_states(database, pk) == {
        ("x", -1): "failed", ("m", 0): "upstream_failed", ("m", 1): "upstream_failed"
    }  # fmt: skip
    assert run_state(database, pk) == "failed"
    assert verify(database) == []


def test_two_roots_of_a_mapped_group_get_their_new_indexes(database: Database) -> None:
    spec = dag(
        "etl",
        task("x"), task("ga", "x", group_id="g"), task("gb", "x", group_id="g"), task("gc", "ga", group_id="g"),
        groups=(GroupSpec("g", mapping=OVER_X),),
    )  # fmt: skip
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, Script(x=[gives(1), gives(2)])):
        settle(database, pk)
        say(database, pk, ClearTasks(Selection()))
        settle(database, pk)

    assert index_states(database, pk) == {
        ("x", -1): "success", **{(t, i): "success" for t in ("ga", "gb", "gc") for i in (0, 1)}
    }  # fmt: skip
    assert verify(database) == []


def test_a_setup_and_its_teardown_come_along(database: Database) -> None:
    spec = dag(
        "etl",
        task("up", is_setup=True),
        task("work", "up"),
        task("down", "up", "work", is_teardown=True, trigger_rule="all_done_setup_success"),
        task("else"),
    )
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, Script(work=[BAD, GOOD])) as executor:
        settle(database, pk)
        say(database, pk, ClearTasks(Selection(starting_from=(TaskState.FAILED,))))
        settle(database, pk)

    assert tries(executor.orders) == {"up": 2, "work": 2, "down": 2, "else": 1}
    assert run_state(database, pk) == "success"


def test_a_mapped_setup_that_gets_fewer_indexes_still_counts_as_done(database: Database) -> None:
    spec = dag("etl", task("x"), task("up", "x", mapping=OVER_X, is_setup=True), task("work", "up"))
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, Script(x=[gives(2), gives(1)])):
        settle(database, pk)
        say(database, pk, ClearTasks(Selection()))
        settle(database, pk)
    assert index_states(database, pk)["work", -1] == "success"
    assert run_state(database, pk) == "success"


def test_a_decision_holds_below_until_it_is_made_anew(database: Database) -> None:
    spec = dag("etl", task("branch"), task("a", "branch"), task("b", "branch"))
    pk = add_run(database, store(database, spec), "etl")
    not_a, not_b = ((GOOD, Aftermath(skip=(one,))) for one in ("a", "b"))
    with running_scheduler(database, Script(branch=[not_a, not_b])):
        settle(database, pk)
        say(database, pk, ClearTasks(only("a", "b")))
        settle(database, pk)
        assert states(database, pk) == {"branch": "success", "a": "skipped", "b": "success"}
        say(database, pk, ClearTasks(only("branch", downstream=True)))
        settle(database, pk)

    assert states(database, pk) == {"branch": "success", "a": "success", "b": "skipped"}
    assert verify(database) == []


def test_what_is_cleared_waits_for_a_place_like_any_run(database: Database) -> None:
    version = store(database, dag("etl", task("a"), max_active_runs=1))
    first = add_run(database, version, "etl", 1)
    with running_scheduler(database, Script(a=[GOOD, None, GOOD])) as executor:
        settle(database, first)
        second = add_run(database, version, "etl", 2)
        wait_until(lambda: len(executor.orders) == 2)
        say(database, first, ClearTasks(Selection()))
        wait_until(lambda: is_folded(database))
        assert (run_state(database, first), run_state(database, second)) == ("queued", "running")
        executor.end(executor.orders[1], GOOD)
        settle(database, first, second)

    assert verify(database) == []


def test_what_is_cleared_in_a_paused_dag_runs_and_its_time_limit_begins_anew(database: Database) -> None:
    version = store(database, dag("etl", task("a"), dagrun_timeout_seconds=3600.0))
    pk = add_run(database, version, "etl", 1, run_type=RunType.SCHEDULED)
    with running_scheduler(database, Script(a=[GOOD, None])) as executor:
        settle(database, pk)
        with database.write() as tx:
            tx.execute(update(Dag).values(is_paused=True))
        say(database, pk, ClearTasks(Selection()))
        wait_until(lambda: len(executor.orders) == 2)
        with database.read() as tx:
            assert list(tx.execute(select(Timer.key)).scalars()) == [f"run_timeout:{pk}"]


def test_a_run_that_looks_back_waits_for_a_cleared_one(database: Database) -> None:
    version = store(database, dag("etl", task("a", depends_on_past=True)))
    first, second = (add_run(database, version, "etl", number) for number in (1, 2))
    with running_scheduler(database, Script(a=[BAD, None, GOOD])) as executor:
        settle(database, first)
        wait_until(lambda: run_state(database, second) == "running")
        assert states(database, second) == {"a": "none"}
        say(database, first, ClearTasks(Selection()))
        wait_until(lambda: len(executor.orders) == 2)
        assert states(database, second) == {"a": "none"}
        executor.end(executor.orders[1], GOOD)
        settle(database, first, second)

    with database.read() as tx:
        assert list(tx.execute(select(Timer.key)).scalars()) == []
    assert verify(database) == []


def test_a_run_that_failed_fast_goes_on_from_what_failed(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b"), task("c", "b"), fail_fast=True)), "etl")
    with running_scheduler(database, Script(a=[BAD, GOOD], b=[None, GOOD])) as executor:
        settle(database, pk)
        assert states(database, pk)["a"] == "failed"
        for order in list(executor.orders):
            executor.end(order, BAD)
        say(database, pk, ClearTasks(Selection()))
        settle(database, pk)

    assert states(database, pk) == {"a": "success", "b": "success", "c": "success"}
    assert verify(database) == []


# --- said twice, and to nobody ---------------------------------------------------------------------------------------


def _advancer(holder: UUID) -> Advancer:
    lanes = Lanes("E", {"E": holder}, lambda: {"E": None})
    return Advancer(holder, policy=Policy(), parallelism=8, lanes=lanes, versions=VersionCache())


def test_a_command_that_somebody_has_folded_is_not_folded_again(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"))), "etl")
    with running_scheduler(database):
        settle(database, pk)
    say(database, pk, ClearTasks(Selection()))
    late = uuid4()
    with database.read() as tx:
        rows = inbox.read_inbox(tx, late, 10)  # and then another scheduler is faster
    with running_scheduler(database):
        settle(database, pk)
    with database.write() as tx:
        _advancer(late).step(tx, datetime.now(UTC), rows=rows)

    assert run_state(database, pk) == "success"
    assert verify(database) == []


def test_an_attempt_that_nobody_has_claimed_is_taken_back(database: Database) -> None:
    version = store(database, dag("etl", task("a")))
    pk = add_run(database, version, "etl")
    holder = uuid4()
    lanes = Lanes("E", {"E": None}, lambda: {"E": None})
    advancer = Advancer(holder, policy=Policy(), parallelism=8, lanes=lanes, versions=VersionCache())
    with database.write() as tx:
        advancer.step(tx, datetime.now(UTC), starts=runs.claim_startable(tx, "etl", holder, 10))
    say(database, pk, ClearTasks(Selection()))
    seen = []
    for _ in range(2):  # it is ended in the first step, and the second hears of it
        with database.write() as tx:
            advancer.step(tx, datetime.now(UTC), rows=inbox.read_inbox(tx, holder, 10))
        seen.append(states(database, pk)["a"])
        assert verify(database) == []
    assert seen == ["restarting", "queued"]
    with database.read() as tx:
        assert [row.outcome for row in list_attempts(tx, pk)] == ["cancelled", None]


def test_a_version_that_is_not_there_harms_nobody(database: Database) -> None:
    version = store(database, dag("etl", task("a")))
    other = store(database, dag("other", task("b")))
    pk = add_run(database, version, "etl")
    with running_scheduler(database):
        settle(database, pk)
        say(database, pk, ClearTasks(Selection(), 999), ClearTasks(Selection(), other))
        settle(database, pk)

    assert run_state(database, pk) == "success"
    assert states(database, pk) == {"a": "success"}


def test_a_run_that_is_held_or_taken_back_as_it_starts_starts_nothing(database: Database) -> None:
    version = store(database, dag("etl", task("a", needs_process=False)))
    held, marked, cancelled = (add_run(database, version, "etl", number) for number in (1, 2, 3))
    say(database, held, Hold(None, "me"))
    say(database, marked, MarkRun(RunState.SUCCESS))
    with database.write() as tx:
        message = inbox.Message(cancelled, "c", inbox.CANCEL, {"reason": "not wanted"})
        inbox.send(tx, [message], datetime.now(UTC))
    holder = uuid4()
    with database.write() as tx:
        rows = inbox.read_inbox(tx, holder, 10)
        starts = runs.claim_startable(tx, "etl", holder, 10)
        assert starts == [held, marked, cancelled]
        _advancer(holder).step(tx, datetime.now(UTC), rows=rows, starts=starts)

    assert [run_state(database, pk) for pk in (held, marked, cancelled)] == ["queued", "success", "failed"]
    assert verify(database) == []
    say(database, held, Release())
    with running_scheduler(database):
        settle(database, held)
    assert states(database, held) == {"a": "success"}


# --- hold ------------------------------------------------------------------------------------------------------------


def test_a_task_that_is_held_starts_when_it_is_released(database: Database) -> None:
    spec = dag("etl", task("a"), task("b", "a"), task("e", "a", needs_process=False))
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, Script(a=[None])) as executor:
        wait_until(lambda: executor.orders)
        say(database, pk, Hold(only("b", "e"), "ann: look first"))
        wait_until(lambda: is_folded(database))
        executor.end(executor.orders[0], GOOD)
        wait_until(lambda: states(database, pk) == {"a": "success", "b": "scheduled", "e": "none"})
        assert run_state(database, pk) == "running"
        say(database, pk, Release(only("b", "e")))
        settle(database, pk)

    assert run_state(database, pk) == "success"
    assert verify(database) == []


def test_a_run_that_is_held_starts_no_index_and_no_retry(database: Database) -> None:
    mapped = task("m", mapping=MappingSpec((FixedLength(3),)), retries=1, retry_delay_seconds=0.0)
    pk = add_run(database, store(database, dag("etl", mapped)), "etl")
    with running_scheduler(database, Script(m=[None]), parallelism=1) as executor:
        wait_until(lambda: executor.orders)
        say(database, pk, Hold(None, "me"))
        wait_until(lambda: is_folded(database))
        executor.end(executor.orders[0], BAD)
        wait_until(lambda: set(index_states(database, pk).values()) == {TaskState.SCHEDULED})
        executor.behave = Script()
        say(database, pk, Release())
        settle(database, pk)

    assert len(executor.orders) == 4
    assert run_state(database, pk) == "success"
    assert verify(database) == []


def test_a_run_that_waits_for_what_it_lacks_is_not_given_up_while_it_is_held(database: Database) -> None:
    late = (T0 + timedelta(days=99)).isoformat()
    spec = dag("etl", task("a"), task("e", "a", needs_process=False), task("z", start_date=late), task("y", "z"))
    pk = add_run(database, store(database, spec), "etl")
    with running_scheduler(database, Script(a=[None])) as executor:
        wait_until(lambda: executor.orders)
        say(database, pk, Hold(None, "me"))
        wait_until(lambda: is_folded(database))
        executor.end(executor.orders[0], GOOD)
        wait_until(lambda: states(database, pk)["a"] == "success")
        assert run_state(database, pk) == "running"
        say(database, pk, Release())
        settle(database, pk)

    assert states(database, pk)["e"] == "success"
    assert run_state(database, pk) == "failed"
    assert verify(database) == []
