"""What do the tests of assets share? DAGs that wait for assets, stored as a DAG file would be, and events of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from scheduler.assets import look_at_consumers
from tradewind.metadata import dags, runs
from tradewind.metadata.asset_consumers import consumers_to_look_at
from tradewind.metadata.assets import AssetSource, record_changes
from tradewind.metadata.database import Database
from tradewind.metadata.models import Asset, AssetEvent, AssetEventUse, AssetPending, DagRun
from tradewind.metadata.pools import ensure_default_pool
from tradewind.metadata.runs import NewRun, RunRecord
from tradewind.model.orders import AssetChange
from tradewind.model.parsed import ParsedFile
from tradewind.model.spec import AliasSpec, AssetMention, AssetSpec, DagSpec, TaskSpec
from tradewind.model.states import RunType
from tradewind.sdk.assets.definitions import Asset as SdkAsset
from tradewind.sdk.assets.definitions import AssetAlias
from tradewind.timetables import timetable_for

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """An instant so many seconds after the beginning."""
    return T0 + timedelta(seconds=seconds)


def producer(*outlets: str, dag_id: str = "producer", aliases: Sequence[str] = ()) -> DagSpec:
    """A DAG with one task that updates assets of these names."""
    mentions = [AssetMention(name, name) for name in outlets] + [AssetMention(alias=name) for name in aliases]
    return DagSpec(
        dag_id=dag_id,
        timetable=timetable_for(None).to_spec(),
        tasks=(TaskSpec("make", outlets=tuple(mentions)),),
        assets=tuple(AssetSpec(name, name) for name in sorted(outlets)),
        asset_aliases=tuple(AliasSpec(name) for name in sorted(aliases)),
    )


def consumer(dag_id: str, schedule: Any, **fields: Any) -> DagSpec:
    """A DAG that waits for assets."""
    timetable = timetable_for(schedule)
    given = getattr(timetable, "assets", schedule)
    parts = [part for one in (given if isinstance(given, list) else [given]) for part in one.parts()]
    named = {(one.name, one.uri) for one in parts if isinstance(one, SdkAsset)}
    fields.setdefault("tasks", (TaskSpec("use", needs_process=False),))
    return DagSpec(
        dag_id=dag_id,
        timetable=timetable.to_spec(),
        assets=tuple(AssetSpec(name, uri) for name, uri in sorted(named)),
        asset_aliases=tuple(AliasSpec(one.name) for one in parts if isinstance(one, AssetAlias)),
        **fields,
    )


def save(db: Database, *specs: DagSpec, path: str = "dags.py", now: datetime = T0, paused: bool = False) -> None:
    """Store a DAG file with these DAGs."""
    with db.write() as tx:
        ensure_default_pool(tx, 128)
        saved = dags.save_file(tx, ParsedFile(path, b"#", tuple(specs)), now, paused_at_creation=paused)
    assert not saved.errors


def source(db: Database, number: int = 1, dag_id: str = "producer", **fields: Any) -> AssetSource:
    """A run of the producer, and its task as the source of events."""
    with db.write() as tx:
        found = runs.find_run(tx, dag_id, f"run{number}")
        if found is None:
            version_id, _ = dags.load_newest_spec(tx, dag_id)
            new = NewRun(dag_id, f"run{number}", version_id, RunType.MANUAL, "test", T0)
            pk = runs.insert_run(tx, replace(new, **fields), T0)
        else:
            pk = found.pk
    return AssetSource(pk, dag_id, f"run{number}", ("make", -1))


def update(db: Database, *names: str, seconds: float = 1, number: int = 1, **fields: Any) -> None:
    """Let the producer update assets, as the commit of its task does."""
    made = source(db, number)
    with db.write() as tx:
        record_changes(tx, made, [AssetChange(name=name, uri=name, **fields) for name in names], at(seconds))


def look(db: Database, seconds: float = 2) -> list[RunRecord]:
    """Do what a scheduler does in its turn, and return the runs that it made."""
    with db.read() as tx:
        found = consumers_to_look_at(tx, 100)
    return look_at_consumers(db, found, at(seconds))


def used(db: Database, run: RunRecord) -> list[str]:
    """The names of the assets whose events a run was created for, in the order of the events."""
    with db.read() as tx:
        query = select(Asset.name).join(AssetEvent, AssetEvent.asset_id == Asset.id)
        query = query.join(AssetEventUse, AssetEventUse.event_id == AssetEvent.id).where(AssetEventUse.run_pk == run.pk)
        return list(tx.execute(query.order_by(AssetEvent.id)).scalars())


def pending(db: Database, dag_id: str) -> int:
    """How many events a consumer has not used."""
    with db.read() as tx:
        return _count(tx, select(func.count()).select_from(AssetPending).where(AssetPending.dag_id == dag_id))


def runs_of(db: Database, dag_id: str) -> list[RunRecord]:
    """The runs of a DAG, the oldest first."""
    with db.read() as tx:
        pks = list(tx.execute(select(DagRun.id).where(DagRun.dag_id == dag_id).order_by(DagRun.id)).scalars())
        return runs.get_runs(tx, pks)


def is_active(db: Database, name: str, uri: str | None = None) -> bool:
    """Whether an asset is active."""
    with db.read() as tx:
        query = select(Asset.is_active).where(Asset.name == name, Asset.uri == (uri or name))
        return bool(tx.execute(query).scalar_one())


def _count(tx: Connection, query: Any) -> int:
    return int(tx.execute(query).scalar_one())
