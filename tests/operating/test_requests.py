"""What would come of a wish, and does exactly that come of it? Preview, sending, and many runs."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from scheduler.operating import requests
from scheduler.operating.at_once import fold_or_wait
from scheduler.operating.requests import Cancel, Clear, HoldBack, LetGo, Mark, MarkRuns, Wish, preview, send
from scheduler.verify import verify
from tests.engine.world import add_run, dag, index_states, run_state, running_scheduler, states, store, task
from tests.operating.acts import ADA, EVERY, add_version, ended, fails, listed
from tests.support.waiting import wait_until
from tradewind.config import Config
from tradewind.errors import NotFound, UsageError
from tradewind.metadata.database import Database
from tradewind.metadata.models import AuditEntry, DagRun, RunInbox, TaskInstance
from tradewind.metadata.run_choice import RunChoice
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome
from tradewind.model.spec import DagSpec, GroupSpec, MappingSpec, OutputLength
from tradewind.model.states import RunState, TaskEvent, TaskState
from tradewind.run.task_choice import FAILED, TaskChoice


def do(db: Database, config: Config, wish: Wish, **fields: str) -> None:
    """Send a wish, and fold it here."""
    sent = send(db, wish, ADA, **fields)  # type: ignore[arg-type]
    assert fold_or_wait(db, config, sent.request_id, sent.pks).waiting == 0
    assert verify(db) == []


def test_a_preview_lists_what_a_clear_then_does(database: Database, etl: int) -> None:
    first, second = ended(database, etl, 1, 2, behave=fails("b"))
    wish = Clear(runs=EVERY, tasks=TaskChoice(states=FAILED))

    found = preview(database, wish)

    assert (found.chosen, found.runs, found.tasks, found.again) == (2, 2, 4, 2)
    assert listed(found) == {"r1": [("b", -1), ("c", -1)], "r2": [("b", -1), ("c", -1)]}
    assert states(database, first)["b"] == "failed", "a preview changes nothing"

    with running_scheduler(database) as executor:
        sent = send(database, wish, ADA)
        wait_until(lambda: run_state(database, first) == run_state(database, second) == "success", timeout=30)
    assert sent.pks == [first, second]
    assert sorted({order.task_id for order in executor.orders}) == ["b", "c"]
    assert verify(database) == []


def test_what_is_listed_is_what_the_log_then_says(database: Database, etl: int, config: Config) -> None:
    """Whatever the wish: the states that a preview promises are those that are there afterwards."""
    (run,) = ended(database, etl, 1, behave=fails("b"))
    wishes: list[Wish] = [
        Mark(runs=EVERY, tasks=TaskChoice(names=["b"]), state=TaskState.SUCCESS),
        HoldBack(runs=EVERY, tasks=TaskChoice(names=["c"])),
        LetGo(runs=EVERY, tasks=TaskChoice(names=["c"])),
        Cancel(runs=EVERY, tasks=TaskChoice(names=["c"])),
        Clear(runs=EVERY, tasks=TaskChoice(names=["a"], downstream=True)),
        MarkRuns(runs=EVERY, state=RunState.SUCCESS),
    ]
    for wish in wishes:
        (effect,) = preview(database, wish).first
        do(database, config, wish)
        now = index_states(database, run)
        assert {one.key: one.next_state for one in effect.tasks} == {one.key: now[one.key] for one in effect.tasks}
        assert run_state(database, run) == effect.next_state
        assert preview(database, wish).runs == 0, "what is so already changes nothing"


def test_earlier_and_later_runs_are_those_of_earlier_and_later_dates(database: Database, etl: int) -> None:
    ended(database, etl, 1, 2, 3)
    add_run(database, etl, "etl", 9, logical_date=None)

    def chosen(**fields: object) -> list[str]:
        return list(listed(preview(database, Clear(runs=RunChoice(dag_ids=["etl"], **fields)))))  # type: ignore[arg-type]

    assert chosen(run_ids=["r2"]) == ["r2"]
    assert chosen(run_ids=["r2"], past=True) == ["r1", "r2"]
    assert chosen(run_ids=["r2"], future=True) == ["r2", "r3"]
    assert chosen(run_ids=["r2"], past=True, future=True) == ["r1", "r2", "r3"]
    with pytest.raises(UsageError, match="'r9' has no logical date"):
        chosen(run_ids=["r9"], past=True)


def test_a_task_that_only_older_runs_have_is_found_there(database: Database, etl: int) -> None:
    ended(database, etl, 1)
    newest = add_version(database, dag("etl", task("a"), task("d", "a")), 2)
    ended(database, newest, 2)

    assert listed(preview(database, Clear(runs=EVERY, tasks=TaskChoice(names=["c"])))) == {"r1": [("c", -1)]}
    assert listed(preview(database, Clear(runs=EVERY, tasks=TaskChoice(names=["d"])))) == {"r2": [("d", -1)]}
    with pytest.raises(NotFound, match="Task or group 'x' of DAG 'etl' does not exist"):
        preview(database, Clear(runs=EVERY, tasks=TaskChoice(names=["a", "x"])))


def test_the_newest_version_adds_and_removes_tasks(database: Database, etl: int, config: Config) -> None:
    first, second = ended(database, etl, 1, 2)
    add_version(database, dag("etl", task("a"), task("b", "a"), task("d", "a")), 2)
    only_new = Clear(runs=RunChoice(dag_ids=["etl"], run_ids=["r1"]), only_new=True)

    (effect,) = preview(database, only_new).first
    assert [(one.task_id, one.event) for one in effect.tasks] == [("c", TaskEvent.REMOVED), ("d", None)]
    do(database, config, only_new)
    assert states(database, first) == {"a": "success", "b": "success", "c": "removed", "d": "none"}

    do(database, config, Clear(runs=EVERY, tasks=TaskChoice(names=["b"]), on_latest=True))
    assert states(database, second) == {"a": "success", "b": "none", "c": "removed", "d": "none"}


def mapped() -> DagSpec:
    """A mapped group with a group inside; a mapped task, over which another one maps in turn."""
    over = MappingSpec((OutputLength("source"),))
    return dag(
        "etl",
        task("source"),
        task("each.p", "source", group_id="each"),
        task("each.deep.q", "each.p", group_id="each.deep"),
        task("work", "source", mapping=over),
        task("then", "work", mapping=MappingSpec((OutputLength("work"),))),
        task("sum", "each.deep.q", "then"),
        groups=(GroupSpec("each", mapping=over), GroupSpec("each.deep", parent_id="each")),
    )


def three(order: AttemptOrder) -> tuple[Outcome, Aftermath]:
    return Outcome.SUCCESS, Aftermath(length=3 if order.task_id == "source" else 1)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (TaskChoice(names=["each[1]"]), [("each.p", 1), ("each.deep.q", 1)]),
        (TaskChoice(names=["each.deep"], map_indexes=[0, 2]), [("each.deep.q", 0), ("each.deep.q", 2)]),
        (TaskChoice(groups=["each.deep"]), [("each.deep.q", 0), ("each.deep.q", 1), ("each.deep.q", 2)]),
        (TaskChoice(names=["work[0]"], downstream=True), [("work", 0), ("then", 0), ("sum", -1)]),
        (TaskChoice(names=["each.p[9]"], downstream=True), []),
        (TaskChoice(names=["s*"]), [("source", -1), ("sum", -1)]),
        (TaskChoice(regex=r"^each\.", map_indexes=[2]), [("each.p", 2), ("each.deep.q", 2)]),
        (TaskChoice(map_indexes=[1]), [("each.p", 1), ("each.deep.q", 1), ("work", 1), ("then", 1)]),
        (TaskChoice(names=["source"], map_indexes=[1], downstream=True), []),
    ],
)  # fmt: skip
def test_groups_and_map_indexes_are_chosen_by_name(
    mapped_runs: Database, choice: TaskChoice, expected: list[tuple[str, int]]
) -> None:
    assert listed(preview(mapped_runs, Clear(runs=EVERY, tasks=choice))) == ({"r1": expected} if expected else {})


@pytest.fixture
def mapped_runs(database: Database) -> Database:
    """A run of the mapped DAG."""
    ended(database, store(database, mapped()), 1, behave=three)
    return database


def test_each_deed_is_noted_with_who_did_it_and_a_remark(database: Database, etl: int, config: Config) -> None:
    first, second = ended(database, etl, 1, 2, behave=fails("b"))
    do(database, config, Clear(runs=EVERY, tasks=TaskChoice(names=["b"])), note="disk was full")
    do(database, config, MarkRuns(runs=EVERY, state=RunState.FAILED), note="given up")

    with database.read() as tx:
        found = tx.execute(select(AuditEntry).order_by(AuditEntry.id)).all()
        notes = tx.execute(
            select(TaskInstance.run_pk, TaskInstance.task_id).where(TaskInstance.note.is_not(None))
        ).all()
        assert set(tx.execute(select(DagRun.note)).scalars()) == {"given up"}
    assert [(one.actor, one.action, one.run_id, one.task_id) for one in found] == [
        ("ada", "task.clear", "r1", "b"), ("ada", "task.clear", "r2", "b"),
        ("ada", "run.mark", "r1", None), ("ada", "run.mark", "r2", None),
    ]  # fmt: skip
    assert [(row.run_pk, row.task_id) for row in notes] == [(first, "b"), (second, "b")]


def test_the_same_request_said_twice_is_said_once(database: Database, etl: int) -> None:
    ended(database, etl, 1)
    wish = Clear(runs=EVERY)
    sent = send(database, wish, ADA)
    send(database, wish, ADA, request_id=sent.request_id)
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(RunInbox)).scalar_one() == 1


def test_many_runs_are_read_and_sent_page_by_page(
    database: Database, etl: int, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held in memory is bounded by the page, whatever is chosen; and no run is left out or met twice."""
    ended(database, etl, *range(1, 24), behave=fails("c"))
    monkeypatch.setattr(requests, "PAGE", 5)
    monkeypatch.setattr(requests, "MAX_INSTANCES", 7)
    wish = Clear(runs=EVERY, tasks=TaskChoice(states=FAILED))

    pages = [[effect.run.run_id for effect in page] for page in requests.foresee(database, wish)]

    assert max(map(len, pages)) == 2, "two runs of three instances each are as many as may be in memory"
    assert [run_id for page in pages for run_id in page] == [f"r{number}" for number in range(1, 24)]
    do(database, config, wish)
    assert preview(database, Clear(runs=EVERY)).chosen == 23
    with database.read() as tx:
        assert set(tx.execute(select(DagRun.state)).scalars()) == {RunState.QUEUED}


def test_runs_without_such_tasks_are_not_even_read(database: Database, etl: int) -> None:
    ended(database, etl, 1, behave=fails("b"))
    ended(database, etl, 2)
    assert preview(database, Clear(runs=EVERY, tasks=TaskChoice(states=FAILED))).chosen == 1


def test_a_run_that_has_not_begun_has_nothing_to_clear_and_can_be_held(
    database: Database, etl: int, config: Config
) -> None:
    run = add_run(database, etl, "etl")
    assert preview(database, Clear(runs=EVERY)).runs == 0
    do(database, config, HoldBack(runs=EVERY, why="later"))
    with running_scheduler(database):
        (second,) = [add_run(database, etl, "etl", 2)]
        wait_until(lambda: run_state(database, second) == "success", timeout=30)
    assert run_state(database, run) == "queued"
    do(database, config, Cancel(runs=EVERY))
    assert run_state(database, run) == "failed"
