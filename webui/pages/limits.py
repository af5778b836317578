"""The page of limits: every limit, how far it is used, what waits for it, and who uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flask import Blueprint, render_template, request, url_for

from webui.web import web

if TYPE_CHECKING:
    from scheduler.limits import Limit

pages: Final = Blueprint("limits", __name__)
KINDS: Final = {
    "parallelism": "Tasks at once",
    "backfill_share": "Tasks of backfills",
    "executor": "Tasks of an executor",
    "pool": "Slots of a pool",
    "max_active_runs": "Runs of a DAG",
    "max_active_tasks": "Tasks of a run",
    "max_active_tis_per_dag": "Instances of a task",
    "max_active_tis_per_dagrun": "Instances of a task in a run",
    "run_key": "Runs under a key",
    "task_key": "Tasks under a key",
    "rate": "Starts in a time",
    "backfill": "Runs of a backfill",
}
"""What each kind of limit is called on the page, in the order in which they stand there."""


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit as the page shows it."""

    limit: Limit
    title: str
    kind: str
    url: str
    width: float  # of the bar, of 1000


def read_limits() -> list[Limit]:
    """Return every limit, as the admission of the schedulers counts it."""
    from scheduler.limits import list_limits  # when first needed, as in webui.actions

    config, db = web().config, web().db
    with db.read() as tx:
        share = config.scheduler.backfill_share
        return list_limits(tx, db.now(), parallelism=config.core.parallelism, backfill_share=share)


@pages.get("/limits", endpoint="limits")
def limits() -> str:
    found = read_limits()
    is_full = request.args.get("full") == "yes"
    shown = [one for one in found if not is_full or one.is_full or one.waiting]
    order = {kind: number for number, kind in enumerate(KINDS)}
    shown.sort(key=lambda one: order.get(one.kind, len(order)))
    return render_template(
        "limits.html",
        lines=[_line(one) for one in shown],
        is_full=is_full,
        total=len(found),
        waiting=sum(one.waiting for one in found),
    )


def _line(limit: Limit) -> LimitLine:
    kind = KINDS.get(limit.kind, limit.kind.replace("_", " "))
    title = f"Backfill {limit.name}" if limit.kind == "backfill" else limit.name or kind
    return LimitLine(limit, title, kind, _url(limit), _width(limit))


def _url(limit: Limit) -> str:
    """Return the page of what a limit belongs to, empty when it has none."""
    if limit.kind in ("max_active_runs", "max_active_tasks"):
        return url_for("grid.dag", dag_id=limit.name)
    if limit.kind == "backfill" and limit.name.isdigit():
        return url_for("backfills.one", backfill_id=int(limit.name))
    return ""


def _width(limit: Limit) -> float:
    if not limit.limit:
        return 1000.0 if limit.is_full and limit.used else 0.0
    return round(min(1000.0, 1000 * limit.used / limit.limit), 1)
