"""What does the metadata DB look like after years of work? Millions of ended tasks, and the few at work now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from tests.engine.world import dag, store, task
from tradewind.metadata import processes
from tradewind.metadata.database import Database

TASKS: Final = 10
"""In each run."""
LIVE: Final = 40
"""Runs that run, one of each of the first DAGs."""
HOLDER: Final = UUID(int=1)
"""The scheduler that has them."""
WORKER: Final = UUID(int=2)
"""The worker that runs some of their tasks."""


@dataclass(frozen=True, slots=True)
class Big:
    """What was filled in."""

    dags: int
    runs: int  # of each DAG
    dag_id: str  # one of them, which has a run that runs
    live_pk: int  # that run
    old_pk: int  # one that ended long ago


def fill(db: Database, instances: int) -> Big:
    """Fill an empty, migrated database on PostgreSQL with so many task instances that have ended, and live ones."""
    dags = max(LIVE, min(500, instances // 2000))
    runs = instances // TASKS // dags
    for number in range(dags):
        store(db, dag(f"d{number:04d}", *(task(f"t{one:02d}") for one in range(TASKS))))
    values = {"dags": dags, "runs": runs, "tasks": TASKS, "live": LIVE, "holder": HOLDER, "worker": WORKER}
    for statement in STATEMENTS:
        with db.write() as tx:
            tx.execute(text("SET LOCAL statement_timeout = 0"))
            tx.execute(text(statement), values)
    with db.write() as tx:
        tx.execute(text("SET LOCAL statement_timeout = 0"))
        for kind, process_id in (("scheduler", HOLDER), ("worker", WORKER)):
            processes.register(
                tx, process_id=process_id, kind=kind, hostname="h", pid=1, now=db.now(), lease=timedelta(hours=9),
                info={},
            )  # fmt: skip
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("ANALYZE"))
    with db.read() as tx:
        live = tx.execute(text("SELECT id FROM dag_run WHERE dag_id = 'd0000' AND state = 'running'")).scalar_one()
        old = tx.execute(text("SELECT min(id) FROM dag_run WHERE dag_id = 'd0000' AND state = 'success'")).scalar_one()
    return Big(dags, runs, "d0000", live, old)


_RUN: Final = """
    INSERT INTO dag_run (kind, dag_id, run_id, version_id, run_type, triggered_by, logical_date, data_interval_start,
        data_interval_end, run_after, conf, state, queued_at, started_at, ended_at, next_seq, fence, claimed_by)
"""
_INSTANCE: Final = """
    INSERT INTO task_instance (run_pk, task_id, map_index, dag_id, state, try_number, max_tries, failures, losses,
        attempt_id, scheduled_at, queued_at, started_at, ended_at)
"""
_ATTEMPT: Final = """
    INSERT INTO attempt (id, run_pk, task_id, map_index, try_number, state, fence, executor, queue, pool, pool_slots,
        supervisor_id, queued_at, started_at, ended_at, outcome)
"""
_TASKS: Final = "generate_series(0, :tasks - 1) AS n"
STATEMENTS: Final = (
    # Runs that have ended, an hour apart: each DAG once an hour, for as long as it takes. One in fifty failed.
    f"""{_RUN}
    SELECT 'dag', d.dag_id, 'scheduled__' || n, d.version_id, 'scheduled', 'timetable', at, at, at, at, '{{}}',
        CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'success' END, at, at, at + interval '5 minutes', 60, 1, NULL
    FROM generate_series(1, :runs) AS n, dag AS d, LATERAL (SELECT now() - (n || ' hours')::interval AS at) AS t
    WHERE d.dag_id LIKE 'd____'
    """,
    f"""{_INSTANCE}
    SELECT r.id, 't' || lpad(n::text, 2, '0'), -1, r.dag_id,
        CASE WHEN r.state = 'failed' AND n = :tasks - 1 THEN 'failed' ELSE 'success' END, 1, 0, 0, 0,
        md5(r.id || '-' || n)::uuid, r.queued_at, r.queued_at, r.started_at, r.ended_at
    FROM dag_run AS r, {_TASKS}
    """,
    f"""{_ATTEMPT}
    SELECT md5(r.id || '-' || n)::uuid, r.id, 't' || lpad(n::text, 2, '0'), -1, 1, 'ended', 1, 'LocalExecutor',
        'default', 'default_pool', 1, NULL, r.queued_at, r.started_at, r.ended_at, 'success'
    FROM dag_run AS r, {_TASKS}
    """,
    f"""
    INSERT INTO run_event (run_pk, seq, at, kind, task_id, map_index, try_number, payload)
    SELECT r.id, n + 1, r.ended_at, 'attempt_succeeded', 't' || lpad(n::text, 2, '0'), -1, 1, '{{}}'
    FROM dag_run AS r, {_TASKS}
    """,
    """
    INSERT INTO xcom (run_pk, task_id, map_index, key, value, size_bytes, created_at)
    SELECT r.id, 't00', -1, 'return_value', '7', 1, r.ended_at FROM dag_run AS r
    """,
    # What is at work: of each of the first DAGs a run, with tasks in every state.
    f"""{_RUN}
    SELECT 'dag', d.dag_id, 'manual__now', d.version_id, 'manual', 'cli', NULL, now(), now(), now(), '{{}}',
        'running', now(), now(), NULL, 30, 1, :holder
    FROM dag AS d WHERE d.dag_id LIKE 'd____' ORDER BY d.dag_id LIMIT :live
    """,
    # More wait for a place.
    f"""{_RUN}
    SELECT 'dag', d.dag_id, 'manual__' || n, d.version_id, 'manual', 'cli', NULL, now(), now(), now(), '{{}}',
        'queued', now(), NULL, NULL, 2, 0, NULL
    FROM dag AS d, generate_series(1, 20) AS n WHERE d.dag_id IN ('d0001', 'd0002')
    """,
    f"""{_INSTANCE}
    SELECT r.id, 't' || lpad(n::text, 2, '0'), -1, r.dag_id,
        CASE n % 5 WHEN 0 THEN 'running' WHEN 1 THEN 'queued' WHEN 2 THEN 'scheduled' WHEN 3 THEN 'success' ELSE 'none'
        END, 1, 0, 0, 0, md5(r.id || '-' || n)::uuid, now(), now(), now(),
        CASE WHEN n % 5 = 3 THEN now() END
    FROM dag_run AS r, {_TASKS} WHERE r.state = 'running'
    """,
    f"""{_ATTEMPT}
    SELECT md5(r.id || '-' || n)::uuid, r.id, 't' || lpad(n::text, 2, '0'), -1, 1,
        CASE n % 5 WHEN 0 THEN 'running' WHEN 1 THEN 'queued' ELSE 'ended' END, CASE n % 5 WHEN 1 THEN 0 ELSE 1 END,
        'CeleryExecutor', CASE WHEN r.id % 2 = 0 THEN 'default' ELSE 'other' END, 'default_pool', 1,
        CASE n % 5 WHEN 0 THEN :worker END, now(), CASE WHEN n % 5 <> 1 THEN now() END,
        CASE WHEN n % 5 = 3 THEN now() END, CASE WHEN n % 5 = 3 THEN 'success' END
    FROM dag_run AS r, {_TASKS} WHERE r.state = 'running' AND n % 5 IN (0, 1, 3)
    """,
    """
    INSERT INTO run_inbox (run_pk, key, kind, payload, created_at)
    SELECT r.id, 'x' || n, 'cancel', '{"reason": "no"}', now()
    FROM dag_run AS r, generate_series(1, 3) AS n WHERE r.state = 'running'
    """,
    """
    INSERT INTO timer (key, kind, run_pk, dag_id, map_index, due_at)
    SELECT 'later-' || n, 'retry', r.id, NULL, -1, now() + (n || ' seconds')::interval
    FROM dag_run AS r, generate_series(1, 100) AS n WHERE r.dag_id = 'd0000' AND r.state = 'running'
    """,
    """
    INSERT INTO timer (key, kind, run_pk, dag_id, map_index, due_at)
    SELECT 'fire-' || d.dag_id, 'fire', NULL, d.dag_id, -1, now() + interval '1 hour' FROM dag AS d
    ON CONFLICT DO NOTHING
    """,
)
