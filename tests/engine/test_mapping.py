"""Are mapped tasks expanded, stored and verified, through a real scheduler and both databases?"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from scheduler.plan import Policy
from scheduler.verify import verify
from scheduler.why import explain
from tests.engine.world import add_run, dag, index_states, is_over, run_state, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import runs
from tradewind.metadata.database import Database
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome
from tradewind.model.spec import DagSpec, FixedLength, GroupSpec, MappingSpec, OutputLength
from tradewind.model.states import TaskEvent

OVER_SOURCE = MappingSpec((OutputLength("source"),))


def fan(dag_id: str = "fan", **fields: object) -> DagSpec:
    """One task, as many as it says, and one behind all of them."""
    return dag(dag_id, task("source"), task("work", "source", mapping=OVER_SOURCE), task("sum", "work"), **fields)


def says(length: int) -> object:
    """The source has so many values; everything else just succeeds."""

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath]:
        return (Outcome.SUCCESS, Aftermath(length=length)) if order.task_id == "source" else Outcome.SUCCESS

    return behave


def test_a_mapped_task_has_as_many_instances_as_its_source_has_values(database: Database) -> None:
    run = add_run(database, store(database, fan()), "fan")
    with running_scheduler(database, says(3)) as executor:  # type: ignore[arg-type]
        wait_until(is_over(database, run))

    assert index_states(database, run) == {
        ("source", -1): "success", ("work", 0): "success", ("work", 1): "success", ("work", 2): "success",
        ("sum", -1): "success",
    }  # fmt: skip
    assert sorted(o.map_index for o in executor.orders if o.task_id == "work") == [0, 1, 2]
    assert verify(database) == []


def test_nothing_to_map_over_skips_the_task_and_what_needs_it(database: Database) -> None:
    run = add_run(database, store(database, fan()), "fan")
    with running_scheduler(database, says(0)):  # type: ignore[arg-type]
        wait_until(is_over(database, run))

    assert index_states(database, run) == {("source", -1): "success", ("work", -1): "skipped", ("sum", -1): "skipped"}
    assert "nothing to map over" in explain(database, "fan", None, "work")[1].text
    assert verify(database) == []


def test_a_failed_index_fails_the_run_and_is_named(database: Database) -> None:
    run = add_run(database, store(database, dag("fan", task("work", mapping=MappingSpec((FixedLength(3),))))), "fan")

    def behave(order: AttemptOrder) -> Outcome:
        return Outcome.FAILED if order.map_index == 1 else Outcome.SUCCESS

    with running_scheduler(database, behave):
        wait_until(is_over(database, run))

    assert Counter(index_states(database, run).values()) == {"success": 2, "failed": 1}
    with database.read() as tx:
        assert runs.get_runs(tx, [run])[0].reason == "failed: 'work'[1]"


def test_a_mapped_group_follows_index_by_index(database: Database) -> None:
    spec = dag(
        "etl",
        task("g.extract", group_id="g"),
        task("g.load", "g.extract", group_id="g"),
        task("report", "g.load", trigger_rule="all_done"),
        groups=(GroupSpec("g", mapping=MappingSpec((FixedLength(3),))),),
    )
    run = add_run(database, store(database, spec), "etl")

    def behave(order: AttemptOrder) -> Outcome:
        return Outcome.FAILED if (order.task_id, order.map_index) == ("g.extract", 1) else Outcome.SUCCESS

    with running_scheduler(database, behave):
        wait_until(is_over(database, run))

    found = index_states(database, run)
    assert [found["g.load", i] for i in range(3)] == ["success", "upstream_failed", "success"]
    assert (found["report", -1], run_state(database, run)) == ("success", "success")
    assert verify(database) == []


def test_a_large_expansion_is_made_in_pieces_that_a_restart_goes_on_with(database: Database) -> None:
    """Stopped after the first pieces, the next scheduler makes the rest: no index twice, none missing."""
    run = add_run(database, store(database, fan(max_active_tasks=1)), "fan")
    policy = Policy(expand_at_once=10)

    def behave(order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath] | None:
        return (Outcome.SUCCESS, Aftermath(length=205)) if order.task_id == "source" else None

    def has_begun() -> bool:
        return ("work", 0) in index_states(database, run)

    with running_scheduler(database, behave, policy=policy):
        wait_until(has_begun)
    # Its scheduler is gone, and one of the instances ran and never ended: the lease is over by being handed back.
    with running_scheduler(database, policy=policy, lease=timedelta(seconds=1)):
        wait_until(is_over(database, run), timeout=30)

    found = index_states(database, run)
    assert sorted(i for t, i in found if t == "work") == list(range(205))
    assert set(found.values()) == {"success"}
    with database.read() as tx:
        pieces = [e.payload["count"] for e in runs.read_events(tx, run) if e.kind == TaskEvent.EXPANDED]
    assert sum(pieces) == 205
    assert max(pieces) <= 10
    assert verify(database) == []


def test_why_says_what_an_unexpanded_task_waits_for(database: Database) -> None:
    add_run(database, store(database, fan()), "fan")
    with running_scheduler(database, lambda _order: None) as executor:
        wait_until(lambda: bool(executor.orders))
        text = explain(database, "fan", None, "work")[1].text

    assert text == "how many indexes it has is known when 'source' has ended"
