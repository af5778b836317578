"""What happened to assets? Events: written in the transaction that makes them true, and put before every consumer.

Nothing here waits for a row that many writers share: each event adds rows of its own, so that the ends of tasks of many
runs can be committed at once. Consumers are looked at afterwards, one by one (``asset_consumers``).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select

from tradewind.errors import NotFound
from tradewind.metadata.asset_activity import refresh_active
from tradewind.metadata.database import ring
from tradewind.metadata.models import (
    Asset,
    AssetAlias,
    AssetAliasTarget,
    AssetEvent,
    AssetEventAlias,
    AssetPending,
    AssetReference,
    Dag,
    DagRun,
)
from tradewind.metadata.upsert import insert_missing
from tradewind.model.events import NO_MAP
from tradewind.model.orders import AssetChange
from tradewind.run.view import TaskKey

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AssetSource:
    """The task instance that has updated assets. ``key`` is its task id and map index."""

    run_pk: int
    dag_id: str
    run_id: str
    key: TaskKey


@dataclass(frozen=True, slots=True)
class _Found:
    id: int
    name: str
    uri: str


def asset_digest(name: str, uri: str) -> str:
    """Return the identity of an asset: 64 hex digits over name and URI."""
    return hashlib.sha256(f"{name}\0{uri}".encode()).hexdigest()


def record_changes(tx: Connection, source: AssetSource, changes: Sequence[AssetChange], now: datetime) -> None:
    """Write the events of a task that has ended well, put them before the DAGs that wait for them, and ring.

    An asset that no DAG defines any more gets no event, which is logged, as in Airflow. One that is reported through an
    alias is made when it is not there. Changes through several aliases that say the same are one event.
    """
    run = tx.execute(select(DagRun.partition_key, DagRun.partition_date).where(DagRun.id == source.run_pk)).first()
    run_key, run_date = (None, None) if run is None else run
    for change, aliases in _merged(changes):
        asset = _find_or_make(tx, change, now)
        if asset is None:
            log.warning(
                "asset.unknown: task %s of DAG %s has updated %s, which no DAG defines any more; no event is recorded",
                source.key[0],
                source.dag_id,
                change.name or change.uri,
            )
            continue
        key = run_key if change.partition_key is None else change.partition_key
        columns = {
            "source_dag_id": source.dag_id,
            "source_run_id": source.run_id,
            "source_task_id": source.key[0],
            "source_map_index": source.key[1],
            "partition_key": key,
            "partition_date": run_date if key == run_key else None,
        }
        _emit(tx, asset, change.extra, columns, aliases, now)


def record_event(
    tx: Connection, asset_id: int, extra: Mapping[str, Any], now: datetime, *, partition_key: str | None = None
) -> int:
    """Write an event that comes from outside (somebody said so, a watcher has fired), and return its id.

    Raises:
        NotFound: there is no such asset.
    """
    row = tx.execute(select(Asset.id, Asset.name, Asset.uri).where(Asset.id == asset_id)).first()
    if row is None:
        raise NotFound("Asset", str(asset_id))
    columns = {
        "source_dag_id": None,
        "source_run_id": None,
        "source_task_id": None,
        "source_map_index": NO_MAP,
        "partition_key": partition_key,
        "partition_date": None,
    }
    return _emit(tx, _Found(*row), extra, columns, (), now)


def _merged(changes: Sequence[AssetChange]) -> list[tuple[AssetChange, tuple[str, ...]]]:
    """Join the aliases through which the same was said; the order of the changes stays."""
    direct = [(change, ()) for change in changes if change.alias is None]
    joined: dict[bytes, tuple[AssetChange, list[str]]] = {}
    for change in changes:
        if change.alias is not None:
            same = msgspec.json.encode(msgspec.structs.replace(change, alias=None), order="deterministic")
            joined.setdefault(same, (change, []))[1].append(change.alias)
    return [*direct, *((change, tuple(sorted(set(aliases)))) for change, aliases in joined.values())]


def _find_or_make(tx: Connection, change: AssetChange, now: datetime) -> _Found | None:
    query = select(Asset.id, Asset.name, Asset.uri)
    if change.name is not None and change.uri is not None:
        query = query.where(Asset.digest == asset_digest(change.name, change.uri))
        if change.alias is None:
            query = query.where(Asset.is_active)
    else:
        query = query.where(Asset.is_active, Asset.name == change.name if change.name else Asset.uri == change.uri)
    row = tx.execute(query.limit(1)).first()
    if row is not None:
        return _Found(*row)
    if change.alias is None or change.name is None or change.uri is None:
        return None
    new = {
        "digest": asset_digest(change.name, change.uri),
        "name": change.name,
        "uri": change.uri,
        "group_name": "asset",
        "extra": change.asset_extra,
        "is_active": False,
        "created_at": now,
        "updated_at": now,
    }
    insert_missing(tx, Asset, [new])
    return _Found(*tx.execute(query).one())


def _emit(
    tx: Connection,
    asset: _Found,
    extra: Mapping[str, Any],
    columns: Mapping[str, Any],
    aliases: Sequence[str],
    now: datetime,
) -> int:
    values = {"asset_id": asset.id, "at": now, "extra": dict(extra), **columns}
    event_id: int = tx.execute(insert(AssetEvent).values(values).returning(AssetEvent.id)).scalar_one()
    if aliases:
        _link_aliases(tx, asset, event_id, aliases, now)
    consumers = _consumers(tx, asset, aliases)
    pending = [
        {"dag_id": dag_id, "event_id": event_id, "partition_key": "", "counts": not paused, "is_new": not paused}
        for dag_id, paused in consumers
    ]
    insert_missing(tx, AssetPending, pending)
    if pending:
        ring(tx, "assets")
    return event_id


def _link_aliases(tx: Connection, asset: _Found, event_id: int, aliases: Sequence[str], now: datetime) -> None:
    known = {row.name: row.id for row in tx.execute(_select_aliases(aliases))}
    unknown = [name for name in sorted(aliases) if name not in known]
    if unknown:
        new = [{"name": name, "group_name": "asset", "created_at": now} for name in unknown]
        insert_missing(tx, AssetAlias, new)
        known = {row.name: row.id for row in tx.execute(_select_aliases(aliases))}
    ids = sorted(known.values())
    insert_missing(tx, AssetEventAlias, [{"event_id": event_id, "alias_id": alias_id} for alias_id in ids])
    link = AssetAliasTarget
    linked = set(tx.execute(select(link.alias_id).where(link.asset_id == asset.id, link.alias_id.in_(ids))).scalars())
    fresh = [{"alias_id": alias_id, "asset_id": asset.id} for alias_id in ids if alias_id not in linked]
    if fresh:
        insert_missing(tx, AssetAliasTarget, fresh)
        refresh_active(tx, [asset.id])


def _select_aliases(names: Sequence[str]) -> Any:
    return select(AssetAlias.name, AssetAlias.id).where(AssetAlias.name.in_(list(names)))


def _consumers(tx: Connection, asset: _Found, aliases: Sequence[str]) -> list[tuple[str, bool]]:
    """Return the active DAGs that are scheduled on the asset, with whether they are paused."""
    row = AssetReference
    ways: list[ColumnElement[bool]] = [
        and_(row.kind == "asset", row.digest == asset_digest(asset.name, asset.uri)),
        and_(row.kind == "name", row.name == asset.name),
        and_(row.kind == "uri", row.uri == asset.uri),
    ]
    if aliases:
        ways.append(and_(row.kind == "alias", row.name.in_(list(aliases))))
    query = (
        select(Dag.dag_id, Dag.is_paused)
        .join(row, row.dag_id == Dag.dag_id)
        .where(Dag.is_active, row.role == "schedule", or_(*ways))
        .distinct()
        .order_by(Dag.dag_id)
    )
    return [(dag_id, paused) for dag_id, paused in tx.execute(query)]
