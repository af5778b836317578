"""``tradewind assets``: what there is, what happened to it, and how it is brought up to date."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from scheduler.commands.lookup import user_name
from scheduler.runs import trigger_run
from tradewind.config import load_config
from tradewind.errors import Conflict, NotFound, UsageError, did_you_mean
from tradewind.metadata import audit
from tradewind.metadata.assets import record_event
from tradewind.metadata.opening import open_database
from tradewind.metadata.views.asset_events import EventSearch, list_events
from tradewind.metadata.views.assets import (
    AssetLine,
    AssetSearch,
    find_alias,
    find_assets,
    list_aliases,
    list_assets,
    producing_dags,
)
from tradewind.model.states import RunType
from tradewind.terminal.output import emit, emit_record, talk

PAGE: Final = 500
COLUMNS: Final = (
    "name", "uri", "group", "extra", "id", "active", "created_at", "updated_at", "last_event", "producing_tasks",
    "consuming_tasks", "scheduled_dags", "aliases", "watchers",
)  # fmt: skip
USUAL: Final = COLUMNS[:4]
ALIAS_COLUMNS: Final = ("id", "name", "group")
EVENT_COLUMNS: Final = ("timestamp", "asset", "source", "runs", "extra", "partition_key", "id")


def list_all(alias: bool, columns: str | None, output: str) -> None:
    """List the assets."""
    known = ALIAS_COLUMNS if alias else COLUMNS
    wanted = _columns(columns, known) or (("name", "group") if alias else USUAL)
    rows: list[Mapping[str, Any]] = []
    with open_database() as db, db.read() as tx:
        while True:
            page = _page(tx, alias, len(rows))
            rows += page
            if len(page) < PAGE:
                break
    emit(rows, wanted, output, empty="There are no assets. A DAG names them in its schedule or as outlets of tasks.")


def _page(tx: Connection, alias: bool, offset: int) -> list[Mapping[str, Any]]:
    if alias:
        found = list_aliases(tx, offset=offset, limit=PAGE)
        return [{"id": one.id, "name": one.name, "group": one.group} for one in found]
    wanted = AssetSearch(only_active=False)
    return [_row(one) for one in list_assets(tx, wanted, offset=offset, limit=PAGE)]


def _columns(given: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (given or "").split(",") if name.strip())
    for name in names:
        if name not in known:
            raise UsageError(f"There is no column {name!r}.{did_you_mean(name, known)} There are: {', '.join(known)}.")
    return names


def details(alias: bool, name: str | None, uri: str | None, output: str) -> None:
    """Show an asset: who updates it, who waits for it, its last event."""
    if alias:
        if not name or uri:
            raise UsageError("With --alias give --name, and no --uri: an alias has a name only.")
        with open_database() as db, db.read() as tx:
            found = find_alias(tx, name=name)
        if found is None:
            raise NotFound("Asset alias", name)
        emit_record({"id": found.id, "name": found.name, "group": found.group}, output)
        return
    with open_database() as db, db.read() as tx:
        emit_record(_row(_one(tx, name, uri)), output)


def events(
    name: str | None,
    uri: str | None,
    start_date: datetime | None,
    end_date: datetime | None,
    limit: int,
    output: str,
) -> None:
    """List what happened to assets, the newest first."""
    bounds = {sign: at for sign, at in (("gte", start_date), ("lte", end_date)) if at is not None}
    with open_database() as db, db.read() as tx:
        asset_id = _one(tx, name, uri).id if name or uri else None
        found = list_events(tx, EventSearch(asset_id=asset_id, bounds=bounds), limit=limit + 1)
    rows = [
        {
            "timestamp": one.at,
            "asset": one.name,
            "source": f"{one.source_dag_id}.{one.source_task_id}" if one.source_dag_id else "from outside",
            "runs": ", ".join(f"{run.dag_id}" for run in one.created_runs),
            "extra": one.extra,
            "partition_key": one.partition_key,
            "id": one.id,
        }
        for one in found[:limit]
    ]
    emit(rows, EVENT_COLUMNS[:4] if output == "table" else EVENT_COLUMNS, output, empty="Nothing has happened yet.")
    if len(found) > limit:
        talk(f"These are the newest {limit}; more with --limit.")


def materialize(name: str | None, uri: str | None, output: str) -> None:
    """Run the DAG that updates an asset."""
    config, user = load_config(os.environ), user_name()
    with open_database(config) as db:
        with db.read() as tx:
            found = _one(tx, name, uri)
        dag_ids = producing_dags([found])
        if len(dag_ids) != 1:
            which = f"Several DAGs do: {', '.join(dag_ids)}. Trigger one of them." if dag_ids else "No DAG does."
            raise Conflict(f"One DAG must have a task that updates asset {found.name!r}. {which}")
        made = trigger_run(
            db, config, dag_id=dag_ids[0], run_type=RunType.ASSET_MATERIALIZATION, triggered_by="cli", user=user
        )
        with db.write() as tx:
            audit.note(
                tx, db.now(), actor=user, via="cli", action="run.trigger", dag_id=made.dag_id, run_id=made.run_id
            )
    row = {"asset": found.name, "dag_id": made.dag_id, "dag_run_id": made.run_id, "logical_date": made.logical_date}
    emit([row], tuple(row), output)


def report(name: str | None, uri: str | None, extra: dict[str, Any] | None, partition_key: str | None) -> None:
    """Say that an asset was updated outside: the DAGs that wait for it run."""
    user = user_name()
    with open_database() as db, db.write() as tx:
        found, at = _one(tx, name, uri), db.now()
        event_id = record_event(tx, found.id, extra or {}, at, partition_key=partition_key)
        audit.note(tx, at, actor=user, via="cli", action="asset.event", detail={"asset": found.name, "event": event_id})
    talk(f"Asset {found.name} was updated; this is event {event_id}.")


def _one(tx: Connection, name: str | None, uri: str | None) -> AssetLine:
    if not name and not uri:
        raise UsageError("Say which asset is meant: give --name, --uri, or both.")
    found = find_assets(tx, name or None, uri or None)
    if not found:
        known = [one.name for one in list_assets(tx, AssetSearch(only_active=False), limit=1000)]
        raise NotFound("Asset", name or uri or "", known, "`tradewind assets list` shows what there is.")
    if len(found) > 1 and found[1].is_active == found[0].is_active:
        raise Conflict(f"Several assets are called {name or uri!r}. Give --name and --uri.")
    return found[0]


def _row(one: AssetLine) -> dict[str, Any]:
    return {
        "name": one.name,
        "uri": one.uri,
        "group": one.group,
        "extra": one.extra,
        "id": one.id,
        "active": one.is_active,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "last_event": one.last_event_at,
        "producing_tasks": ", ".join(f"{use.dag_id}.{use.task_id}" for use in one.producers),
        "consuming_tasks": ", ".join(f"{use.dag_id}.{use.task_id}" for use in one.readers),
        "scheduled_dags": ", ".join(use.dag_id for use in one.consumers),
        "aliases": ", ".join(alias.name for alias in one.aliases),
        "watchers": ", ".join(watcher.name for watcher in one.watchers),
    }
