"""Does a try that lets go of its slot come back, as the same try, with what it waited for?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from scheduler.verify import verify
from scheduler.why import explain
from tests.engine.world import Behaviour, add_run, dag, is_over, run_state, running_scheduler, states, store, task
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database, ring
from tradewind.metadata.inbox import Message, send
from tradewind.metadata.pools import PoolData, set_pool
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome, Resumption, Wait


def by_part(*ends: tuple[Outcome, Aftermath] | Outcome) -> Behaviour:
    """The parts of the task end as given, one after the other."""
    return lambda order: ends[order.part]


def again(seconds: float = 0) -> tuple[Outcome, Aftermath]:
    return Outcome.RESCHEDULED, Aftermath(resume_at=datetime.now(UTC) + timedelta(seconds=seconds))


def deferred(**fields: object) -> tuple[Outcome, Aftermath]:
    wait = Wait(method="execute_complete", kwargs='{"a":1}', trigger="some.Trigger", **fields)  # type: ignore[arg-type]
    return Outcome.DEFERRED, Aftermath(wait=wait)


def say_over(database: Database, run: int, attempt: UUID, **payload: str) -> None:
    with database.write() as tx:
        message = Message(run, f"wait_over:{attempt}", "wait_over", {"attempt_id": str(attempt), **payload})
        send(tx, [message], database.now())


def test_a_sensor_looks_again_in_the_same_try(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a"), task("b", "a"))), "etl")

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath]:
        return again() if order.task_id == "a" and order.part < 3 else Outcome.SUCCESS

    with running_scheduler(database, behave) as executor:
        wait_until(is_over(database, run))

    looks = [order for order in executor.orders if order.task_id == "a"]
    assert [(o.try_number, o.part) for o in looks] == [(1, 0), (1, 1), (1, 2), (1, 3)]
    assert len({o.attempt_id for o in looks}) == 4
    firsts = {o.first_started_at for o in looks[1:]}
    assert looks[0].first_started_at is None
    assert len(firsts) == 1
    assert None not in firsts
    assert run_state(database, run) == "success"
    assert verify(database) == []


def test_between_two_looks_it_holds_no_slot(database: Database) -> None:
    """With room for one task, another runs while the sensor waits for an hour."""
    run = add_run(database, store(database, dag("etl", task("a", priority=9), task("z"), max_active_tasks=1)), "etl")
    with running_scheduler(database, lambda o: again(3600) if o.task_id == "a" else Outcome.SUCCESS, parallelism=1):
        wait_until(lambda: states(database, run) == {"a": "up_for_reschedule", "z": "success"})

    assert "looks again at" in explain(database, "etl", None, "a")[1].text


def test_a_retry_of_a_sensor_begins_anew(database: Database) -> None:
    spec = dag("etl", task("a", retries=1, retry_delay_seconds=0))
    run = add_run(database, store(database, spec), "etl")
    ends: dict[tuple[int, int], Outcome | tuple[Outcome, Aftermath]] = {
        (1, 0): again(), (1, 1): Outcome.FAILED, (2, 0): again(), (2, 1): Outcome.SUCCESS,
    }  # fmt: skip
    with running_scheduler(database, lambda o: ends[o.try_number, o.part]) as executor:
        wait_until(is_over(database, run))

    assert [(o.try_number, o.part) for o in executor.orders] == list(ends)
    assert executor.orders[2].first_started_at is None
    assert executor.orders[3].first_started_at != executor.orders[1].first_started_at
    assert verify(database) == []


def test_a_deferred_task_comes_back_with_the_event(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a"))), "etl")
    with running_scheduler(database, by_part(deferred(), deferred(), Outcome.SUCCESS)) as executor:
        for number in (1, 2):

            def waits_again(number: int = number) -> bool:
                return len(executor.orders) == number and states(database, run) == {"a": "deferred"}

            def is_back(number: int = number) -> bool:
                return len(executor.orders) > number

            wait_until(waits_again)
            say_over(database, run, executor.orders[-1].attempt_id, event=f'"event {number}"')
            wait_until(is_back)
        wait_until(is_over(database, run))

    assert [o.resume for o in executor.orders] == [
        None,
        Resumption("execute_complete", '{"a":1}', event='"event 1"'),
        Resumption("execute_complete", '{"a":1}', event='"event 2"'),
    ]
    assert {o.try_number for o in executor.orders} == {1}
    assert verify(database) == []


def test_patience_ends(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a"))), "etl")
    with running_scheduler(database, by_part(deferred(timeout_seconds=0), Outcome.FAILED)) as executor:
        wait_until(is_over(database, run))

    assert executor.orders[1].resume == Resumption("execute_complete", '{"a":1}', failure="timeout")
    assert run_state(database, run) == "failed"


def test_an_answer_for_the_end_of_patience_is_taken(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a"))), "etl")
    ends = by_part(deferred(timeout_seconds=0, timeout_event='"never mind"'), Outcome.SUCCESS)
    with running_scheduler(database, ends) as executor:
        wait_until(is_over(database, run))

    resume = executor.orders[1].resume
    assert resume is not None
    assert (resume.event, resume.failure) == ('"never mind"', None)


def test_a_late_word_about_a_wait_that_is_over_is_dropped(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a"), task("b", "a"))), "etl")

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath] | None:
        if order.task_id == "b":
            return None
        return deferred() if order.part == 0 else Outcome.SUCCESS

    with running_scheduler(database, behave) as executor:
        wait_until(lambda: states(database, run).get("a") == "deferred")
        first = executor.orders[0].attempt_id
        say_over(database, run, first, event="1")
        wait_until(lambda: states(database, run).get("a") == "success")
        say_over(database, run, first, event="2")
        wait_until(lambda: states(database, run).get("b") in ("queued", "running"))
        executor.end(executor.orders[-1], Outcome.SUCCESS)
        wait_until(is_over(database, run))

    assert [o.task_id for o in executor.orders] == ["a", "a", "b"]
    assert verify(database) == []


def test_a_part_that_is_lost_is_done_again_with_what_it_waited_for(database: Database) -> None:
    run = add_run(database, store(database, dag("etl", task("a"))), "etl")
    lost: list[AttemptOrder] = []

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath]:
        if order.part == 0:
            return deferred()
        if not lost:
            lost.append(order)
            return Outcome.LOST
        return Outcome.SUCCESS

    with running_scheduler(database, behave) as executor:
        wait_until(lambda: states(database, run).get("a") == "deferred")
        say_over(database, run, executor.orders[0].attempt_id, event='"here"')
        wait_until(is_over(database, run))

    tries = [(o.try_number, o.part, o.resume.event if o.resume else None) for o in executor.orders]
    assert tries == [(1, 0, None), (1, 1, '"here"'), (2, 1, '"here"')]
    assert verify(database) == []


def test_a_pool_may_let_deferred_tasks_keep_their_slots(database: Database) -> None:
    spec = dag("etl", task("a", pool="narrow", priority=2), task("b", pool="narrow"))
    run = add_run(database, store(database, spec), "etl")
    with database.write() as tx:
        set_pool(tx, PoolData("narrow", 1, "", include_deferred=True))

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath]:
        return deferred() if order.task_id == "a" and order.part == 0 else Outcome.SUCCESS

    with running_scheduler(database, behave) as executor:
        wait_until(lambda: states(database, run) == {"a": "deferred", "b": "scheduled"})
        why = explain(database, "etl", None, "b")[1].text
        with database.write() as tx:
            set_pool(tx, PoolData("narrow", 1, "", include_deferred=False))
            ring(tx, "pools")
        wait_until(lambda: states(database, run)["b"] == "success")
        say_over(database, run, executor.orders[0].attempt_id, event="1")
        wait_until(is_over(database, run))

    assert "pool 'narrow' is full: 1 of 1 slots, used by etl (1)" in why
