"""Which paths of the REST API are about DAGs? Lists of them, one with what it says, its pause switch, its source."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify, request

from tradewind.errors import NotFound
from tradewind.metadata.dags import DagRow, count_dags, get_dag, list_dags, load_source
from tradewind.metadata.views.versions import find_version_id, find_versions
from webui.actions import pause_dag, unpause_dag
from webui.api.dag_shapes import dag_details_shape, dag_shape, full_dags
from webui.api.query import PAGING, body, boolean, number, one_of, page, refuse, takes, text
from webui.auth.guard import needs
from webui.web import web

FILTERS: Final = ("dag_id_pattern", "exclude_stale", "order_by", "owners", "paused", "tags")


def register(api: Blueprint) -> None:
    """Add the paths."""
    api.get("/dags", endpoint="dags")(dags)
    api.get("/dags/<dag_id>", endpoint="dag")(dag)
    api.get("/dags/<dag_id>/details", endpoint="dag_details")(dag_details)
    api.patch("/dags/<dag_id>", endpoint="patch_dag")(patch_dag)
    api.get("/dagSources/<dag_id>", endpoint="dag_source")(dag_source)


@takes(*PAGING, *FILTERS)
def dags() -> Response:
    """List DAGs by id. ``dag_id_pattern`` is a part of the id, with ``%`` and ``_`` as in SQL; ``~`` is all."""
    wanted = page()
    one_of("order_by", ("dag_id",), "dag_id")
    pattern, owner = text("dag_id_pattern"), text("owners")
    if pattern == "~":
        pattern = None
    tags, paused, with_stale = request.args.getlist("tags"), boolean("paused"), boolean("exclude_stale") is False
    with web().db.read() as tx:
        found = list_dags(
            tx, id_pattern=pattern, tags=tags, owner=owner, is_paused=paused, include_inactive=with_stale,
            offset=wanted.offset, limit=wanted.limit,
        )  # fmt: skip
        total = count_dags(
            tx, id_pattern=pattern, tags=tags, owner=owner, is_paused=paused, include_inactive=with_stale
        )
        shapes = [dag_shape(found_dag) for found_dag in full_dags(tx, found)]
    return jsonify(dags=shapes, total_entries=total)


def dag(dag_id: str) -> Response:
    with web().db.read() as tx:
        return jsonify(dag_shape(full_dags(tx, [get_dag(tx, dag_id)])[0]))


def dag_details(dag_id: str) -> Response:
    with web().db.read() as tx:
        return jsonify(dag_details_shape(tx, full_dags(tx, [get_dag(tx, dag_id)])[0]))


@takes("update_mask")
@needs("user")
def patch_dag(dag_id: str) -> Response:
    """Pause a DAG or let it run again."""
    one_of("update_mask", ("is_paused",), "is_paused")
    sent = body({"is_paused": bool})
    if sent.get("is_paused") is None:
        refuse("A DAG has one thing that can be changed here: send {'is_paused': true} or false.")
    if sent["is_paused"]:
        pause_dag(dag_id, via="rest_api")
    else:
        unpause_dag(dag_id, via="rest_api")
    return dag(dag_id)


@takes("version_number")
def dag_source(dag_id: str) -> Response:
    """Return the DAG file of the newest version, or of that with ``version_number``."""
    wanted = number("version_number", 0, least=1)
    with web().db.read() as tx:
        found = get_dag(tx, dag_id)
        version_id = _version_id(found, find_version_id(tx, dag_id, wanted) if wanted else found.version_id, wanted)
        source = load_source(tx, version_id).decode("utf-8", "replace")
        version = find_versions(tx, [version_id])[version_id]
    return jsonify(
        content=source, dag_id=dag_id, version_number=version.number, dag_display_name=version.dag_display_name
    )


def _version_id(dag: DagRow, found: int | None, wanted: int) -> int:
    if found is None:
        raise NotFound("DAG version", f"{dag.dag_id}/{wanted}" if wanted else dag.dag_id)
    return found
