"""Do tasks wait for their run before, and start as soon as it has moved on?"""

from __future__ import annotations

from datetime import timedelta

from msgspec import structs
from sqlalchemy import update

from scheduler.verify import verify
from scheduler.why import explain
from tests.engine.world import T0, add_run, dag, is_over, run_state, running_scheduler, states, store, task
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.models import DagVersion
from tradewind.model.orders import AttemptOrder, Outcome
from tradewind.model.spec import encode_spec


def test_runs_follow_each_other_task_by_task(database: Database) -> None:
    version = store(database, dag("etl", task("a", depends_on_past=True), task("b", "a", depends_on_past=True)))
    pks = [add_run(database, version, "etl", number) for number in (1, 2, 3)]
    with running_scheduler(database) as executor:
        wait_until(is_over(database, *pks))

    for task_id in "ab":
        order = [o.run_id for o in executor.orders if o.task_id == task_id]
        assert order == ["r1", "r2", "r3"]
    assert [run_state(database, pk) for pk in pks] == ["success"] * 3
    assert verify(database) == []


def test_a_failure_holds_the_next_run_and_why_says_so(database: Database) -> None:
    version = store(database, dag("etl", task("a", depends_on_past=True)))
    first, second = (add_run(database, version, "etl", number) for number in (1, 2))
    with running_scheduler(database, lambda _order: Outcome.FAILED):
        wait_until(is_over(database, first))
        wait_until(lambda: run_state(database, second) == "running")
        text = explain(database, "etl", "r2", "a")[1].text

    assert states(database, second) == {"a": "none"}
    assert text == "it depends on its past: in run 'r1', itself is failed"


def test_a_skip_counts_as_good(database: Database) -> None:
    version = store(database, dag("etl", task("a", depends_on_past=True)))
    pks = [add_run(database, version, "etl", number) for number in (1, 2)]

    def behave(order: AttemptOrder) -> Outcome:
        return Outcome.SKIPPED if order.run_id == "r1" else Outcome.SUCCESS

    with running_scheduler(database, behave):
        wait_until(is_over(database, *pks))

    assert [states(database, pk)["a"] for pk in pks] == ["skipped", "success"]


def test_wait_for_downstream_waits_for_what_stands_below_in_the_run_before(database: Database) -> None:
    spec = dag("etl", task("a", depends_on_past=True, wait_for_downstream=True), task("b", "a"))
    version = store(database, spec)
    first, second = (add_run(database, version, "etl", number) for number in (1, 2))
    with running_scheduler(database, lambda o: None if o.task_id == "b" else Outcome.SUCCESS) as executor:
        wait_until(lambda: [o.task_id for o in executor.orders] == ["a", "b"])
        wait_until(lambda: run_state(database, second) == "running")
        assert states(database, second) == {"a": "none", "b": "none"}
        assert "task 'b' below it is" in explain(database, "etl", "r2", "a")[1].text
        executor.end(executor.orders[1], Outcome.SUCCESS)
        wait_until(lambda: len(executor.orders) == 4)
        executor.end(executor.orders[3], Outcome.SUCCESS)
        wait_until(is_over(database, first, second))

    assert [(o.run_id, o.task_id) for o in executor.orders] == [("r1", "a"), ("r1", "b"), ("r2", "a"), ("r2", "b")]


def test_a_run_without_a_date_has_no_past(database: Database) -> None:
    version = store(database, dag("etl", task("a", depends_on_past=True)))
    first = add_run(database, version, "etl", 1)
    with running_scheduler(database, lambda _order: Outcome.FAILED):
        wait_until(is_over(database, first))
        second = add_run(database, version, "etl", 2, logical_date=None)
        wait_until(is_over(database, second))

    assert states(database, second) == {"a": "failed"}


def test_a_skip_waits_for_the_run_before_when_the_task_says_so(database: Database) -> None:
    spec = dag(
        "etl",
        task("skips"),
        task("a", "skips", depends_on_past=True, wait_for_past_depends_before_skipping=True),
        task("b", "skips", depends_on_past=True),
    )
    version = store(database, spec)
    first, second = (add_run(database, version, "etl", number) for number in (1, 2))

    def behave(order: AttemptOrder) -> Outcome:
        if order.task_id == "skips":
            return Outcome.SUCCESS if order.run_id == "r1" else Outcome.SKIPPED
        return Outcome.FAILED

    with running_scheduler(database, behave):
        wait_until(is_over(database, first))
        wait_until(lambda: states(database, second) == {"skips": "skipped", "a": "none", "b": "skipped"})


def test_a_task_that_is_new_in_the_second_run_starts_unless_it_says_otherwise(database: Database) -> None:
    tasks = [task(name, depends_on_past=True, ignore_first_depends_on_past=name == "free") for name in ("free", "held")]
    # Both are left out of the first run by their start date; it is taken away before the second.
    late = [structs.replace(one, start_date=(T0 + timedelta(days=2)).isoformat()) for one in tasks]
    version = store(database, dag("etl", task("old"), *late))
    first = add_run(database, version, "etl", 1)
    with running_scheduler(database):
        wait_until(is_over(database, first))
        with database.write() as tx:
            spec = dag("etl", task("old"), *tasks)
            tx.execute(update(DagVersion).where(DagVersion.id == version).values(spec=encode_spec(spec).decode()))
    second = add_run(database, version, "etl", 2)
    with running_scheduler(database):
        wait_until(lambda: states(database, second) == {"old": "success", "free": "success", "held": "none"})
        text = explain(database, "etl", "r2", "held")[1].text

    assert text == "it depends on its past, and run 'r1' has no instance of it"
