"""Is everything up? For load balancers and monitors; needs no login and says nothing secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from tradewind import __version__
from tradewind.errors import MetadataError
from tradewind.metadata.revision import require_current
from tradewind.metadata.views.home import ProcessLine, list_processes
from webui.web import web

pages: Final = Blueprint("health", __name__)

KINDS: Final = ("scheduler", "triggerer", "dag_processor", "worker")
_LOOKS: Final = timedelta(seconds=60)
"""Two looks of a scheduler at its DAG files."""


@pages.get("/healthz", endpoint="healthz")
def healthz() -> ResponseReturnValue:
    """Answer 200: a thread was free to say so, and that is what being alive means here."""
    return jsonify(kind="webserver", alive=True, version=__version__)


@pages.get("/readyz", endpoint="readyz")
def readyz() -> ResponseReturnValue:
    """Answer 200 when pages can be made now: the metadata DB answers, and has a schema that this version can use."""
    said = "the metadata DB answers"
    try:
        require_current(web().db)
        is_ready = True
    except MetadataError as error:
        is_ready, said = False, str(error).replace(web().db.safe_url, "[database] sql_alchemy_conn")
    except Exception as error:  # whatever the driver says, the answer is that it does not answer
        is_ready, said = False, f"the metadata DB does not answer: {type(error).__name__}"
    body = {"kind": "webserver", "alive": True, "ready": is_ready, "parts": {"metadata DB": said}}
    return jsonify(body | {"version": __version__}), 200 if is_ready else 503


@pages.get("/health", endpoint="health")
def health() -> ResponseReturnValue:
    """Answer 200 while the metadata DB answers, 503 when it does not. A scheduler that is down is told, no error."""
    report = health_report()
    return jsonify(report), 200 if report["metadatabase"]["status"] == "healthy" else 503


def health_report() -> dict[str, Any]:
    """Return the state of the parts, in the words of Airflow's health check.

    ``healthy``: at least one process of the kind has a lease. ``unhealthy``: there was one, and its lease is over; a
    scheduler is always expected. None: there is none, and none need be.
    """
    db = web().db
    try:
        at = db.now()  # leases are told by the clock of the database, whatever that of this host says
        with db.read() as tx:
            processes = list_processes(tx, at)
    except Exception:  # whatever the driver says, the answer is that it does not answer
        return {
            "metadatabase": {"status": "unhealthy"},
            **{kind: {"status": None, f"latest_{kind}_heartbeat": None} for kind in KINDS},
        }
    return {
        "metadatabase": {"status": "healthy"},
        "scheduler": _of_kind(processes, "scheduler", at, if_none="unhealthy"),
        "triggerer": _of_kind(processes, "triggerer", at, if_none=None),
        "dag_processor": _of_dag_files(processes, at),
        "worker": _of_kind(processes, "worker", at, if_none=None),
    }


def _of_kind(
    processes: Sequence[ProcessLine], kind: str, at: datetime, *, if_none: str | None
) -> dict[str, str | None]:
    mine = [process for process in processes if process.kind == kind]
    newest = max((process.heartbeat_at for process in mine), default=None)
    status = "healthy" if any(process.expires_at > at for process in mine) else "unhealthy"
    return _line(kind, status if mine else if_none, newest)


def _of_dag_files(processes: Sequence[ProcessLine], at: datetime) -> dict[str, str | None]:
    """Each scheduler reads the DAG files, in a thread of its own that may hang while the others go on."""
    looks = [look for process in processes if (look := _looked_at(process.info, process.heartbeat_at)) is not None]
    if not looks:
        return _line("dag_processor", None, None)
    patience = timedelta(seconds=web().config.dag_processor.dag_file_processor_timeout)
    lease = timedelta(seconds=web().config.scheduler.lease_seconds)
    is_well = at - max(looks) <= _LOOKS + patience + lease
    return _line("dag_processor", "healthy" if is_well else "unhealthy", max(looks))


def _looked_at(info: Mapping[str, Any], heartbeat_at: datetime) -> datetime | None:
    seconds = info.get("dag_files_seconds")
    return heartbeat_at - timedelta(seconds=seconds) if isinstance(seconds, int | float) else None


def _line(kind: str, status: str | None, newest: datetime | None) -> dict[str, str | None]:
    return {"status": status, f"latest_{kind}_heartbeat": newest.isoformat() if newest else None}
