"""Which DAGs do the tests of the store use? Small specs, made without any DAG file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select

from tradewind.metadata.models import DagRun, DagVersion, Timer
from tradewind.model.parsed import FileError, ParsedFile
from tradewind.model.spec import DagSpec, TaskSpec
from tradewind.model.states import RunState, RunType
from tradewind.timetables import timetable_for

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def spec(dag_id: str = "etl", schedule: object = "0 2 * * *", **fields: Any) -> DagSpec:
    fields.setdefault("start_date", "2026-01-01T00:00:00+00:00")
    fields.setdefault("tasks", (TaskSpec("extract", owner="ann"), TaskSpec("load", upstream=("extract",), owner="bob")))
    return DagSpec(dag_id=dag_id, timetable=timetable_for(schedule).to_spec(), **fields)


def parsed(*specs: DagSpec, path: str = "etl.py", source: bytes = b"# dag\n", error: str | None = None) -> ParsedFile:
    return ParsedFile(path, source, specs, errors=(FileError(error, 3, f"trace: {error}"),) if error else ())


def timers(tx: Connection) -> dict[str, datetime]:
    """The timers of DAGs, by DAG id."""
    rows = tx.execute(select(Timer.dag_id, Timer.due_at).where(Timer.kind == "fire"))
    return {str(row.dag_id): row.due_at for row in rows}


def versions(tx: Connection, dag_id: str = "etl") -> int:
    return tx.execute(select(func.count()).select_from(DagVersion).where(DagVersion.dag_id == dag_id)).scalar_one()


def add_run(
    tx: Connection,
    version_id: int,
    logical_date: datetime,
    *,
    dag_id: str = "etl",
    run_type: RunType = RunType.SCHEDULED,
    state: RunState = RunState.SUCCESS,
) -> None:
    """Store a run as the engine would have left it."""
    ended = logical_date + timedelta(minutes=1) if state in (RunState.SUCCESS, RunState.FAILED) else None
    tx.execute(
        insert(DagRun).values(
            kind="dag",
            dag_id=dag_id,
            run_id=f"{run_type}__{logical_date.isoformat()}",
            version_id=version_id,
            run_type=run_type,
            triggered_by="timetable",
            logical_date=logical_date,
            data_interval_start=logical_date,
            data_interval_end=logical_date,
            run_after=logical_date,
            conf={},
            state=state,
            queued_at=logical_date,
            ended_at=ended,
            next_seq=1,
            fence=0,
        )
    )
