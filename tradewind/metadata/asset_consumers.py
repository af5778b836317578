"""What has a DAG that waits for assets not used yet? Reading what is pending, and using it up with a run.

Whoever calls these holds the row of the DAG, so that no two schedulers use the same event. An event that comes
meanwhile is seen at the next look: only rows that were read are touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from tradewind.metadata.models import (
    Asset,
    AssetAlias,
    AssetAliasTarget,
    AssetEvent,
    AssetEventUse,
    AssetPending,
    DagRun,
)
from tradewind.metadata.upsert import insert_missing
from tradewind.model.states import RunState
from tradewind.timetables.asset_condition import Condition, Key, Known, leaves

_CHUNK = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pending:
    """One event that a consumer has not used. ``partition_key`` is the consumer's own; empty: not known, or none."""

    event_id: int
    partition_key: str
    counts: bool
    at: datetime
    asset: Key
    source_key: str | None
    source_date: datetime | None

    @property
    def place(self) -> tuple[int, str]:
        """What tells it from the others of the same consumer."""
        return self.event_id, self.partition_key


def consumers_to_look_at(tx: Connection, limit: int) -> list[str]:
    """Return DAGs before which events have come that nobody has looked at, by id."""
    query = select(AssetPending.dag_id).where(AssetPending.is_new).distinct().order_by(AssetPending.dag_id)
    return list(tx.execute(query.limit(limit)).scalars())


def read_pending(tx: Connection, dag_id: str) -> list[Pending]:
    """Return all that is pending for a consumer, the oldest first."""
    row, event = AssetPending, AssetEvent
    query = (
        select(
            row.event_id, row.partition_key, row.counts, event.at, Asset.name, Asset.uri, event.partition_key,
            event.partition_date,
        )
        .join(event, event.id == row.event_id)
        .join(Asset, Asset.id == event.asset_id)
        .where(row.dag_id == dag_id)
        .order_by(event.at, row.event_id, row.partition_key)
    )  # fmt: skip
    return [
        Pending(event_id, key, counts, at, (name, uri), source_key, source_date)
        for event_id, key, counts, at, name, uri, source_key, source_date in tx.execute(query)
    ]


def settle(tx: Connection, dag_id: str, seen: Sequence[Pending]) -> None:
    """Say that these were looked at. They wait for others."""
    row = AssetPending
    for part in _chunks([one.place for one in seen]):
        these = tuple_(row.event_id, row.partition_key).in_(part)
        tx.execute(update(row).where(row.dag_id == dag_id, row.is_new, these).values(is_new=False))


def drop(tx: Connection, dag_id: str, used: Sequence[Pending]) -> None:
    """Take these away: they were used, or nothing can be made of them."""
    row = AssetPending
    for part in _chunks([one.place for one in used]):
        tx.execute(delete(row).where(row.dag_id == dag_id, tuple_(row.event_id, row.partition_key).in_(part)))


def put_by_partition(tx: Connection, dag_id: str, event_id: int, keys: Sequence[str]) -> None:
    """Put an event before a consumer once for each of its partitions that it belongs to."""
    rows = [
        {"dag_id": dag_id, "event_id": event_id, "partition_key": key, "counts": True, "is_new": True} for key in keys
    ]
    insert_missing(tx, AssetPending, rows)


def note_use(tx: Connection, run_pk: int, event_ids: Sequence[int]) -> None:
    """Write down which events a run was created for."""
    if event_ids:
        tx.execute(insert(AssetEventUse), [{"run_pk": run_pk, "event_id": event_id} for event_id in event_ids])


def count_unfinished_runs(tx: Connection, dag_id: str) -> int:
    """Return how many runs of a DAG are queued or running."""
    unfinished = DagRun.state.in_((RunState.QUEUED, RunState.RUNNING))
    return tx.execute(select(func.count()).where(DagRun.dag_id == dag_id, unfinished)).scalar_one()


def read_known(tx: Connection, condition: Condition) -> Known:
    """Return what the references and aliases of a condition mean now."""
    names, uris, aliases = set[str](), set[str](), set[str]()
    for leaf in leaves(condition):
        ref = leaf.get("asset_ref", {})
        names.update([ref["name"]] if "name" in ref else [])
        uris.update([ref["uri"]] if "uri" in ref else [])
        aliases.update([leaf["alias"]["name"]] if "alias" in leaf else [])
    active = select(Asset.name, Asset.uri).where(Asset.is_active)
    by_name = [tuple(row) for row in tx.execute(active.where(Asset.name.in_(sorted(names))))] if names else []
    by_uri = [tuple(row) for row in tx.execute(active.where(Asset.uri.in_(sorted(uris))))] if uris else []
    meant: dict[str, set[Key]] = {}
    if aliases:
        query = (
            select(AssetAlias.name, Asset.name, Asset.uri)
            .join(AssetAliasTarget, AssetAliasTarget.alias_id == AssetAlias.id)
            .join(Asset, Asset.id == AssetAliasTarget.asset_id)
            .where(AssetAlias.name.in_(sorted(aliases)))
        )
        for alias, name, uri in tx.execute(query):
            meant.setdefault(alias, set()).add((name, uri))
    return Known(
        {name: (name, uri) for name, uri in by_name},
        {uri: (name, uri) for name, uri in by_uri},
        {alias: frozenset(keys) for alias, keys in meant.items()},
    )


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
