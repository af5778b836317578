"""Is everything up? For load balancers and monitors; needs no login and says nothing secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from tradewind.metadata.views.home import ProcessLine, list_processes
from webui.web import now, web

pages: Final = Blueprint("health", __name__)


@pages.get("/health", endpoint="health")
def health() -> ResponseReturnValue:
    """Answer 200 while the metadata DB answers, 503 when it does not. A scheduler that is down is told, no error."""
    report = health_report()
    return jsonify(report), 200 if report["metadatabase"]["status"] == "healthy" else 503


def health_report() -> dict[str, Any]:
    """Return the state of the parts, in the words of Airflow's health check."""
    try:
        with web().db.read() as tx:
            processes = list_processes(tx, now())
    except Exception:  # whatever the driver says, the answer is that it does not answer
        return {
            "metadatabase": {"status": "unhealthy"},
            "scheduler": {"status": None, "latest_scheduler_heartbeat": None},
        }
    return {
        "metadatabase": {"status": "healthy"},
        "scheduler": _of_kind(processes, "scheduler", if_none="unhealthy"),
        "triggerer": _of_kind(processes, "triggerer", if_none=None),
        "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
    }


def _of_kind(processes: Sequence[ProcessLine], kind: str, *, if_none: str | None) -> dict[str, str | None]:
    mine = [process for process in processes if process.kind == kind]
    newest = max((process.heartbeat_at for process in mine), default=None)
    status = "healthy" if any(process.expires_at > now() for process in mine) else "unhealthy"
    return {
        "status": status if mine else if_none,
        f"latest_{kind}_heartbeat": newest.isoformat() if newest else None,
    }
