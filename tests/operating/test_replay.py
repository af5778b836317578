"""Is a run that is replayed done again with the same input, and are the tasks before it taken over as they were?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from scheduler.operating.replay import Replay, Replayed, preview_replay, replay_run
from scheduler.verify import verify
from tests.engine.world import add_run, dag, index_states, is_over, run_state, running_scheduler, states, store, task
from tests.operating.acts import ADA, add_version, ended, fails
from tests.support.waiting import wait_until
from tradewind.errors import Conflict, NotFound, UsageError
from tradewind.metadata import runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import AuditEntry, Dag, RunInbox, TaskInstance, XCom
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome
from tradewind.model.spec import DagSpec, GroupSpec, MappingSpec, OutputLength
from tradewind.model.states import RunType


def xcoms(db: Database, pk: int) -> dict[tuple[str, int], str | None]:
    with db.read() as tx:
        return {(row.task_id, row.map_index): row.value for row in tx.execute(select(XCom).where(XCom.run_pk == pk))}


def put_xcoms(db: Database, pk: int, *keys: tuple[str, int]) -> None:
    now = datetime.now(UTC)
    with db.write() as tx:
        for task_id, map_index in keys:
            value = f'"{task_id}{map_index}"'
            tx.execute(
                insert(XCom).values(
                    run_pk=pk, task_id=task_id, map_index=map_index, key="return_value", value=value, location=None,
                    size_bytes=len(value), created_at=now,
                )
            )  # fmt: skip


def finish(db: Database, made: Replayed, behave: Any = lambda order: Outcome.SUCCESS) -> list[AttemptOrder]:
    with running_scheduler(db, behave) as executor:
        wait_until(is_over(db, made.pk), timeout=30, what="the end of the replay")
    assert verify(db) == []
    return sorted(executor.orders, key=lambda order: (order.task_id, order.map_index))


def test_a_replay_has_the_input_of_its_original(database: Database, etl: int) -> None:
    (first,) = ended(database, etl, 1, conf={"n": 3}, behave=fails("c"))

    made = replay_run(database, Replay(dag_id="etl", run_id_of="r1", note="again"), ADA)
    orders = finish(database, made)

    with database.read() as tx:
        old, new = runs.get_runs(tx, [first, made.pk])
    assert (new.run_id, new.run_type, new.note) == ("r1__replay1", RunType.MANUAL, "again")
    assert (new.replay_of, new.logical_date, new.task_date) == (first, None, old.logical_date)
    assert {order.task_id: order.conf for order in orders} == {"a": {"n": 3}, "b": {"n": 3}, "c": {"n": 3}}
    assert {order.logical_date for order in orders} == {old.logical_date}
    assert run_state(database, first) == "failed", "the original stays as it was"
    assert run_state(database, made.pk) == "success"


def test_from_a_task_on_the_others_are_taken_over(database: Database, etl: int) -> None:
    (first,) = ended(database, etl, 1, behave=fails("b"))
    put_xcoms(database, first, ("a", -1), ("b", -1))

    replay = Replay(dag_id="etl", run_id_of="r1", from_tasks=["b"])
    plan = preview_replay(database, replay)
    assert (list(plan.again), plan.taken) == ([("b", -1), ("c", -1)], 1)
    made = replay_run(database, replay, ADA)

    assert xcoms(database, made.pk) == {("a", -1): '"a-1"'}
    assert [order.task_id for order in finish(database, made)] == ["b", "c"]
    assert states(database, made.pk) == {"a": "success", "b": "success", "c": "success"}
    with database.read() as tx:
        reason = tx.execute(
            select(TaskInstance.reason).where(TaskInstance.run_pk == made.pk, TaskInstance.task_id == "a")
        ).scalar()
        assert tx.execute(select(RunInbox.id)).all() == []
        assert "run.replay" in tx.execute(select(AuditEntry.action)).scalars().all()
    assert reason == "taken over from run 'r1'"


def mapped(dag_id: str = "etl") -> DagSpec:
    """A source, a mapped task over it, a mapped group over it, and one behind all."""
    over = MappingSpec((OutputLength("source"),))
    return dag(
        dag_id,
        task("source"),
        task("work", "source", mapping=over),
        task("each.p", "source", group_id="each"),
        task("each.q", "each.p", group_id="each"),
        task("sum", "work", "each.q"),
        groups=(GroupSpec("each", mapping=over),),
    )


def three(order: AttemptOrder) -> Any:
    return (Outcome.SUCCESS, Aftermath(length=3)) if order.task_id == "source" else Outcome.SUCCESS


def all_indexes(task_id: str) -> list[tuple[str, int]]:
    return [(task_id, index) for index in range(3)]


@pytest.mark.parametrize(
    ("start", "again"),
    [
        ("work[1]", [("sum", -1), ("work", 1)]),
        ("work", [("sum", -1), *all_indexes("work")]),
        ("each.q", [*all_indexes("each.q"), ("sum", -1)]),
        ("each[2]", [("each.p", 2), ("each.q", 2), ("sum", -1)]),
        ("source", [*all_indexes("each.p"), *all_indexes("each.q"), ("source", -1), ("sum", -1), *all_indexes("work")]),
    ],
)
def test_map_indexes_are_taken_over_one_by_one(database: Database, start: str, again: list[tuple[str, int]]) -> None:
    (first,) = ended(database, store(database, mapped()), 1, behave=three)
    put_xcoms(database, first, *all_indexes("work"), ("source", -1))

    made = replay_run(database, Replay(dag_id="etl", run_id_of="r1", from_tasks=[start]), ADA)

    assert sorted(xcoms(database, made.pk)) == sorted({*all_indexes("work"), ("source", -1)} - set(again))
    orders = finish(database, made, three)
    assert [(order.task_id, order.map_index) for order in orders] == again
    assert index_states(database, made.pk) == index_states(database, first)


def test_a_task_decided_against_stays_so(database: Database) -> None:
    """What a branch skipped is skipped in the replay, and does not run when it is cleared with the branch as it was."""
    spec = dag("etl", task("branch"), task("left", "branch"), task("right", "branch"), task("after", "left"))
    (first,) = ended(
        database,
        store(database, spec),
        1,
        behave=lambda order: (
            (Outcome.SUCCESS, Aftermath(skip=("right",))) if order.task_id == "branch" else Outcome.SUCCESS
        ),
    )
    made = replay_run(database, Replay(dag_id="etl", run_id_of="r1", from_tasks=["after"]), ADA)

    assert [order.task_id for order in finish(database, made)] == ["after"]
    assert states(database, made.pk) == states(database, first)
    with database.read() as tx:
        (branch,) = [one for one in runs.list_task_instances(tx, made.pk) if one.task_id == "branch"]
    assert branch.decided_against == ["right"]


def test_what_had_no_good_end_is_done_again_though_it_stands_elsewhere(database: Database) -> None:
    spec = dag("etl", task("a"), task("b", "a"), task("other"), task("below", "other"))
    ended(database, store(database, spec), 1, behave=fails("other"))

    made = replay_run(database, Replay(dag_id="etl", run_id_of="r1", from_tasks=["b"]), ADA)

    assert [order.task_id for order in finish(database, made)] == ["b", "below", "other"]


def test_the_newest_version_brings_its_new_tasks(database: Database, etl: int) -> None:
    ended(database, etl, 1)
    newest = dag("etl", task("a"), task("b", "a"), task("d", "a"), task("e", "b"), max_active_runs=50)
    add_version(database, newest, 2)

    made = replay_run(database, Replay(dag_id="etl", run_id_of="r1", from_tasks=["b"], on_latest=True), ADA)

    assert [order.task_id for order in finish(database, made)] == ["b", "d", "e"]
    assert states(database, made.pk) == {"a": "success", "b": "success", "d": "success", "e": "success"}


def test_what_waits_for_its_start_is_taken_over_then_and_only_once(database: Database, etl: int) -> None:
    ended(database, etl, 1)
    made = replay_run(database, Replay(dag_id="etl", run_id_of="r1", from_tasks=["c"]), ADA)
    with database.write() as tx:
        tx.execute(update(Dag).values(max_active_runs=0))
    with running_scheduler(database):
        other = add_run(database, etl, "etl", 2)
    assert run_state(database, made.pk) == run_state(database, other) == "queued"
    with database.read() as tx:
        assert len(tx.execute(select(RunInbox.id)).all()) == 1, "it lies there until the run starts"
    with database.write() as tx:
        tx.execute(update(Dag).values(max_active_runs=5))
    assert [order.task_id for order in finish(database, made) if order.run_pk == made.pk] == ["c"]


def test_replays_have_names_of_their_own(database: Database, etl: int) -> None:
    ended(database, etl, 1)
    first = replay_run(database, Replay(dag_id="etl", run_id_of="r1"), ADA)
    finish(database, first)
    names = [
        replay_run(database, Replay(dag_id="etl", run_id_of=name), ADA).plan.run_id for name in ("r1", "r1__replay1")
    ]
    assert names == ["r1__replay2", "r1__replay3"]


def test_refusals_say_the_mend(database: Database, etl: int) -> None:
    ended(database, etl, 1)
    add_run(database, etl, "etl", 2)
    with pytest.raises(Conflict, match="is queued, and only a run that has ended can be replayed"):
        replay_run(database, Replay(dag_id="etl", run_id_of="r2"), ADA)
    with pytest.raises(NotFound, match="Did you mean 'r1'"):
        replay_run(database, Replay(dag_id="etl", run_id_of="r11"), ADA)
    with pytest.raises(NotFound, match="Task or group 'bb' of run 'r1' does not exist"):
        preview_replay(database, Replay(dag_id="etl", run_id_of="r1", from_tasks=["bb"]))
    with pytest.raises(UsageError, match="cannot be used"):
        preview_replay(database, Replay(dag_id="etl", run_id_of="r1", run_id="a/b"))
    with pytest.raises(Conflict, match="already has a run 'r2'"):
        replay_run(database, Replay(dag_id="etl", run_id_of="r1", run_id="r2"), ADA)
