"""Which paths of the REST API are about assets? Lists of them, their events, what waits to be used, and new events."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, abort, jsonify, request

from tradewind.errors import NotFound
from tradewind.metadata.dags import get_dag
from tradewind.metadata.views.asset_events import EventSearch, count_events, forget_queued, list_events, list_queued
from tradewind.metadata.views.assets import (
    AssetSearch,
    count_aliases,
    count_assets,
    find_alias,
    get_asset,
    list_aliases,
    list_assets,
    producing_dags,
)
from tradewind.model.states import RunType
from webui.actions import TriggerRequest, add_asset_event, trigger
from webui.api.asset_shapes import alias_shape, asset_shape, event_shape, queued_shape
from webui.api.query import PAGING, body, boolean, instant, number, one_of, page, parse_instant, refuse, takes, text
from webui.api.run_routes import NEW_RUN, NEW_RUN_NOT_YET, run
from webui.auth.guard import needs
from webui.pages.shared import get_run
from webui.web import web

ORDERS: Final = tuple(sign + name for name in ("id", "name", "uri", "created_at", "updated_at") for sign in ("", "-"))
EVENT_ORDERS: Final = ("timestamp", "-timestamp", "id", "-id")
PATTERNS: Final = ("name_pattern", "name_prefix_pattern", "uri_pattern", "uri_prefix_pattern")
SOURCES: Final = ("source_dag_id", "source_task_id", "source_run_id", "source_map_index")
BOUNDS: Final = ("gte", "gt", "lte", "lt")
MAX_NUMBER: Final = 2**31 - 1


def register(api: Blueprint) -> None:
    """Add the paths."""
    api.get("/assets", endpoint="assets")(assets)
    api.get("/assets/aliases", endpoint="asset_aliases")(aliases)
    api.get("/assets/aliases/<int:alias_id>", endpoint="asset_alias")(alias)
    api.get("/assets/events", endpoint="asset_events")(events)
    api.post("/assets/events", endpoint="create_asset_event")(create_event)
    api.get("/assets/<int:asset_id>", endpoint="asset")(asset)
    api.post("/assets/<int:asset_id>/materialize", endpoint="materialize")(materialize)
    queued, of_dag = "/assets/<int:asset_id>/queuedEvents", "/dags/<dag_id>/assets"
    api.get(queued, endpoint="asset_queued")(queued_of_asset)
    api.delete(queued, endpoint="forget_asset_queued")(forget_of_asset)
    api.get(f"{of_dag}/queuedEvents", endpoint="dag_queued")(queued_of_dag)
    api.delete(f"{of_dag}/queuedEvents", endpoint="forget_dag_queued")(forget_of_dag)
    api.get(f"{of_dag}/<int:asset_id>/queuedEvents", endpoint="dag_asset_queued")(queued_of_dag)
    api.delete(f"{of_dag}/<int:asset_id>/queuedEvents", endpoint="forget_dag_asset_queued")(forget_of_dag)
    api.get("/dags/<dag_id>/dagRuns/<run_id>/upstreamAssetEvents", endpoint="upstream_events")(upstream_events)


@takes(*PAGING, *PATTERNS, "dag_ids", "only_active", "order_by")
def assets() -> Response:
    """List assets by id unless ``order_by`` says otherwise; without ``only_active=false`` those that a DAG names."""
    part, order = page(), one_of("order_by", ORDERS, "id")
    dag_ids = [dag_id for given in request.args.getlist("dag_ids") for dag_id in given.split(",") if dag_id]
    wanted = AssetSearch(
        _pattern("name_pattern"),
        text("name_prefix_pattern"),
        _pattern("uri_pattern"),
        text("uri_prefix_pattern"),
        dag_ids=dag_ids,
        only_active=boolean("only_active") is not False,
    )
    with web().db.read() as tx:
        found = list_assets(tx, wanted, order=order, offset=part.offset, limit=part.limit)
        total = count_assets(tx, wanted)
    return jsonify(assets=[asset_shape(line) for line in found], total_entries=total)


def asset(asset_id: int) -> Response:
    with web().db.read() as tx:
        return jsonify(asset_shape(get_asset(tx, asset_id)))


@takes(*PAGING, "name_pattern", "name_prefix_pattern", "order_by")
def aliases() -> Response:
    """List aliases by name."""
    part, pattern, prefix = page(), _pattern("name_pattern"), text("name_prefix_pattern")
    one_of("order_by", ("name",), "name")
    with web().db.read() as tx:
        found = list_aliases(tx, pattern=pattern, prefix=prefix, offset=part.offset, limit=part.limit)
        total = count_aliases(tx, pattern=pattern, prefix=prefix)
    return jsonify(asset_aliases=[alias_shape(line) for line in found], total_entries=total)


def alias(alias_id: int) -> Response:
    with web().db.read() as tx:
        found = find_alias(tx, alias_id=alias_id)
    if found is None:
        raise NotFound("Asset alias", str(alias_id))
    return jsonify(alias_shape(found))


@takes(*PAGING, "asset_id", *SOURCES, "name_pattern", "order_by", *(f"timestamp_{sign}" for sign in BOUNDS))
def events() -> Response:
    """List events, the oldest first unless ``order_by`` says otherwise."""
    part, order = page(), one_of("order_by", EVENT_ORDERS, "timestamp")
    bounds = {sign: at for sign in BOUNDS if (at := instant(f"timestamp_{sign}")) is not None}
    wanted = EventSearch(
        asset_id=number("asset_id", 0) if text("asset_id") else None,
        source_dag_id=text("source_dag_id"),
        source_run_id=text("source_run_id"),
        source_task_id=text("source_task_id"),
        source_map_index=number("source_map_index", -1, least=-1) if text("source_map_index") else None,
        name_pattern=_pattern("name_pattern"),
        bounds=bounds,
    )
    with web().db.read() as tx:
        found = list_events(tx, wanted, order=order, offset=part.offset, limit=part.limit)
        total = count_events(tx, wanted)
    return jsonify(asset_events=[event_shape(line) for line in found], total_entries=total)


@needs("user")
def create_event() -> Response:
    """Say that an asset was updated outside; the DAGs that wait for it run."""
    sent = body({"asset_id": int, "partition_key": str, "extra": dict}, ("access_control",))
    asset_id, key = sent.get("asset_id"), sent.get("partition_key")
    if asset_id is None or isinstance(asset_id, bool) or not 0 <= asset_id <= MAX_NUMBER:
        refuse("The field 'asset_id' is needed: the number of an asset, as GET /api/v2/assets gives it.")
    if key is not None and (not key.strip() or len(key) > 250):
        refuse("The field 'partition_key' must be a text of 1 to 250 characters, or left out.")
    extra = {**(sent.get("extra") or {}), "from_rest_api": True}
    made = add_asset_event(asset_id, extra, partition_key=key, via="rest_api")
    return jsonify(event_shape(made))


@needs("user")
def materialize(asset_id: int) -> Response:
    """Run the DAG that updates an asset."""
    sent = body(NEW_RUN, NEW_RUN_NOT_YET) if request.get_data() else {}
    with web().db.read() as tx:
        found = get_asset(tx, asset_id)
    dag_ids = producing_dags([found])
    if len(dag_ids) != 1:
        which = f"Several DAGs do: {', '.join(dag_ids)}. Trigger one of them." if dag_ids else "No DAG does."
        abort(409 if dag_ids else 404, description=f"One DAG must have a task that updates {found.name!r}. {which}")
    date = sent.get("logical_date")
    wanted = TriggerRequest(
        dag_ids[0],
        sent.get("conf") or {},
        run_id=sent.get("dag_run_id"),
        logical_date=None if date is None else parse_instant("logical_date", date),
        has_logical_date="logical_date" in sent,
        note=sent.get("note"),
        run_type=RunType.ASSET_MATERIALIZATION,
        partition_key=sent.get("partition_key"),
    )
    return run(dag_ids[0], trigger(wanted, via="rest_api"))


# --- what waits to be used -------------------------------------------------------------------------------------------


@takes("before")
def queued_of_asset(asset_id: int) -> Response:
    before = instant("before")
    with web().db.read() as tx:
        get_asset(tx, asset_id)
        return _queued(list_queued(tx, asset_id=asset_id, before=before))


@takes("before")
def queued_of_dag(dag_id: str, asset_id: int | None = None) -> Response:
    before = instant("before")
    with web().db.read() as tx:
        get_dag(tx, dag_id)
        return _queued(list_queued(tx, dag_id=dag_id, asset_id=asset_id, before=before))


@takes("before")
@needs("user")
def forget_of_asset(asset_id: int) -> tuple[str, int]:
    before = instant("before")
    with web().db.write() as tx:
        get_asset(tx, asset_id)
        forget_queued(tx, asset_id=asset_id, before=before)
    return "", 204


@takes("before")
@needs("user")
def forget_of_dag(dag_id: str, asset_id: int | None = None) -> tuple[str, int]:
    before = instant("before")
    with web().db.write() as tx:
        get_dag(tx, dag_id)
        forget_queued(tx, dag_id=dag_id, asset_id=asset_id, before=before)
    return "", 204


def upstream_events(dag_id: str, run_id: str) -> Response:
    """List the events that a run was created for."""
    with web().db.read() as tx:
        wanted = EventSearch(run_pk=get_run(tx, dag_id, run_id).pk)
        found = list_events(tx, wanted, order="timestamp", limit=1000)
        total = count_events(tx, wanted)
    return jsonify(asset_events=[event_shape(line) for line in found], total_entries=total)


def _queued(lines: list[Any]) -> Response:
    return jsonify(queued_events=[queued_shape(line) for line in lines], total_entries=len(lines))


def _pattern(name: str) -> str | None:
    given = text(name)
    return None if given == "~" else given
