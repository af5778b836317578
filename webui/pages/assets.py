"""The assets: a list with what happened last, and one page for each with its events, its makers and its users."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tradewind.errors import TradewindError
from tradewind.metadata.views.asset_events import EventSearch, list_events, list_queued
from tradewind.metadata.views.assets import AssetSearch, count_assets, get_asset, list_assets, producing_dags
from tradewind.model.states import RunType
from webui.actions import TriggerRequest, add_asset_event, trigger
from webui.auth.guard import needs
from webui.web import web

pages: Final = Blueprint("assets", __name__)
PAGE: Final = 50
EVENTS: Final = 25


@pages.get("/assets", endpoint="assets")
def assets() -> str:
    offset = _number(request.args.get("offset", ""))
    wanted = AssetSearch(text=request.args.get("q", "").strip() or None, only_active=request.args.get("all") != "yes")
    with web().db.read() as tx:
        lines = list_assets(tx, wanted, offset=offset, limit=PAGE + 1)
        total = count_assets(tx, wanted)
        shown = lines[:PAGE]
        newest = [one.last_event_id for one in shown if one.last_event_id is not None]
        last = {event.asset_id: event for event in list_events(tx, EventSearch(event_ids=newest), limit=PAGE)}
    return render_template(
        "assets.html",
        lines=shown,
        last=last,
        total=total,
        wanted=wanted,
        offset=offset,
        page_size=PAGE,
        has_more=len(lines) > PAGE,
    )


@pages.get("/assets/<int:asset_id>", endpoint="asset")
def asset(asset_id: int) -> str:
    offset = _number(request.args.get("offset", ""))
    with web().db.read() as tx:
        line = get_asset(tx, asset_id)
        events = list_events(tx, EventSearch(asset_id=asset_id), offset=offset, limit=EVENTS + 1)
        queued = {one.dag_id: one for one in list_queued(tx, asset_id=asset_id)}
    return render_template(
        "asset.html",
        line=line,
        events=events[:EVENTS],
        queued=queued,
        makers=producing_dags([line]),
        offset=offset,
        page_size=EVENTS,
        has_more=len(events) > EVENTS,
    )


@pages.post("/assets/<int:asset_id>/events", endpoint="report")
@needs("user")
def report(asset_id: int) -> Response:
    """Say that the asset was updated outside."""
    made = add_asset_event(asset_id, {"from": "the web page"})
    flash(f"Asset {made.name} was updated. The DAGs that wait for it alone run now.")
    return redirect(url_for("assets.asset", asset_id=asset_id))


@pages.post("/assets/<int:asset_id>/materialize", endpoint="materialize")
@needs("user")
def materialize(asset_id: int) -> Response:
    """Run the one DAG that updates the asset."""
    with web().db.read() as tx:
        makers = producing_dags([get_asset(tx, asset_id)])
    if len(makers) != 1:
        flash("There is not one DAG that updates this asset. Trigger one of those that do.")
        return redirect(url_for("assets.asset", asset_id=asset_id))
    try:
        run_id = trigger(TriggerRequest(makers[0], {}, run_type=RunType.ASSET_MATERIALIZATION))
    except TradewindError as error:
        flash(str(error))
        return redirect(url_for("assets.asset", asset_id=asset_id))
    return redirect(url_for("graph.graph", dag_id=makers[0], run=run_id))


def _number(text: Any) -> int:
    """Return a place in a list; a broken one means the beginning."""
    return int(text) if str(text).isascii() and str(text).isdigit() and len(str(text)) < 9 else 0
