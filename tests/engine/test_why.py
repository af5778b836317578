"""Has every run and task that waits a sentence, and is it the one that decides? On random runs and on a large one."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from msgspec import structs
from sqlalchemy import insert, update

from scheduler.admission import blocker
from scheduler.held import HeldRun, Lanes
from scheduler.judging import judge_task, verdict_reason
from scheduler.reasons.of_tasks import NEXT_TURN
from scheduler.trigger_rules import RULES, Verdict
from scheduler.usage import read_usage
from scheduler.versions import VersionCache
from scheduler.why import Reason, explain
from tests.engine.operating import say
from tests.engine.world import add_run, dag, is_over, run_state, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.errors import NotFound
from tradewind.metadata import runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Dag, DagFile, DagRun, Pool, TaskInstance
from tradewind.model.commands import ClearTasks, Hold, Selection
from tradewind.model.events import NO_MAP
from tradewind.model.orders import Outcome
from tradewind.model.spec import DagSpec, FixedLength, MappingSpec, TaskSpec
from tradewind.model.states import RunState, RunType, TaskState

NOW = datetime(2026, 1, 5, tzinfo=UTC)
STATES = [state for state in TaskState if state is not TaskState.REMOVED]


def random_dag(dice: random.Random, dag_id: str) -> DagSpec:
    """Up to seven tasks, some mapped, some setups, with any rules and edges."""
    tasks: list[TaskSpec] = []
    for number in range(dice.randint(2, 7)):
        above = sorted(dice.sample([t.task_id for t in tasks], k=dice.randint(0, min(3, len(tasks)))))
        made = task(f"t{number}", *above, trigger_rule=dice.choice(list(RULES)))
        if dice.random() < 0.3:
            made = structs.replace(made, mapping=MappingSpec((FixedLength(dice.randint(1, 14)),)))
        elif dice.random() < 0.2:
            made = structs.replace(made, is_setup=True)
        tasks.append(made)
    return dag(dag_id, *tasks)


def put_random_run(database: Database, dice: random.Random, spec: DagSpec) -> int:
    """Store a running run whose instances are in any states, reachable or not."""
    pk = add_run(database, store(database, spec), spec.dag_id)
    rows = []
    for one in spec.tasks:
        size = one.mapping.lengths[0].length if one.mapping else 0  # type: ignore[union-attr]
        for index in range(size) if size and dice.random() < 0.8 else [NO_MAP]:
            state = dice.choice(STATES)
            rows.append(
                {
                    "run_pk": pk, "task_id": one.task_id, "map_index": index, "dag_id": spec.dag_id, "state": state,
                    "try_number": 0, "max_tries": 0, "failures": 0, "losses": 0,
                    "reason": dice.choice([None, "boom"]) if state is TaskState.FAILED else None,
                    "decided_against": ["t1", "t3"] if state is TaskState.SUCCESS and dice.random() < 0.2 else None,
                }
            )  # fmt: skip
    with database.write() as tx:
        tx.execute(insert(TaskInstance), rows)
        tx.execute(update(DagRun).where(DagRun.id == pk).values(state=RunState.RUNNING, started_at=NOW))
    return pk


def test_what_one_sentence_reads_of_a_run_judges_as_the_whole_run_does(database: Database) -> None:
    asked = 0
    for seed in range(30):
        dice = random.Random(seed)
        spec = random_dag(dice, f"d{seed}")
        pk = put_random_run(database, dice, spec)
        with database.read() as tx:
            (record,) = runs.get_runs(tx, [pk])
            version = VersionCache().get(tx, record.version_id)
            whole = runs.load_view(tx, record, version.graph)
        for one in whole.tasks.values():
            (_, found) = explain(database, spec.dag_id, "r1", *one.key)
            assert found.text
            if one.state is TaskState.NONE:
                asked += 1
                unexpanded = one.task_id in version.graph.scopes and one.map_index == NO_MAP
                verdict = judge_task(whole, *one.key)
                if not unexpanded and verdict is not Verdict.RUN:
                    assert verdict_reason(whole, *one.key) in found.text, (seed, one.key)
                elif verdict is Verdict.RUN:
                    assert "it is ready as soon as" in found.text, (seed, one.key)
    assert asked > 30


def test_a_blocked_task_is_told_what_admission_says(database: Database) -> None:
    full = dag("full", task("a", pool="tiny"), task("b", pool="tiny"), task("c", pool="gone"), task("d", executor="X"))
    pk = add_run(database, store(database, full), "full")
    with database.write() as tx:
        tx.execute(insert(Pool).values(name="tiny", slots=1, description="", include_deferred=False))
    with running_scheduler(database, lambda _order: None) as executor:
        wait_until(lambda: len(executor.orders) == 1)
        with database.read() as tx:
            (record,) = runs.get_runs(tx, [pk])
            version = VersionCache().get(tx, record.version_id)
            held = HeldRun(record, version, runs.load_view(tx, record, version.graph))
            usage = read_usage(tx, 32, {"LocalExecutor": None}, lock=False)
        lanes = Lanes("LocalExecutor", {}, dict)
        for one in held.view.tasks.values():
            (_, found) = explain(database, "full", "r1", one.task_id)
            if one.state is TaskState.SCHEDULED:
                assert found.text == (blocker(held.candidate(one, lanes), usage) or NEXT_TURN)
        said = {reason.task_id: reason.text for reason in explain(database, "full")}

    assert said["b"] == "pool 'tiny' is full: 1 of 1 slots, used by full (1)"
    assert said["c"].startswith("pool 'gone' does not exist")
    assert said["d"].startswith("executor 'X' is not there")


@pytest.mark.parametrize("seed", range(12))
def test_a_queued_run_says_what_keeps_it_exactly_when_it_is_not_claimed(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    holds = dice.random() < 0.5
    version = store(database, dag("etl", task("a"), max_active_runs=dice.randint(1, 3), holds_after_failure=holds))
    types = [RunType.SCHEDULED, RunType.MANUAL]
    pks = [add_run(database, version, "etl", number, run_type=dice.choice(types)) for number in range(1, 7)]
    with database.write() as tx:
        tx.execute(update(Dag).values(is_paused=dice.random() < 0.4))
        for pk in pks[:3]:
            state = dice.choice([RunState.QUEUED, RunState.RUNNING, RunState.FAILED])
            ended = NOW if state is RunState.FAILED else None
            tx.execute(update(DagRun).where(DagRun.id == pk).values(state=state, ended_at=ended))
        tx.execute(update(DagRun).where(DagRun.id == dice.choice(pks[3:])).values(held="ann: wait"))
    queued = [f"r{n}" for n, pk in enumerate(pks, 1) if run_state(database, pk) == "queued"]
    said = {run_id: explain(database, "etl", run_id)[0].text for run_id in queued}
    with database.write() as tx:
        claimed = runs.claim_startable(tx, "etl", uuid4(), 100)

    free = {run_id for run_id, text in said.items() if text.startswith("it starts as soon as a scheduler")}
    assert free == {f"r{n}" for n, pk in enumerate(pks, 1) if pk in claimed}


def test_who_holds_and_who_cleared_is_told(database: Database) -> None:
    pk = add_run(database, store(database, dag("etl", task("a"), task("b", "a"), task("c", "a"))), "etl")
    with running_scheduler(database, lambda _order: None) as executor:
        wait_until(lambda: len(executor.orders) == 1)
        say(database, pk, Hold(Selection(("c",)), "bob: wait for the numbers"))
        wait_until(lambda: "it is held (bob" in explain(database, "etl", None, "c")[1].text)
        executor.end(executor.orders[0], Outcome.SUCCESS)
        wait_until(lambda: [o.task_id for o in executor.orders] == ["a", "b"])
        held = explain(database, "etl", None, "c")[1].text
        say(database, pk, ClearTasks(Selection(("b",)), by="ann"))
        wait_until(lambda: explain(database, "etl", None, "b")[1].state == "restarting")
        restarting = explain(database, "etl", None, "b")[1].text
        say(database, pk, Hold(None, "bob: stop"))
        wait_until(lambda: "is held" in explain(database, "etl")[0].text)
        run = explain(database, "etl")[0].text

    assert held == ("it is held (bob: wait for the numbers); release it with `tradewind tasks release etl r1 c`")
    assert restarting.startswith("it was cleared by ann while it ran; its earlier process")
    assert "is being stopped" in restarting
    assert run.startswith("it is held (bob: stop); release it with `tradewind dags release etl r1`; 2 of 3 tasks are")


def test_what_is_not_part_of_a_run_says_so(database: Database) -> None:
    spec = dag("etl", task("a"), task("b", "a"), task("m", mapping=MappingSpec((FixedLength(2),))))
    pk = add_run(database, store(database, spec), "etl", task_subset=["a", "m"])
    with running_scheduler(database):
        wait_until(is_over(database, pk))

    assert explain(database, "etl", None, "b")[1].text == "not part of this run: it runs only 'a', 'm'"
    assert explain(database, "etl", None, "m", 7)[1].text == "it has no index 7: the task has 2 indexes so far"
    assert [reason.map_index for reason in explain(database, "etl", None, "m")[1:]] == [0]
    assert explain(database, "etl", None, "m")[1].more == 1
    with pytest.raises(NotFound, match="Did you mean 'a'"):
        explain(database, "etl", None, "aa")


def test_a_broken_file_is_told(database: Database) -> None:
    add_run(database, store(database, dag("etl", task("a"))), "etl")
    with database.write() as tx:
        values = {"path": "t.py", "digest": "", "parsed_at": NOW, "parse_seconds": 0.1, "dag_count": 1, "warnings": []}
        tx.execute(insert(DagFile).values(**values, error="NameError: no x", error_line=3))

    assert explain(database, "etl")[-1] == Reason(
        "etl",
        "import error",
        "its file cannot be imported, so it goes on as it was before (t.py, line 3): NameError: no x",
    )


def test_a_run_with_many_instances_is_summarised_and_never_read_whole(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = MappingSpec((FixedLength(30_000),))
    spec = dag("fan", task("up"), task("many", "up", mapping=mapping), task("after", "many"), max_active_tasks=16)
    pk = add_run(database, store(database, spec), "fan")
    rest = {"run_pk": pk, "dag_id": "fan", "try_number": 0, "max_tries": 0, "failures": 0, "losses": 0}
    states = [TaskState.SUCCESS] * 10_000 + [TaskState.SCHEDULED] * 19_990 + [TaskState.UP_FOR_RETRY] * 10
    rows = [
        {**rest, "task_id": "many", "map_index": n, "state": state, "reason": f"boom {n % 2}" if n >= 29_990 else None}
        for n, state in enumerate(states)
    ]
    rows += [
        {**rest, "task_id": one, "map_index": NO_MAP, "state": state, "reason": None}
        for one, state in (("up", TaskState.SUCCESS), ("after", TaskState.NONE))
    ]
    with database.write() as tx:
        tx.execute(insert(TaskInstance), rows)
        tx.execute(update(DagRun).values(state=RunState.RUNNING, started_at=NOW))
    monkeypatch.setattr(runs, "list_task_instances", None)  # it would read the run whole

    found = explain(database, "fan")
    (_, one) = explain(database, "fan", None, "after")

    assert found[0].text.startswith("20,001 of 30,002 tasks are not done")
    assert [(reason.task_id, reason.map_index, reason.more) for reason in found[1:]] == [
        ("many", 10_000, 19_989), ("many", 29_990, 4), ("many", 29_991, 4), ("after", NO_MAP, 0),
    ]  # fmt: skip
    assert found[1].text.endswith("; and 19,989 more indexes like it")
    assert found[2].text.endswith("the last try said: boom 0; and 4 more indexes like it")
    assert one.text == found[-1].text
    assert one.text == (
        "waits for its upstream tasks: trigger rule 'all_success': 'many'[10000], 'many'[10001], 'many'[10002] and "
        "19,987 more are scheduled; 'many'[29990], 'many'[29991], 'many'[29992] and 7 more are up_for_retry; "
        "'many'[0], 'many'[1], 'many'[2] and 9,997 more are success"
    )
    assert len(explain(database, "fan", limit=2)) == 4
