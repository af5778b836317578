"""Do the statements that run all the time cost the same after years? By EXPLAIN ANALYZE, over many task instances.

``PLAN_INSTANCES`` says how many: 200 000 by default, 10 million with ``make plans``. What is asked is not how long
they take, but how many rows they touch: as many as there is work, however much lies behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from tests.plans.big import HOLDER, LIVE, TASKS, WORKER, Big, fill
from tests.support.databases import PostgresTemplates
from tradewind.metadata import (
    attempts,
    claims,
    inbox,
    limits,
    processes,
    run_keys,
    runs,
    timers,
    waits,
    worker_queue,
)
from tradewind.metadata.database import Database
from tradewind.metadata.views import changes, dag_list, summaries
from tradewind.metadata.views import runs as run_views
from tradewind.metadata.views import tasks as task_views
from tradewind.model.states import RunState

INSTANCES = int(os.environ.get("PLAN_INSTANCES", "200000"))
LARGE = {"dag_run", "task_instance", "attempt", "run_event", "xcom"}
WORK = LIVE * TASKS
"""How many tasks are at work, or wait: what a statement about all of them may touch, a few times over."""

Act = Callable[[Connection, Big, Any], object]


@pytest.fixture(scope="module")
def big(postgres_templates: PostgresTemplates) -> Iterator[tuple[Database, Big]]:
    with postgres_templates.migrated() as url, closing(Database(url, statement_timeout_seconds=900)) as db:
        yield db, fill(db, INSTANCES)


def plans_of(db: Database, act: Callable[[Connection], object]) -> list[tuple[str, dict[str, Any]]]:
    """Return the plan of each statement that ``act`` makes, with what it cost; nothing of it is kept."""
    said: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        said.append((statement, parameters))

    found = []
    with db.read() as tx:
        event.listen(db.engine, "before_cursor_execute", note)
        try:
            act(tx)
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
    for statement, parameters in said:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "WITH", "DELETE")) and "pg_notify" not in statement:
            with db.read() as tx:
                explained = tx.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
                plan = explained.scalar_one()
            found.append((statement, (json.loads(plan) if isinstance(plan, str) else plan)[0]))
    return found


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes_of(inner)


def touched(node: dict[str, Any]) -> int:
    """Rows of a table that a node read, those that it threw away included."""
    if "Relation Name" not in node or node["Relation Name"] not in LARGE:
        return 0
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return round(rows * node["Actual Loops"])


def take(tx: Connection, now: Any) -> object:
    """A look of a worker, with room for sixteen."""
    return worker_queue.take_waiting(tx, WORKER, "CeleryExecutor", ["default"], 16, now)


HOT: dict[str, tuple[int, Act]] = {
    # name: (rows of large tables that each statement may touch, what is done)
    "scheduler reads its inbox": (4 * LIVE, lambda tx, b, now: inbox.read_inbox(tx, HOLDER, 256)),
    "scheduler reads timers that are due": (200, lambda tx, b, now: timers.due_timers(tx, HOLDER, now, 256, 16)),
    "scheduler asks when the next timer is due": (200, lambda tx, b, now: timers.next_due(tx, HOLDER, now)),
    "scheduler claims queued runs": (4 * LIVE, lambda tx, b, now: claims.claim_queued(tx, HOLDER, 256)),
    "scheduler looks for runs that nobody holds": (
        4 * LIVE,
        lambda tx, b, now: runs.claim_running(tx, HOLDER, now, 200),
    ),
    "scheduler counts what holds slots": (3 * WORK, lambda tx, b, now: attempts.list_active(tx)),
    "scheduler locks the pools": (0, lambda tx, b, now: limits.lock_pool_slots(tx)),
    "scheduler counts the slots of what waits": (3 * WORK, lambda tx, b, now: limits.deferred_slots(tx)),
    "scheduler looks for runs under keys": (4 * LIVE, lambda tx, b, now: run_keys.standing_under_keys(tx, [b.live_pk])),
    "scheduler loads a run": (4 * TASKS, lambda tx, b, now: runs.list_task_instances(tx, b.live_pk)),
    "scheduler loads the log of a run": (4 * TASKS, lambda tx, b, now: runs.read_events(tx, b.old_pk)),
    "recovery finds what was lost": (3 * WORK, lambda tx, b, now: attempts.report_lost(tx, now + timedelta(days=1))),
    "recovery finds what was never handed over": (
        3 * WORK,
        lambda tx, b, now: attempts.report_disowned(tx, WORKER, [], now),
    ),
    "recovery finds what nobody was told of": (
        3 * WORK,
        lambda tx, b, now: attempts.list_unclaimed(tx, ["CeleryExecutor"]),
    ),
    "worker takes what waits": (3 * WORK, lambda tx, b, now: take(tx, now)),
    "worker asks what it should have": (3 * WORK, lambda tx, b, now: worker_queue.attempts_of(tx, WORKER)),
    "worker gives back": (3 * WORK, lambda tx, b, now: worker_queue.give_back(tx, WORKER, now)),
    "triggerer looks for waits": (WORK, lambda tx, b, now: waits.what_is_due(tx, HOLDER)),
    "process gives a sign of life": (0, lambda tx, b, now: processes.heartbeat(tx, HOLDER, now, timedelta(seconds=30))),
    "live pages look for changes": (2 * WORK, lambda tx, b, now: changes.changed_runs(tx, now)),
    "page of a run sums its tasks": (4 * TASKS, lambda tx, b, now: summaries.sum_tasks(tx, b.old_pk)),
    "page of a task": (4, lambda tx, b, now: task_views.find_task_line(tx, b.old_pk, "t07", -1)),
    "page of a task lists its attempts": (4, lambda tx, b, now: task_views.list_attempts(tx, b.old_pk, "t07", -1)),
    "list of DAGs shows the newest runs": (
        1500,
        lambda tx, b, now: dag_list.newest_runs(tx, [f"d{n:04d}" for n in range(50)], 14),
    ),
    "list of runs of a DAG": (200, lambda tx, b, now: run_views.list_grid_runs(tx, b.dag_id, until=None, limit=50)),
    "list of failed runs on the first page": (
        5000,
        lambda tx, b, now: run_views.list_run_lines(tx, states=[RunState.FAILED], limit=8),
    ),
    "run by its name": (4, lambda tx, b, now: runs.find_run(tx, b.dag_id, "scheduled__1")),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", HOT)
def test_what_runs_all_the_time_touches_as_much_as_there_is_work(big, name):
    db, filled = big
    most, act = HOT[name]
    now = db.now()
    plans = plans_of(db, lambda tx: act(tx, filled, now))
    assert plans
    for statement, explained in plans:
        plan = explained["Plan"]
        scans = [node["Relation Name"] for node in nodes_of(plan) if node["Node Type"] == "Seq Scan"]
        shown = f"{' '.join(statement.split())[:600]}\n{json.dumps(plan, indent=1)[:6000]}"
        assert not LARGE & set(scans), f"reads all of {LARGE & set(scans)}:\n{shown}"
        rows = sum(touched(node) for node in nodes_of(plan))
        assert rows <= most, f"touches {rows} rows, at most {most}:\n{shown}"
    if os.environ.get("PLAN_REPORT"):
        with open(os.environ["PLAN_REPORT"], "a") as report:
            rows = max(sum(touched(node) for node in nodes_of(explained["Plan"])) for _, explained in plans)
            millis = sum(explained["Execution Time"] + explained["Planning Time"] for _, explained in plans)
            report.write(f"| {name} | {len(plans)} | {rows} | {millis:.1f} |\n")


def test_a_plan_that_reads_all_is_seen(big):
    """The test above can fail."""
    db, _ = big
    ((_, explained),) = plans_of(db, lambda tx: tx.execute(text("SELECT count(*) FROM attempt WHERE pid = 1")))
    assert any(node["Node Type"] == "Seq Scan" for node in nodes_of(explained["Plan"]))
    assert sum(touched(node) for node in nodes_of(explained["Plan"])) * 3 > INSTANCES / 10
