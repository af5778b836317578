"""What have tasks left for others? Finding XComs, keeping one while its task runs, and the run before this one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import Connection, and_, func, select

from tradewind.metadata.models import Attempt, DagRun, XCom
from tradewind.metadata.upsert import upsert
from tradewind.model.orders import XComValue
from tradewind.model.states import AttemptState, RunState

MAX_PRIOR_RUNS: Final = 1000
"""How many runs a pull with ``include_prior_dates`` looks back: a DAG that runs each minute has millions."""


class XComRow(msgspec.Struct, frozen=True):
    """One stored XCom. One of ``value`` (JSON text) and ``location`` (URL) is set."""

    run_id: str
    task_id: str
    map_index: int
    key: str
    value: str | None
    location: str | None


class RunRow(msgspec.Struct, frozen=True):
    """One run that succeeded."""

    run_id: str
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


_COLUMNS: Final = (DagRun.run_id, XCom.task_id, XCom.map_index, XCom.key, XCom.value, XCom.location)


def find_xcoms(
    tx: Connection, dag_id: str, run_id: str, task_ids: Sequence[str], key: str, map_index: int | None = None
) -> list[XComRow]:
    """Return what these tasks of one run left under ``key``, by task id and map index.

    Args:
        map_index: None means every index.
    """
    query = (
        select(*_COLUMNS)
        .join_from(XCom, DagRun, DagRun.id == XCom.run_pk)
        .where(DagRun.dag_id == dag_id, DagRun.run_id == run_id, XCom.key == key, XCom.task_id.in_(task_ids))
        .order_by(XCom.task_id, XCom.map_index)
    )
    if map_index is not None:
        query = query.where(XCom.map_index == map_index)
    return [XComRow(*row) for row in tx.execute(query)]


def find_xcoms_back(
    tx: Connection,
    dag_id: str,
    run_id: str,
    task_ids: Sequence[str],
    key: str,
    map_index: int | None = None,
) -> list[XComRow]:
    """Return what these tasks left under ``key`` in one run and in those of earlier logical dates, newest run first.

    Looks at most :data:`MAX_PRIOR_RUNS` runs back. A run without a logical date has no earlier ones.
    """
    this = select(DagRun.logical_date).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id).scalar_subquery()
    is_this = and_(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    runs = (
        select(DagRun.id, DagRun.run_id, DagRun.logical_date)
        .where(DagRun.dag_id == dag_id, is_this | (DagRun.logical_date <= this))
        .order_by(DagRun.logical_date.desc(), DagRun.id.desc())
        .limit(MAX_PRIOR_RUNS)
        .subquery()
    )
    query = (
        select(runs.c.run_id, *_COLUMNS[1:])
        .join_from(XCom, runs, runs.c.id == XCom.run_pk)
        .where(XCom.key == key, XCom.task_id.in_(task_ids))
        .order_by(runs.c.logical_date.desc(), runs.c.id.desc(), XCom.task_id, XCom.map_index)
    )
    if map_index is not None:
        query = query.where(XCom.map_index == map_index)
    return [XComRow(*row) for row in tx.execute(query)]


def count_xcoms(tx: Connection, dag_id: str, run_id: str, task_id: str, key: str) -> int:
    """Return how many map indexes of a task of one run have left something under ``key``."""
    query = (
        select(func.count())
        .select_from(XCom)
        .join(DagRun, DagRun.id == XCom.run_pk)
        .where(DagRun.dag_id == dag_id, DagRun.run_id == run_id, XCom.task_id == task_id, XCom.key == key)
    )
    return tx.execute(query).scalar_one()


def find_xcom_range(
    tx: Connection, dag_id: str, run_id: str, task_id: str, key: str, start: int, stop: int
) -> list[XComRow]:
    """Return what the map indexes of a task left under ``key``, by map index: the places from ``start`` to ``stop``."""
    query = (
        select(*_COLUMNS)
        .join_from(XCom, DagRun, DagRun.id == XCom.run_pk)
        .where(DagRun.dag_id == dag_id, DagRun.run_id == run_id, XCom.task_id == task_id, XCom.key == key)
        .order_by(XCom.map_index)
        .offset(max(0, start))
        .limit(max(0, stop - start))
    )
    return [XComRow(*row) for row in tx.execute(query)]


def push_xcom(tx: Connection, attempt_id: UUID, fence: int, xcom: XComValue, now: datetime) -> bool:
    """Keep an XCom of a running attempt, replacing one with the same key.

    Returns:
        False, with nothing written, when the attempt has ended or was claimed anew: a word of the past.
    """
    attempt = tx.execute(
        select(Attempt.run_pk, Attempt.task_id, Attempt.map_index)
        .where(
            Attempt.id == attempt_id,
            Attempt.fence == fence,
            Attempt.state.in_((AttemptState.RUNNING, AttemptState.CANCELLING)),
        )
        .with_for_update(read=True)  # the end of the attempt waits until this is in
    ).one_or_none()
    if attempt is None:
        return False
    upsert(
        tx,
        XCom,
        {"run_pk": attempt.run_pk, "task_id": attempt.task_id, "map_index": attempt.map_index, "key": xcom.key},
        {"value": xcom.value, "location": xcom.location, "size_bytes": xcom.size_bytes, "created_at": now},
    )
    return True


def previous_success(tx: Connection, dag_id: str, before: datetime) -> RunRow | None:
    """Return the latest successful run of a DAG with a logical date earlier than ``before``, or None."""
    row = tx.execute(
        select(DagRun.run_id, DagRun.data_interval_start, DagRun.data_interval_end, DagRun.started_at, DagRun.ended_at)
        .where(DagRun.dag_id == dag_id, DagRun.state == RunState.SUCCESS, DagRun.logical_date < before)
        .order_by(DagRun.logical_date.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else RunRow(*row)
