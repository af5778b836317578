"""What happened to assets, which runs came of it, and what waits to be used?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select

from tradewind.metadata.models import Asset, AssetEvent, AssetEventUse, AssetPending, Dag, DagRun

COUNT_CAP: Final = 10_000
"""Counting ends here: nobody pages through more, and a count must not read a whole table."""


@dataclass(frozen=True, slots=True)
class CreatedRun:
    """A run that an event helped to create. ``is_triggering``: it was the last one that was needed."""

    dag_id: str
    run_id: str
    state: str
    logical_date: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    run_after: datetime
    partition_key: str | None
    is_triggering: bool


@dataclass(slots=True)
class EventLine:
    """One event with its asset and the runs that used it."""

    id: int
    at: datetime
    asset_id: int
    name: str
    uri: str
    group: str
    extra: dict[str, Any]
    source_dag_id: str | None
    source_run_id: str | None
    source_task_id: str | None
    source_map_index: int
    partition_key: str | None
    created_runs: list[CreatedRun] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EventSearch:
    """Which events are wanted. ``bounds``: ``gte``, ``gt``, ``lte``, ``lt`` -> instant."""

    event_id: int | None = None
    event_ids: Sequence[int] | None = None
    asset_id: int | None = None
    source_dag_id: str | None = None
    source_run_id: str | None = None
    source_task_id: str | None = None
    source_map_index: int | None = None
    name_pattern: str | None = None
    run_pk: int | None = None  # that has used them
    bounds: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueuedLine:
    """An asset of which an event has come that a consumer has not used yet. ``created_at`` is that of the first."""

    dag_id: str
    dag_display_name: str
    asset_id: int
    created_at: datetime


def list_events(
    tx: Connection, wanted: EventSearch, *, order: str = "-timestamp", offset: int = 0, limit: int = 100
) -> list[EventLine]:
    """Return events; ``order`` is ``timestamp`` or ``id``, with ``-`` before it for the newest first."""
    event = AssetEvent
    columns = (
        event.id, event.at, event.asset_id, Asset.name, Asset.uri, Asset.group_name, event.extra, event.source_dag_id,
        event.source_run_id, event.source_task_id, event.source_map_index, event.partition_key,
    )  # fmt: skip
    query = _filtered(select(*columns).join(Asset, Asset.id == event.asset_id), wanted)
    by = (event.at, event.id) if order.endswith("timestamp") else (event.id,)
    query = query.order_by(*(column.desc() if order.startswith("-") else column for column in by))
    lines = {row.id: EventLine(*row) for row in tx.execute(query.offset(offset).limit(limit))}
    _add_runs(tx, lines)
    return list(lines.values())


def count_events(tx: Connection, wanted: EventSearch) -> int:
    """Return how many events there are, up to :data:`COUNT_CAP`."""
    inner = _filtered(select(AssetEvent.id).join(Asset, Asset.id == AssetEvent.asset_id), wanted).limit(COUNT_CAP)
    return tx.execute(select(func.count()).select_from(inner.subquery())).scalar_one()


def _filtered(query: Select[Any], wanted: EventSearch) -> Select[Any]:
    event = AssetEvent
    same: list[tuple[ColumnElement[Any] | Any, Any]] = [
        (event.id, wanted.event_id),
        (event.asset_id, wanted.asset_id),
        (event.source_dag_id, wanted.source_dag_id),
        (event.source_run_id, wanted.source_run_id),
        (event.source_task_id, wanted.source_task_id),
        (event.source_map_index, wanted.source_map_index),
    ]
    query = query.where(*(column == value for column, value in same if value is not None))
    if wanted.event_ids is not None:
        query = query.where(event.id.in_(list(wanted.event_ids)))
    if wanted.name_pattern:
        query = query.where(Asset.name.ilike(f"%{wanted.name_pattern}%"))
    if wanted.run_pk is not None:
        query = query.where(event.id.in_(select(AssetEventUse.event_id).where(AssetEventUse.run_pk == wanted.run_pk)))
    for sign, at in wanted.bounds.items():
        query = query.where(
            {"gte": event.at >= at, "gt": event.at > at, "lte": event.at <= at, "lt": event.at < at}[sign]
        )
    return query


def _add_runs(tx: Connection, lines: dict[int, EventLine]) -> None:
    if not lines:
        return
    use = AssetEventUse
    # The newest event of a run is the one that made its condition hold.
    last = select(use.run_pk, func.max(use.event_id).label("last")).group_by(use.run_pk).subquery()
    query = (
        select(
            use.event_id, DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.logical_date, DagRun.started_at,
            DagRun.ended_at, DagRun.run_after, DagRun.partition_key, last.c.last,
        )
        .join(DagRun, DagRun.id == use.run_pk)
        .join(last, last.c.run_pk == use.run_pk)
        .where(use.event_id.in_(list(lines)))
        .order_by(DagRun.id)
    )  # fmt: skip
    for event_id, dag_id, run_id, state, date, start, end, due, key, newest in tx.execute(query):
        made = CreatedRun(dag_id, run_id, state.value, date, start, end, due, key, newest == event_id)
        lines[event_id].created_runs.append(made)


def list_queued(
    tx: Connection, *, dag_id: str | None = None, asset_id: int | None = None, before: datetime | None = None
) -> list[QueuedLine]:
    """Return what waits to be used: one line for each consumer and asset."""
    row = AssetPending
    query = (
        select(
            row.dag_id,
            func.coalesce(Dag.display_name, Dag.dag_id),
            AssetEvent.asset_id,
            func.min(AssetEvent.at, type_=AssetEvent.at.type),
        )
        .join(AssetEvent, AssetEvent.id == row.event_id)
        .join(Dag, Dag.dag_id == row.dag_id)
        .where(row.counts)
        .group_by(row.dag_id, Dag.display_name, Dag.dag_id, AssetEvent.asset_id)
        .order_by(row.dag_id, AssetEvent.asset_id)
    )
    query = query.where(*_queued(dag_id, asset_id, before))
    return [
        QueuedLine(dag, name, asset, created)
        for dag, name, asset, created in tx.execute(query)
    ]  # fmt: skip


def forget_queued(
    tx: Connection, *, dag_id: str | None = None, asset_id: int | None = None, before: datetime | None = None
) -> int:
    """Take away what waits to be used, as though it had not come; return how many events went. Locks the consumer."""
    if dag_id is not None:
        tx.execute(select(Dag.dag_id).where(Dag.dag_id == dag_id).with_for_update())
    query = select(AssetPending.event_id).join(AssetEvent, AssetEvent.id == AssetPending.event_id)
    chosen = query.where(AssetPending.counts, *_queued(dag_id, asset_id, before))
    gone = delete(AssetPending).where(AssetPending.event_id.in_(chosen))
    return tx.execute(gone if dag_id is None else gone.where(AssetPending.dag_id == dag_id)).rowcount


def _queued(dag_id: str | None, asset_id: int | None, before: datetime | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if dag_id is not None:
        found.append(AssetPending.dag_id == dag_id)
    if asset_id is not None:
        found.append(AssetEvent.asset_id == asset_id)
    if before is not None:
        found.append(AssetEvent.at < before)
    return found
