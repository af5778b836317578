"""How does a run come into the metadata DB? One by one, or many at once, each with the first entry of its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from tradewind.errors import Conflict
from tradewind.metadata import run_keys
from tradewind.metadata.deadlines import set_deadlines
from tradewind.metadata.models import DagRun, DagVersion
from tradewind.metadata.models import RunEvent as RunEventRow
from tradewind.metadata.upsert import insert_missing_returning
from tradewind.model.events import NO_MAP
from tradewind.model.states import RunEvent, RunState, RunType


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be created. ``kind`` is always "dag" today."""

    dag_id: str
    run_id: str
    version_id: int
    run_type: RunType
    triggered_by: str
    run_after: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    conf: Mapping[str, Any] | None = None
    note: str | None = None
    triggering_user: str | None = None
    partition_key: str | None = None  # the part of an asset that the run is about
    partition_date: datetime | None = None
    backfill_id: int | None = None
    replay_of: int | None = None  # the run whose input it has,
    input_date: datetime | None = None  # and the logical date of that
    task_subset: Sequence[str] | None = None  # the tasks that it consists of; None: all
    keys: Sequence[str] | None = None  # under whose limits it stands while it runs
    bundle: str | None = None  # the DAG folder as it was; None: the newest that its version was in


def insert_run(tx: Connection, run: NewRun, now: datetime) -> int:
    """Create a run in state queued with the first entry of its log, and return its primary key.

    Raises:
        Conflict: the DAG has a run with that run id or that logical date.
    """
    savepoint = tx.begin_nested()
    try:
        made = insert_runs(tx, [run], now)
    except IntegrityError as error:
        savepoint.rollback()
        raise Conflict(_conflict_text(tx, run)) from error
    savepoint.commit()
    if not made:
        raise Conflict(_conflict_text(tx, run))
    return made[run.dag_id, run.run_id]


def insert_runs(tx: Connection, runs: Sequence[NewRun], now: datetime) -> dict[tuple[str, str], int]:
    """Create many runs as :func:`insert_run` does, and return their keys by DAG id and run id.

    Those whose run id or logical date their DAG has already are left out.
    """
    if not runs:
        return {}
    said = {row.id: row for row in tx.execute(_VERSIONS, {"ids": list({run.version_id for run in runs})})}
    rows = []
    for run in runs:
        keys = run.keys
        if keys is None and said[run.version_id].concurrency is not None:
            keys = run_keys.keys_of_new(tx, run)
        rows.append(_row(run, run.bundle or said[run.version_id].bundle, keys, now))
    made: dict[tuple[str, str], int] = {
        (row.dag_id, row.run_id): row.id
        for row in insert_missing_returning(tx, DagRun, rows, DagRun.id, DagRun.dag_id, DagRun.run_id)
    }
    created = [(made[run.dag_id, run.run_id], run) for run in runs if (run.dag_id, run.run_id) in made]
    if created:
        tx.execute(
            insert(_EVENT),
            [_first_event(pk, run, run.bundle or said[run.version_id].bundle, now) for pk, run in created],
        )
    for pk, run in created:
        if said[run.version_id].deadlines:
            set_deadlines(tx, pk, run.dag_id, run.version_id, run.logical_date, now)
    return made


_EVENT = cast("Table", RunEventRow.__table__)
_VERSIONS = select(DagVersion.id, DagVersion.concurrency, DagVersion.deadlines, DagVersion.bundle).where(
    DagVersion.id.in_(bindparam("ids", expanding=True))
)


def _row(run: NewRun, bundle: str | None, keys: Sequence[str] | None, now: datetime) -> dict[str, Any]:
    return {
        "kind": "dag",
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "version_id": run.version_id,
        "bundle": bundle,
        "run_type": run.run_type,
        "triggered_by": run.triggered_by,
        "triggering_user": run.triggering_user,
        "logical_date": run.logical_date,
        "data_interval_start": run.data_interval_start,
        "data_interval_end": run.data_interval_end,
        "run_after": run.run_after,
        "partition_key": run.partition_key,
        "partition_date": run.partition_date,
        "backfill_id": run.backfill_id,
        "replay_of": run.replay_of,
        "input_date": run.input_date,
        "task_subset": None if run.task_subset is None else list(run.task_subset),
        "keys": None if keys is None else list(keys),
        "conf": dict(run.conf or {}),
        "note": run.note,
        "state": RunState.QUEUED,
        "queued_at": now,
        "next_seq": 2,
        "fence": 0,
        "retries_used": 0,
    }


def _first_event(pk: int, run: NewRun, bundle: str | None, now: datetime) -> dict[str, Any]:
    return {
        "run_pk": pk,
        "seq": 1,
        "at": now,
        "kind": RunEvent.CREATED.value,
        "task_id": None,
        "map_index": NO_MAP,
        "try_number": 0,
        "payload": _created(run, bundle),
    }


def _created(run: NewRun, bundle: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {"version_id": run.version_id}
    if bundle is not None:
        said["bundle"] = bundle
    if run.task_subset is not None:
        said["task_subset"] = list(run.task_subset)
    return said


def _conflict_text(tx: Connection, run: NewRun) -> str:
    if tx.execute(select(DagRun.id).where(DagRun.dag_id == run.dag_id, DagRun.run_id == run.run_id)).first():
        return f"DAG {run.dag_id!r} already has a run {run.run_id!r}. Give another --run-id."
    other = tx.execute(
        select(DagRun.run_id).where(DagRun.dag_id == run.dag_id, DagRun.logical_date == run.logical_date)
    ).scalar()
    return (
        f"DAG {run.dag_id!r} already has a run for logical date {run.logical_date}: {other!r}. "
        "Give another --logical-date, or none."
    )
