"""Which DAG names which assets? Written with each new version of a DAG, in the same transaction."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from tradewind.metadata.asset_activity import refresh_active
from tradewind.metadata.assets import asset_digest
from tradewind.metadata.database import ring
from tradewind.metadata.models import (
    Asset,
    AssetAlias,
    AssetEvent,
    AssetEventAlias,
    AssetPending,
    AssetReference,
    AssetWatcher,
    DagRun,
    DagVersion,
)
from tradewind.metadata.upsert import insert_missing
from tradewind.model.spec import AssetMention, AssetSpec, DagSpec, TimetableSpec, decode_spec
from tradewind.model.states import RunType
from tradewind.timetables.asset_condition import Condition, leaves

log = logging.getLogger(__name__)


class _Reference(NamedTuple):
    role: str
    task_id: str
    kind: str
    name: str
    uri: str

    @property
    def digest(self) -> str:
        return asset_digest(self.name, self.uri)


def save_references(tx: Connection, spec: DagSpec, previous_version_id: int | None, now: datetime) -> None:
    """Store what a new version of a DAG says about assets.

    The caller holds the row of the DAG. What is pending for it is looked at again, since its condition may be another;
    it is dropped when the DAG waits for assets no more, or maps partitions in another way.
    """
    _save_assets(tx, spec.assets, now)
    aliases = [{"name": one.name, "group_name": one.group, "created_at": now} for one in spec.asset_aliases]
    insert_missing(tx, AssetAlias, aliases)
    before, wanted = _stored(tx, spec.dag_id), set(_wanted(spec))
    gone, new = before - wanted, wanted - before
    if gone:
        row = AssetReference
        place = tuple_(row.role, row.task_id, row.kind, row.digest)
        removed = [(one.role, one.task_id, one.kind, one.digest) for one in gone]
        tx.execute(delete(row).where(row.dag_id == spec.dag_id, place.in_(removed)))
    if new:
        rows = [{"dag_id": spec.dag_id, **one._asdict(), "digest": one.digest, "created_at": now} for one in new]
        tx.execute(insert(AssetReference), sorted(rows, key=lambda row: (row["role"], row["task_id"], row["digest"])))
    condition = condition_of_spec(spec.timetable)
    if condition is None or _maps_otherwise(tx, spec, previous_version_id):
        tx.execute(delete(AssetPending).where(AssetPending.dag_id == spec.dag_id))
    if condition is not None:
        _add_backlog(tx, spec, {one for one in new if one.role == "schedule"})
        look_again(tx, spec.dag_id)
    for problem in refresh_active(tx, _named_assets(tx, before | wanted)):
        log.warning("asset.conflict: dag=%s: %s", spec.dag_id, problem)


def release_references(tx: Connection, dag_ids: Collection[str]) -> None:
    """Let go of the assets of DAGs that are not active any more; what they name is kept for their return."""
    for dag_id in sorted(dag_ids):
        refresh_active(tx, _named_assets(tx, _stored(tx, dag_id)))


def delete_references(tx: Connection, dag_id: str) -> None:
    """Forget what a DAG that is being deleted names."""
    before = _stored(tx, dag_id)
    tx.execute(delete(AssetReference).where(AssetReference.dag_id == dag_id))
    refresh_active(tx, _named_assets(tx, before))


def look_again(tx: Connection, dag_id: str) -> None:
    """Have the condition of a consumer looked at again, should anything be pending for it."""
    pending = AssetPending
    tx.execute(update(pending).where(pending.dag_id == dag_id, pending.counts, ~pending.is_new).values(is_new=True))


def condition_of_spec(timetable: TimetableSpec) -> Condition | None:
    """Return the condition over assets of a schedule; None: it waits for none."""
    found: Condition | None = timetable.args.get("condition")
    return found


def _wanted(spec: DagSpec) -> Iterator[_Reference]:
    for task in spec.tasks:
        for role, mentions in (("inlet", task.inlets), ("outlet", task.outlets)):
            yield from (_of_mention(role, task.task_id, one) for one in mentions)
    condition = condition_of_spec(spec.timetable)
    for leaf in leaves(condition) if condition is not None else ():
        if "alias" in leaf:
            yield _Reference("schedule", "", "alias", leaf["alias"]["name"], "")
        else:
            facts = leaf.get("asset") or leaf["asset_ref"]
            yield _of_mention("schedule", "", AssetMention(facts.get("name"), facts.get("uri")))


def _of_mention(role: str, task_id: str, one: AssetMention) -> _Reference:
    if one.alias is not None:
        return _Reference(role, task_id, "alias", one.alias, "")
    kind = "asset" if one.name and one.uri else "name" if one.name else "uri"
    return _Reference(role, task_id, kind, one.name or "", one.uri or "")


def _stored(tx: Connection, dag_id: str) -> set[_Reference]:
    row = AssetReference
    query = select(row.role, row.task_id, row.kind, row.name, row.uri).where(row.dag_id == dag_id)
    return {_Reference(*found) for found in tx.execute(query)}


def _named_assets(tx: Connection, references: Collection[_Reference]) -> list[int]:
    digests = {one.digest for one in references if one.kind == "asset"}
    if not digests:
        return []
    return list(tx.execute(select(Asset.id).where(Asset.digest.in_(sorted(digests)))).scalars())


# --- assets ----------------------------------------------------------------------------------------------------------


def _save_assets(tx: Connection, assets: Collection[AssetSpec], now: datetime) -> None:
    by_digest = {asset_digest(one.name, one.uri): one for one in assets}
    rows = [_columns(one, digest, now) for digest, one in sorted(by_digest.items())]
    insert_missing(tx, Asset, rows)
    columns = (Asset.id, Asset.digest, Asset.group_name, Asset.extra)
    query = select(*columns).where(Asset.digest.in_(list(by_digest))).order_by(Asset.digest)
    for row in list(tx.execute(query)) if by_digest else ():
        one = by_digest[row.digest]
        if (row.group_name, row.extra) != (one.group, dict(one.extra)):
            values = {"group_name": one.group, "extra": dict(one.extra), "updated_at": now}
            tx.execute(update(Asset).where(Asset.id == row.id).values(values))
        _save_watchers(tx, row.id, one, now)


def _columns(one: AssetSpec, digest: str, now: datetime) -> dict[str, Any]:
    return {
        "digest": digest,
        "name": one.name,
        "uri": one.uri,
        "group_name": one.group,
        "extra": dict(one.extra),
        "is_active": False,
        "created_at": now,
        "updated_at": now,
    }


def _save_watchers(tx: Connection, asset_id: int, one: AssetSpec, now: datetime) -> None:
    """Make the watchers of an asset those of its newest definition that has any: not every DAG repeats them."""
    row = AssetWatcher
    before = {
        found.name: (found.trigger_path, found.trigger_kwargs)
        for found in tx.execute(select(row.name, row.trigger_path, row.trigger_kwargs).where(row.asset_id == asset_id))
    }
    wanted = {watcher.name: (watcher.trigger, watcher.kwargs) for watcher in one.watchers}
    if not wanted or before == wanted:
        return
    changed = [name for name in before if before[name] != wanted.get(name)]
    tx.execute(delete(row).where(row.asset_id == asset_id, row.name.in_(changed)))
    rows = [
        {"asset_id": asset_id, "name": name, "trigger_path": path, "trigger_kwargs": kwargs, "created_at": now}
        for name, (path, kwargs) in sorted(wanted.items())
        if before.get(name) != (path, kwargs)
    ]
    insert_missing(tx, row, rows)
    ring(tx, "waits")


# --- what is pending -------------------------------------------------------------------------------------------------


def _maps_otherwise(tx: Connection, spec: DagSpec, previous_version_id: int | None) -> bool:
    args: Mapping[str, Any] = spec.timetable.args
    if previous_version_id is None or "default" not in args:
        return False
    found = tx.execute(select(DagVersion.spec).where(DagVersion.id == previous_version_id)).scalar_one_or_none()
    before: Mapping[str, Any] = {} if found is None else decode_spec(found).timetable.args
    return any(before.get(name) != args[name] for name in ("default", "by_name", "by_uri"))


def _add_backlog(tx: Connection, spec: DagSpec, new: Collection[_Reference]) -> None:
    """Put events before a consumer that were there before it named their asset: those since its last run.

    Without such a run: all with catchup, none without, as in Airflow. They are handed on with the next run, and do not
    bring it about.
    """
    last = select(func.max(DagRun.run_after)).where(
        DagRun.dag_id == spec.dag_id, DagRun.run_type == RunType.ASSET_TRIGGERED
    )
    since = tx.execute(last).scalar()
    if not new or (since is None and not spec.catchup):
        return
    event = AssetEvent
    for one in sorted(new):
        query = select(event.id).join(Asset, Asset.id == event.asset_id)
        if one.kind == "alias":
            query = query.join(AssetEventAlias, AssetEventAlias.event_id == event.id)
            query = query.join(AssetAlias, AssetAlias.id == AssetEventAlias.alias_id).where(AssetAlias.name == one.name)
        elif one.kind == "asset":
            query = query.where(Asset.digest == one.digest)
        else:
            query = query.where(Asset.name == one.name if one.name else Asset.uri == one.uri)
        if since is not None:
            query = query.where(event.at > since)
        rows = [
            {"dag_id": spec.dag_id, "event_id": event_id, "partition_key": "", "counts": False, "is_new": False}
            for event_id in tx.execute(query).scalars()
        ]
        insert_missing(tx, AssetPending, rows)
