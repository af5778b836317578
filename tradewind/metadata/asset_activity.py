"""Which assets are active? Those that an active DAG defines or an alias stands for; one for each name and each URI."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from tradewind.metadata.models import Asset, AssetAliasTarget, AssetReference, Dag


def refresh_active(tx: Connection, asset_ids: Collection[int]) -> list[str]:
    """Bring ``is_active`` of these assets up to date, and return what is wrong with those that cannot be active.

    An asset that stops being active makes room for another with its name or its URI.
    """
    problems: list[str] = []
    gone = [asset_id for asset_id in sorted(asset_ids) if _leave(tx, asset_id)]
    for asset_id in sorted({*asset_ids, *_rivals(tx, gone)}):
        problem = _enter(tx, asset_id)
        if problem:
            problems.append(problem)
    return problems


def _leave(tx: Connection, asset_id: int) -> bool:
    this = and_(Asset.id == asset_id, Asset.is_active, ~_is_named())
    return tx.execute(update(Asset).where(this).values(is_active=False)).rowcount == 1


def _enter(tx: Connection, asset_id: int) -> str | None:
    query = select(Asset.name, Asset.uri).where(Asset.id == asset_id, ~Asset.is_active, _is_named())
    row = tx.execute(query).first()
    if row is None:
        return None
    same = or_(Asset.name == row.name, Asset.uri == row.uri)
    rival = tx.execute(select(Asset.name, Asset.uri).where(Asset.is_active, same).limit(1)).first()
    if rival is not None:
        return (
            f"Asset {row.name!r} ({row.uri}) is not active, since asset {rival.name!r} ({rival.uri}) has the same name "
            "or URI. Tasks that name it fail. Let both files define it alike."
        )
    tx.execute(update(Asset).where(Asset.id == asset_id).values(is_active=True))
    return None


def _rivals(tx: Connection, asset_ids: Collection[int]) -> list[int]:
    """Return the inactive assets that have the name or the URI of one of these."""
    found: list[int] = []
    for asset_id in asset_ids:
        name, uri = tx.execute(select(Asset.name, Asset.uri).where(Asset.id == asset_id)).one()
        query = select(Asset.id).where(~Asset.is_active, or_(Asset.name == name, Asset.uri == uri))
        found += tx.execute(query).scalars()
    return found


def _is_named() -> ColumnElement[bool]:
    """An active DAG names the asset whole, or an alias stands for it."""
    row = AssetReference
    by_dag = (
        select(row.id)
        .join(Dag, Dag.dag_id == row.dag_id)
        .where(Dag.is_active, row.kind == "asset", row.digest == Asset.digest)
        .correlate(Asset)
    )
    by_alias = select(AssetAliasTarget.alias_id).where(AssetAliasTarget.asset_id == Asset.id).correlate(Asset)
    return or_(exists(by_dag), exists(by_alias))
