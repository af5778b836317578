"""Which assets are there, who makes and uses them, and what happened to them? Lists for people and programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from tradewind.errors import NotFound
from tradewind.metadata.models import (
    Asset,
    AssetAlias,
    AssetAliasTarget,
    AssetEvent,
    AssetReference,
    AssetWatcher,
    Dag,
)


@dataclass(frozen=True, slots=True)
class Use:
    """A DAG, or a task of it, that names an asset. ``task_id`` is empty for the schedule of the DAG."""

    dag_id: str
    task_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AliasLine:
    """One alias."""

    id: int
    name: str
    group: str


@dataclass(frozen=True, slots=True)
class WatcherLine:
    """What makes events of an asset from outside."""

    id: int
    name: str
    trigger: str
    created_at: datetime


@dataclass(slots=True)
class AssetLine:
    """One asset with all that names it, by active DAGs, and its last event."""

    id: int
    name: str
    uri: str
    group: str
    extra: dict[str, Any]
    is_active: bool
    created_at: datetime
    updated_at: datetime
    consumers: list[Use] = field(default_factory=list)  # DAGs that are scheduled on it
    producers: list[Use] = field(default_factory=list)
    readers: list[Use] = field(default_factory=list)
    aliases: list[AliasLine] = field(default_factory=list)
    watchers: list[WatcherLine] = field(default_factory=list)
    last_event_id: int | None = None
    last_event_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AssetSearch:
    """Which assets are wanted. Patterns are parts of the text, with ``%`` and ``_`` as in SQL."""

    name_pattern: str | None = None
    name_prefix: str | None = None
    uri_pattern: str | None = None
    uri_prefix: str | None = None
    text: str | None = None  # part of name, URI or group, as it stands
    dag_ids: Sequence[str] = ()  # that name it in any way
    only_active: bool = True


def list_assets(
    tx: Connection, wanted: AssetSearch, *, order: str = "name", offset: int = 0, limit: int = 100
) -> list[AssetLine]:
    """Return assets.

    Args:
        order: ``id``, ``name``, ``uri``, ``created_at`` or ``updated_at``, with ``-`` before it: backwards.
    """
    column = {
        "id": Asset.id,
        "name": Asset.name,
        "uri": Asset.uri,
        "created_at": Asset.created_at,
        "updated_at": Asset.updated_at,
    }[order.removeprefix("-")]
    by = (column.desc(), Asset.id.desc()) if order.startswith("-") else (column, Asset.id)
    return _lines(tx, _filtered(_select_assets(), wanted).order_by(*by).offset(offset).limit(limit))


def count_assets(tx: Connection, wanted: AssetSearch) -> int:
    """Return how many assets there are."""
    return int(tx.execute(_filtered(select(func.count()).select_from(Asset), wanted)).scalar_one())


def get_asset(tx: Connection, asset_id: int) -> AssetLine:
    """Return one asset.

    Raises:
        NotFound: there is none.
    """
    found = _lines(tx, _select_assets().where(Asset.id == asset_id))
    if not found:
        raise NotFound("Asset", str(asset_id))
    return found[0]


def find_assets(tx: Connection, name: str | None, uri: str | None, limit: int = 2) -> list[AssetLine]:
    """Return the assets with this name and this URI, whichever is given; active ones first."""
    query = _select_assets()
    if name is not None:
        query = query.where(Asset.name == name)
    if uri is not None:
        query = query.where(Asset.uri == uri)
    return _lines(tx, query.order_by(Asset.is_active.desc(), Asset.id).limit(limit))


def list_aliases(
    tx: Connection, *, pattern: str | None = None, prefix: str | None = None, offset: int = 0, limit: int = 100
) -> list[AliasLine]:
    """Return aliases by name."""
    query = _filter_aliases(select(AssetAlias.id, AssetAlias.name, AssetAlias.group_name), pattern, prefix)
    return [AliasLine(*row) for row in tx.execute(query.order_by(AssetAlias.name).offset(offset).limit(limit))]


def count_aliases(tx: Connection, *, pattern: str | None = None, prefix: str | None = None) -> int:
    """Return how many aliases there are."""
    return int(tx.execute(_filter_aliases(select(func.count()).select_from(AssetAlias), pattern, prefix)).scalar_one())


def find_alias(tx: Connection, *, alias_id: int | None = None, name: str | None = None) -> AliasLine | None:
    """Return one alias, or None."""
    query = select(AssetAlias.id, AssetAlias.name, AssetAlias.group_name)
    row = tx.execute(query.where(AssetAlias.id == alias_id if name is None else AssetAlias.name == name)).first()
    return None if row is None else AliasLine(*row)


def _filter_aliases(
    query: Select[*tuple[Any, ...]], pattern: str | None, prefix: str | None
) -> Select[*tuple[Any, ...]]:
    if pattern:
        query = query.where(AssetAlias.name.ilike(f"%{pattern}%"))
    if prefix:
        query = query.where(AssetAlias.name.startswith(prefix, autoescape=True))
    return query


def _select_assets() -> Select[Any]:
    row = Asset
    return select(
        row.id, row.name, row.uri, row.group_name, row.extra, row.is_active, row.created_at, row.updated_at, row.digest
    )


def _filtered(query: Select[Any], wanted: AssetSearch) -> Select[Any]:
    if wanted.only_active:
        query = query.where(Asset.is_active)
    if wanted.name_pattern:
        query = query.where(Asset.name.ilike(f"%{wanted.name_pattern}%"))
    if wanted.name_prefix:
        query = query.where(Asset.name.startswith(wanted.name_prefix, autoescape=True))
    if wanted.uri_pattern:
        query = query.where(Asset.uri.ilike(f"%{wanted.uri_pattern}%"))
    if wanted.uri_prefix:
        query = query.where(Asset.uri.startswith(wanted.uri_prefix, autoescape=True))
    if wanted.text:
        parts = (one.icontains(wanted.text, autoescape=True) for one in (Asset.name, Asset.uri, Asset.group_name))
        query = query.where(or_(*parts))
    if wanted.dag_ids:
        row = AssetReference
        named = select(row.id).where(row.dag_id.in_(list(wanted.dag_ids)), _names(row)).correlate(Asset)
        query = query.where(exists(named))
    return query


def _names(row: type[AssetReference]) -> ColumnElement[bool]:
    return or_(
        and_(row.kind == "asset", row.digest == Asset.digest),
        and_(row.kind == "name", row.name == Asset.name),
        and_(row.kind == "uri", row.uri == Asset.uri),
    )


def _lines(tx: Connection, query: Select[Any]) -> list[AssetLine]:
    lines = {row.id: AssetLine(*row[:8]) for row in tx.execute(query)}
    if not lines:
        return []
    _add_uses(tx, lines)
    _add_aliases(tx, lines)
    watcher = AssetWatcher
    columns = (watcher.asset_id, watcher.id, watcher.name, watcher.trigger_path, watcher.created_at)
    for row in tx.execute(select(*columns).where(watcher.asset_id.in_(list(lines))).order_by(watcher.name)):
        lines[row[0]].watchers.append(WatcherLine(*row[1:]))
    newest = select(func.max(AssetEvent.id)).where(AssetEvent.asset_id.in_(list(lines))).group_by(AssetEvent.asset_id)
    for event in tx.execute(select(AssetEvent.id, AssetEvent.asset_id, AssetEvent.at).where(AssetEvent.id.in_(newest))):
        lines[event.asset_id].last_event_id, lines[event.asset_id].last_event_at = event.id, event.at
    return list(lines.values())


def _add_uses(tx: Connection, lines: dict[int, AssetLine]) -> None:
    row = AssetReference
    query = (
        select(Asset.id, row.role, row.dag_id, row.task_id, row.created_at)
        .join(row, _names(row))
        .join(Dag, Dag.dag_id == row.dag_id)
        .where(Asset.id.in_(list(lines)), Dag.is_active)
        .order_by(row.dag_id, row.task_id)
    )
    for asset_id, role, dag_id, task_id, created_at in tx.execute(query):
        line = lines[asset_id]
        place = {"schedule": line.consumers, "outlet": line.producers, "inlet": line.readers}[role]
        if not any((one.dag_id, one.task_id) == (dag_id, task_id) for one in place):
            place.append(Use(dag_id, task_id, created_at))


def _add_aliases(tx: Connection, lines: dict[int, AssetLine]) -> None:
    link = AssetAliasTarget
    query = (
        select(link.asset_id, AssetAlias.id, AssetAlias.name, AssetAlias.group_name)
        .join(AssetAlias, AssetAlias.id == link.alias_id)
        .where(link.asset_id.in_(list(lines)))
        .order_by(AssetAlias.name)
    )
    for row in tx.execute(query):
        lines[row[0]].aliases.append(AliasLine(*row[1:]))


def producing_dags(assets: Collection[AssetLine]) -> list[str]:
    """Return the active DAGs that have a task which updates one of these assets."""
    return sorted({use.dag_id for line in assets for use in line.producers})
