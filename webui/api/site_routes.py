"""Which paths of the REST API are about the whole installation? Its version, its health, its import errors."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from tradewind import __version__
from tradewind.metadata.dags import count_import_errors
from tradewind.metadata.views.files import page_of_import_errors
from webui.api.query import PAGING, page, takes
from webui.api.shapes import import_error_shape
from webui.pages.health import health_report
from webui.web import web


def register(api: Blueprint) -> None:
    """Add the paths."""
    api.get("/version", endpoint="version")(version)
    api.get("/monitor/health", endpoint="monitor_health")(monitor_health)
    api.get("/importErrors", endpoint="import_errors")(import_errors)


def version() -> Response:
    return jsonify(version=__version__, git_version=None)


def monitor_health() -> Response:
    return jsonify(health_report())


@takes(*PAGING)
def import_errors() -> Response:
    """List the files with an import error, by path."""
    wanted = page()
    with web().db.read() as tx:
        found = page_of_import_errors(tx, offset=wanted.offset, limit=wanted.limit)
        total = count_import_errors(tx)
    return jsonify(import_errors=[import_error_shape(error) for error in found], total_entries=total)
