"""Statements about watchers of assets: which are to run, which triggerer runs them, and what they have seen.

A watcher runs while its asset is active and an active DAG that is not paused waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from tradewind.metadata.assets import record_event
from tradewind.metadata.models import Asset, AssetReference, AssetWatcher, Dag, Process


@dataclass(frozen=True, slots=True)
class Watcher:
    """A watcher to be run. ``kwargs`` is JSON text of ``tradewind.xcom``."""

    id: int
    asset_id: int
    asset: str
    name: str
    trigger: str
    kwargs: str

    @property
    def key(self) -> UUID:
        """The id under which its trigger runs: the same for whoever runs it, and that of no attempt."""
        return uuid5(NAMESPACE_OID, f"tradewind watcher {self.id}")


def claim_watchers(tx: Connection, holder: UUID, limit: int) -> None:
    """Claim watchers that are to run and that nobody runs; let go of those that are to run no more."""
    mine = AssetWatcher.claimed_by == holder
    gone = select(AssetWatcher.id).join(Asset, Asset.id == AssetWatcher.asset_id).where(mine, ~_is_wanted())
    tx.execute(update(AssetWatcher).where(AssetWatcher.id.in_(gone)).values(claimed_by=None))
    free = (
        select(AssetWatcher.id)
        .join(Asset, Asset.id == AssetWatcher.asset_id)
        .where(AssetWatcher.claimed_by.is_(None), _is_wanted())
        .order_by(AssetWatcher.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=AssetWatcher)
    )
    chosen = list(tx.execute(free).scalars())
    if chosen:
        tx.execute(update(AssetWatcher).where(AssetWatcher.id.in_(chosen)).values(claimed_by=holder))


def is_claiming_due(tx: Connection, holder: UUID) -> bool:
    """Return whether :func:`claim_watchers` would change anything."""
    mine = and_(AssetWatcher.claimed_by == holder, ~_is_wanted())
    free = and_(AssetWatcher.claimed_by.is_(None), _is_wanted())
    query = select(AssetWatcher.id).join(Asset, Asset.id == AssetWatcher.asset_id).where(or_(mine, free)).limit(1)
    return tx.execute(query).first() is not None


def held_watchers(tx: Connection, holder: UUID) -> list[Watcher]:
    """Return the watchers that ``holder`` is to run."""
    row = AssetWatcher
    query = select(row.id, row.asset_id, Asset.name, row.name, row.trigger_path, row.trigger_kwargs)
    query = query.join(Asset, Asset.id == row.asset_id).where(row.claimed_by == holder).order_by(row.id)
    return [Watcher(*found) for found in tx.execute(query)]


def free_dead_watchers(tx: Connection, now: datetime) -> None:
    """Let go of what triggerers hold whose lease is over."""
    alive = select(Process.id).where(Process.ended_at.is_(None), Process.expires_at > now)
    dead = (AssetWatcher.claimed_by.is_not(None), AssetWatcher.claimed_by.not_in(alive))
    tx.execute(update(AssetWatcher).where(*dead).values(claimed_by=None))


def release_watchers(tx: Connection, holder: UUID) -> None:
    """Let go of all that ``holder`` has claimed."""
    tx.execute(update(AssetWatcher).where(AssetWatcher.claimed_by == holder).values(claimed_by=None))


def record_seen(tx: Connection, holder: UUID, watcher_id: int, payload: Any, now: datetime) -> bool:
    """Write the event that a watcher has seen; False, and nothing, when ``holder`` does not run it any more."""
    row = AssetWatcher
    query = select(row.asset_id).where(row.id == watcher_id, row.claimed_by == holder).with_for_update()
    asset_id = tx.execute(query).scalar_one_or_none()
    if asset_id is None:
        return False
    record_event(tx, asset_id, {"from_trigger": True, "payload": payload}, now)
    return True


def _is_wanted() -> ColumnElement[bool]:
    row = AssetReference
    named = or_(
        and_(row.kind == "asset", row.digest == Asset.digest),
        and_(row.kind == "name", row.name == Asset.name),
        and_(row.kind == "uri", row.uri == Asset.uri),
    )
    waits = (
        select(row.id)
        .join(Dag, Dag.dag_id == row.dag_id)
        .where(row.role == "schedule", Dag.is_active, ~Dag.is_paused, named)
        .correlate(Asset)
    )
    return and_(Asset.is_active, exists(waits))
