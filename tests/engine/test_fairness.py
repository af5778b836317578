"""Is one DAG's work ever kept waiting by the mass of another's? Told by turns and by query plans, not by clocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, insert

from tests.engine.world import T0, add_run, dag, running_scheduler, states, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import DagRun
from tradewind.model.orders import Outcome
from tradewind.model.states import RunState, RunType, TaskState


def queue_many(db: Database, version: int, dag_id: str, count: int, **fields: Any) -> None:
    """Queue runs, by one statement."""
    rows = [
        {
            "kind": "dag",
            "dag_id": dag_id,
            "run_id": f"r{number}",
            "version_id": version,
            "run_type": RunType.MANUAL,
            "triggered_by": "test",
            "run_after": T0 + timedelta(minutes=number),
            "conf": {},
            "state": RunState.QUEUED,
            "queued_at": datetime.now(UTC),
            "next_seq": 2,
            "fence": 0,
            **fields,
        }
        for number in range(count)
    ]
    with db.write() as tx:
        tx.execute(insert(DagRun), rows)


@pytest.mark.timeout(300)
def test_ten_thousand_queued_runs_of_one_dag_do_not_delay_the_single_run_of_another(database: Database) -> None:
    busy = store(database, dag("a_busy", task("t"), max_active_runs=8))
    single = store(database, dag("b_single", task("t")))
    queue_many(database, busy, "a_busy", 10_000)
    add_run(database, single, "b_single", run_after=T0 + timedelta(days=9000))

    with running_scheduler(database, lambda _order: None, parallelism=16) as executor:
        wait_until(lambda: any(order.dag_id == "b_single" for order in executor.orders), timeout=150)

    # In the very first turn that starts anything: with what the other DAG may have at once, and no more.
    assert [order.dag_id for order in executor.orders].index("b_single") <= 8


@pytest.mark.timeout(300)
def test_thousands_of_ready_tasks_of_one_dag_do_not_delay_the_single_task_of_another(database: Database) -> None:
    many = dag("a_busy", *[task(f"t{n:05}") for n in range(2_000)], max_active_tasks=2_000)
    add_run(database, store(database, many), "a_busy")

    with running_scheduler(database, lambda _order: None, parallelism=4) as executor:
        wait_until(lambda: len(executor.orders) == 4, timeout=150)
        single = add_run(database, store(database, dag("b_single", task("t"))), "b_single")
        wait_until(lambda: states(database, single).get("t") is TaskState.SCHEDULED, timeout=150)
        executor.end(executor.orders[0], Outcome.SUCCESS)
        wait_until(lambda: len(executor.orders) == 5, timeout=150)

    assert executor.orders[4].dag_id == "b_single"


@contextmanager
def watched(db: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that look at runs, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")) and "FROM dag_run" in statement:
            seen.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_looking_for_runs_to_start_reads_no_more_than_it_starts(database: Database) -> None:
    busy = store(database, dag("a_busy", task("t"), max_active_runs=8))
    queue_many(database, busy, "a_busy", 5_000)
    queue_many(database, store(database, dag("b_past", task("t"))), "b_past", 5_000, run_type=RunType.BACKFILL)
    with database.write() as tx:
        tx.exec_driver_sql("ANALYZE")

    with database.write() as tx, watched(database) as seen:
        assert runs.queued_dags(tx) == ["a_busy"]
        assert len(runs.claim_startable(tx, "a_busy", uuid4(), 100)) == 8
        assert runs.claim_startable(tx, "b_past", uuid4(), 100) == []
        plans = [plan_of(tx, statement, parameters) for statement, parameters in list(seen)]

    assert len(plans) == 5
    for plan in plans:
        assert "ix_dag_run_waiting" in plan or "ix_dag_run_active" in plan
        assert "Seq Scan on dag_run" not in plan
        assert "SCAN dag_run" not in plan


def plan_of(tx: Any, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if tx.dialect.name == "sqlite" else "EXPLAIN"
    rows = tx.exec_driver_sql(f"{explain} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)
