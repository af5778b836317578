"""Is every event used exactly once by each consumer, however schedulers and events race?"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy import update as sql_update

from tests.assets.world import at, consumer, look, pending, producer, runs_of, save, source, update, used
from tests.engine.world import ScriptedExecutor, add_run, is_over, running_scheduler
from tests.support.databases import SqliteTemplates
from tests.support.waiting import wait_until
from tradewind.metadata import dags
from tradewind.metadata.assets import record_changes
from tradewind.metadata.database import Database
from tradewind.metadata.models import AssetEvent, AssetEventUse, AssetPending, DagRun
from tradewind.model.orders import Aftermath, AssetChange, AttemptOrder, Outcome
from tradewind.model.states import RunState
from tradewind.sdk.assets.definitions import Asset

A, B, C = Asset("a"), Asset("b"), Asset("c")
PRODUCERS = 30


def uses(db: Database) -> Counter[tuple[str, int]]:
    """How often each consumer has used each event."""
    with db.read() as tx:
        query = select(DagRun.dag_id, AssetEventUse.event_id).join(DagRun, DagRun.id == AssetEventUse.run_pk)
        return Counter((dag_id, event_id) for dag_id, event_id in tx.execute(query))


def events(db: Database) -> int:
    with db.read() as tx:
        return tx.execute(select(func.count()).select_from(AssetEvent)).scalar_one()


def updating(executor: ScriptedExecutor):
    """Let the tasks of producers end with updates of two assets; the others just end."""

    def behave(order: AttemptOrder) -> Outcome | None:
        if not order.dag_id.startswith("producer"):
            return Outcome.SUCCESS
        names = ("a", "b") if order.run_pk % 2 else ("b", "a")  # so that locks would be taken in both orders
        then = Aftermath(asset_changes=tuple(AssetChange(name=name, uri=name) for name in names))
        executor.end(order, Outcome.SUCCESS, then=then)
        return None

    return behave


def race(db: Database, schedulers: int) -> None:
    save(db, producer("a", "b"), path="producer.py")
    save(db, consumer("one", A), consumer("both", A & B), consumer("slow", A | B, max_active_runs=1))
    with db.read() as tx:
        version, _ = dags.load_newest_spec(tx, "producer")
    with ExitStack() as stack:
        for _ in range(schedulers):
            executor = stack.enter_context(running_scheduler(db))
            executor.behave = updating(executor)
        pks = [add_run(db, version, "producer", number) for number in range(PRODUCERS)]
        wait_until(is_over(db, *pks), timeout=60, every=0.05, what="the end of the producers")
        wait_until(lambda: is_quiet(db), timeout=60, every=0.05, what="the end of the consumers")
    assert events(db) == 2 * PRODUCERS
    found = uses(db)
    assert set(found.values()) == {1}
    by_dag = Counter(dag_id for dag_id, _ in found)
    assert by_dag == {"one": PRODUCERS, "both": 2 * PRODUCERS, "slow": 2 * PRODUCERS}


def is_quiet(db: Database) -> bool:
    with db.read() as tx:
        waiting = tx.execute(select(func.count()).select_from(AssetPending)).scalar_one()
        running = tx.execute(
            select(func.count()).where(DagRun.state.in_((RunState.QUEUED, RunState.RUNNING)))
        ).scalar_one()
    return not waiting and not running


def test_one_scheduler_uses_each_event_once(sqlite_database):
    race(sqlite_database, 1)


def test_two_schedulers_use_each_event_once(postgres_url):
    db = Database(postgres_url)
    race(db, 2)
    db.close()


def test_events_that_come_while_consumers_are_looked_at_are_not_lost(postgres_url):
    """Threads that record, and threads that look, without a pause between."""
    db = Database(postgres_url, pool_size=10)
    save(db, producer("a", "b"), path="producer.py")
    save(db, consumer("one", A, max_active_runs=1000), consumer("both", A & B, max_active_runs=1000))
    made = source(db)
    stop, failures = threading.Event(), []

    def record() -> None:
        try:
            for number in range(40):
                name = "ab"[number % 2]
                with db.write() as tx:
                    record_changes(tx, made, [AssetChange(name=name, uri=name)], datetime.now(UTC))
        except Exception as error:
            failures.append(error)

    def watch() -> None:
        try:
            while not stop.is_set():
                look(db)
        except Exception as error:
            failures.append(error)

    recorders = [threading.Thread(target=record) for _ in range(3)]
    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for thread in (*recorders, *watchers):
        thread.start()
    for thread in recorders:
        thread.join(60)
    stop.set()
    for thread in watchers:
        thread.join(60)
    look(db)

    assert failures == []
    found = uses(db)
    assert set(found.values()) == {1}
    assert Counter(dag_id for dag_id, _ in found)["one"] == 60  # those of a; none of b is its business
    assert Counter(dag_id for dag_id, _ in found)["both"] + pending(db, "both") == 120
    db.close()


# --- against a slow, obvious reference -------------------------------------------------------------------------------

CONSUMERS = {"one": (A, 16), "both": (A & B, 16), "either": (A | (B & C), 16), "single": (B, 1)}


class Reference:
    """What Airflow documents: for each DAG a set of assets that were updated since its last run."""

    def __init__(self) -> None:
        self.queued: dict[str, set[str]] = {name: set() for name in CONSUMERS}
        self.handed: dict[str, list[str]] = {name: [] for name in CONSUMERS}
        self.active: Counter[str] = Counter()
        self.paused: set[str] = set()
        self.runs: dict[str, list[list[str]]] = {name: [] for name in CONSUMERS}

    def update(self, name: str) -> None:
        for dag_id, (condition, _) in CONSUMERS.items():
            if any(part.name == name for part in condition.parts()):
                self.handed[dag_id].append(name)
                if dag_id not in self.paused:
                    self.queued[dag_id].add(name)

    def look(self) -> None:
        for dag_id, (condition, limit) in CONSUMERS.items():
            if dag_id in self.paused or self.active[dag_id] >= limit:
                continue
            if self.queued[dag_id] and self.holds(condition, self.queued[dag_id]):
                self.runs[dag_id].append(self.handed[dag_id])
                self.active[dag_id] += 1
                self.queued[dag_id], self.handed[dag_id] = set(), []

    def holds(self, condition, updated: set[str]) -> bool:
        if isinstance(condition, Asset):
            return condition.name in updated
        judge = all if condition.word == "all" else any
        return judge(self.holds(one, updated) for one in condition.objects)


step = st.one_of(
    st.tuples(st.just("update"), st.sampled_from("abc")),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.sampled_from(["pause", "go on", "end"]), st.sampled_from(sorted(CONSUMERS))),
)


@given(steps=st.lists(step, max_size=25))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_runs_are_those_of_the_reference(
    sqlite_templates: SqliteTemplates, tmp_path_factory, steps: list[tuple[str, str]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("law")
    db, reference = Database(sqlite_templates.make(folder)), Reference()
    save(db, producer("a", "b", "c"), path="producer.py")
    save(db, *(consumer(dag_id, on, max_active_runs=limit) for dag_id, (on, limit) in CONSUMERS.items()))
    for number, (what, on) in enumerate([*steps, ("look", "")]):
        act(db, reference, what, on, number)
    for dag_id, expected in reference.runs.items():
        assert [used(db, run) for run in runs_of(db, dag_id)] == expected
        assert pending(db, dag_id) == len(reference.handed[dag_id])
    db.close()


def act(db: Database, reference: Reference, what: str, on: str, number: int) -> None:
    if what == "update":
        update(db, on, seconds=number)
        reference.update(on)
    elif what == "look":
        look(db, number)
        reference.look()
    elif what == "end":
        with db.write() as tx:
            these = (DagRun.dag_id == on, DagRun.state == RunState.QUEUED)
            tx.execute(sql_update(DagRun).where(*these).values(state=RunState.SUCCESS, ended_at=at(number)))
        reference.active[on] = 0
    else:
        with db.write() as tx:
            dags.set_paused(tx, on, what == "pause", at(number))
        (reference.paused.add if what == "pause" else reference.paused.discard)(on)
