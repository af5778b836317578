"""The REST API under ``/api/v2``, in the paths and words of Airflow 3."""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from webui.api import (
    asset_routes,
    backfill_routes,
    changing,
    clearing,
    dag_routes,
    hitl_routes,
    operating_routes,
    run_routes,
    site_routes,
)
from webui.api.query import refuse_unknown

__all__ = ["api"]

api: Final = Blueprint("api", __name__, url_prefix="/api/v2")
api.before_request(refuse_unknown)
for routes in (
    site_routes, dag_routes, run_routes, clearing, changing, operating_routes, backfill_routes, asset_routes,
    hitl_routes,
):  # fmt: skip
    routes.register(api)
