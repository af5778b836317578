"""How do tests put things into the metadata DB that a task may ask for?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from tradewind.config import Config
from tradewind.metadata import connections, variables
from tradewind.metadata.crypto import encrypt, make_fernet
from tradewind.metadata.database import Database
from tradewind.metadata.models import Attempt, Dag, DagRun, DagSource, DagVersion
from tradewind.metadata.source_text import decode_source
from tradewind.model.orders import AttemptOrder
from tradewind.model.states import AttemptState, RunState, RunType

AT = datetime(2026, 1, 5, 2, tzinfo=UTC)


def put_variable(database: Database, config: Config, key: str, value: str) -> None:
    with database.write() as tx:
        variables.set_variable(tx, key, encrypt(make_fernet(config.core.fernet_key), value))


def put_connection(database: Database, config: Config, conn_id: str, **parts: Any) -> None:
    row = connections.ConnectionRow(conn_id=conn_id, conn_type="postgres", **parts)
    with database.write() as tx:
        connections.set_connection(tx, connections.encrypt_connection(make_fernet(config.core.fernet_key), row))


def put_version(database: Database, version_id: int, source: bytes, dag_id: str = "d") -> None:
    """Put a DAG with one version of one file there."""
    with database.write() as tx:
        tx.execute(insert(DagSource).values(digest=f"{version_id:064}", source=decode_source(source)))
        tx.execute(
            insert(Dag).values(
                dag_id=dag_id, file_path="file.py", is_active=True, is_paused=False, max_active_runs=1,
                schedule_summary="", owners="", created_at=AT, parsed_at=AT,
            )
        )  # fmt: skip
        tx.execute(
            insert(DagVersion).values(
                id=version_id, dag_id=dag_id, number=1, hash=f"{version_id:064}", spec="{}",
                source_digest=f"{version_id:064}", file_path="file.py", created_at=AT,
            )
        )  # fmt: skip


def put_run(
    database: Database,
    run_pk: int,
    run_id: str,
    logical_date: datetime | None = AT,
    state: RunState = RunState.RUNNING,
    version_id: int = 1,
) -> None:
    with database.write() as tx:
        tx.execute(
            insert(DagRun).values(
                id=run_pk, kind="dag", dag_id="d", run_id=run_id, version_id=version_id, run_type=RunType.SCHEDULED,
                triggered_by="timetable", logical_date=logical_date, data_interval_start=logical_date,
                data_interval_end=logical_date, run_after=AT, conf={}, state=state, queued_at=AT, started_at=AT,
                ended_at=AT if state in (RunState.SUCCESS, RunState.FAILED) else None, next_seq=1, fence=0,
            )
        )  # fmt: skip


def put_attempt(
    database: Database, order: AttemptOrder, state: AttemptState = AttemptState.RUNNING, fence: int = 1
) -> UUID:
    """Put the attempt of an order there, claimed."""
    with database.write() as tx:
        tx.execute(
            insert(Attempt).values(
                id=order.attempt_id, run_pk=order.run_pk, task_id=order.task_id, map_index=order.map_index,
                try_number=order.try_number, state=state, fence=fence, executor="LocalExecutor", queue="default",
                pool="default_pool", pool_slots=1, queued_at=AT,
            )
        )  # fmt: skip
    return order.attempt_id
