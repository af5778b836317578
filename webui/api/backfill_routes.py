"""Which paths of the REST API are about backfills? Lists of them, one, a new one, its trial, and how it is steered."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from flask import Blueprint, Response, jsonify

from tradewind.metadata.backfills import (
    BackfillRecord,
    count_backfills,
    count_slots,
    get_backfill,
    list_backfills,
    list_slots,
)
from tradewind.metadata.dags import find_dag, get_dag
from tradewind.model.backfills import Action, Only, Reprocess, WantedBackfill
from webui.api.query import PAGING, body, page, parse_instant, refuse, takes, text
from webui.api.shapes import iso
from webui.auth.guard import needs
from webui.backfilling import create_backfill, plan_backfill, steer
from webui.web import web

K = TypeVar("K", Reprocess, Only)
NEW: Final = {
    "dag_id": str, "from_date": str, "to_date": str, "run_backwards": bool, "dag_run_conf": dict,
    "reprocess_behavior": str, "max_active_runs": int, "run_on_latest_version": bool,
    # what Airflow has not: several DAGs, some tasks, some dates
    "dag_ids": list, "tasks": list, "with_upstream": bool, "with_downstream": bool, "only": str,
}  # fmt: skip


def register(api: Blueprint) -> None:
    """Add the paths."""
    api.get("/backfills", endpoint="backfills")(backfills)
    api.post("/backfills", endpoint="create_backfill")(create)
    api.post("/backfills/dry_run", endpoint="backfill_dry_run")(dry_run)
    api.get("/backfills/<int:backfill_id>", endpoint="backfill")(backfill)
    for how in ("pause", "unpause", "cancel"):
        # Airflow's API says PUT, its command line POST.
        api.route(
            f"/backfills/<int:backfill_id>/{how}", endpoint=f"{how}_backfill", methods=("PUT", "POST"),
            defaults={"how": how},
        )(steer_backfill)  # fmt: skip
    api.get("/tradewind/backfills/<int:backfill_id>/dates", endpoint="backfill_dates")(dates)


@takes(*PAGING, "dag_id")
def backfills() -> Response:
    """List backfills, the newest first."""
    wanted, dag_id = page(), text("dag_id")
    with web().db.read() as tx:
        if dag_id is not None:
            get_dag(tx, dag_id)
        found = list_backfills(tx, dag_id=dag_id, limit=wanted.limit, offset=wanted.offset)
        total = count_backfills(tx, dag_id=dag_id)
    return jsonify(backfills=[backfill_shape(one) for one in found], total_entries=total)


def backfill(backfill_id: int) -> Response:
    with web().db.read() as tx:
        return jsonify(backfill_shape(get_backfill(tx, backfill_id)))


@needs("user")
def create() -> Response:
    """Create a backfill; the schedulers make its runs."""
    return jsonify(backfill_shape(create_backfill(_wanted(), via="rest_api")))


@needs("user")
def dry_run() -> Response:
    """Tell which runs a backfill would make or do again; dates that it would leave out are not among them."""
    plan = plan_backfill(_wanted())
    shapes = [
        {
            "logical_date": iso(slot.logical_date),
            "partition_key": slot.partition_key,
            "partition_date": iso(slot.partition_date),
            "dag_id": slot.dag_id,
            "run_id": slot.run_id,
            "action": slot.action.value,
            "reason": slot.reason or None,
        }
        for slot in plan.slots
        if slot.action is not Action.SKIP
    ]
    return jsonify(backfills=shapes, total_entries=len(shapes))


@needs("user")
def steer_backfill(backfill_id: int, how: str) -> Response:
    """Pause a backfill, let it go on, or end it."""
    return jsonify(backfill_shape(steer(backfill_id, how, via="rest_api")))


@takes(*PAGING)
def dates(backfill_id: int) -> Response:
    """List the dates of a backfill in the order of their turns, with what became of each."""
    wanted = page()
    with web().db.read() as tx:
        get_backfill(tx, backfill_id)
        slots = list_slots(tx, backfill_id, limit=wanted.limit, offset=wanted.offset)
        counts = count_slots(tx, backfill_id)
    shapes = [
        {
            "ordinal": slot.ordinal,
            "dag_id": slot.dag_id,
            "dag_run_id": slot.run_id,
            "logical_date": iso(slot.logical_date),
            "partition_key": slot.partition_key,
            "state": slot.state.value,
            "run_state": slot.run_state.value if slot.run_state else None,
            "reason": slot.reason,
        }
        for slot in slots
    ]
    names = ("waiting", "queued", "running", "success", "failed", "skipped", "cancelled", "gone")
    return jsonify(dates=shapes, total_entries=counts.total, counts={name: getattr(counts, name) for name in names})


def _wanted() -> WantedBackfill:
    sent = body(NEW)
    dag_ids = sent.get("dag_ids") or ([sent["dag_id"]] if sent.get("dag_id") else [])
    if not dag_ids or not _are_texts(dag_ids) or (sent.get("dag_ids") and sent.get("dag_id")):
        refuse("Name the DAG by 'dag_id', or several by 'dag_ids', not by both.")
    for name in ("from_date", "to_date"):
        if sent.get(name) is None:
            refuse(f"{name!r} is missing: an ISO 8601 instant such as '2013-01-31T00:00:00Z'.")
    most = sent.get("max_active_runs")
    if most is not None and (isinstance(most, bool) or most < 1):
        refuse(f"'max_active_runs' is {most!r}; expected a whole number from 1 on.")
    tasks = sent.get("tasks") or []
    if not _are_texts(tasks):
        refuse("'tasks' must be a list of ids and patterns.")
    return WantedBackfill(
        dag_ids,
        parse_instant("from_date", sent["from_date"]),
        parse_instant("to_date", sent["to_date"]),
        conf=sent.get("dag_run_conf"),
        reprocess=_one_of(Reprocess, "reprocess_behavior", sent.get("reprocess_behavior")),
        only=_one_of(Only, "only", sent.get("only")),
        max_active_runs=most,
        run_backwards=bool(sent.get("run_backwards")),
        run_on_latest_version=sent.get("run_on_latest_version") is not False,
        tasks=tasks,
        with_upstream=bool(sent.get("with_upstream")),
        with_downstream=bool(sent.get("with_downstream")),
    )


def _are_texts(items: list[Any]) -> bool:
    return all(isinstance(item, str) and item for item in items)


def _one_of(kind: type[K], name: str, given: str | None) -> K | None:
    if given is None:
        return None
    try:
        return kind(given)
    except ValueError:
        refuse(f"{name!r} is {given!r}. It can be: {', '.join(kind)}.")


def backfill_shape(one: BackfillRecord) -> dict[str, Any]:
    """Return a backfill as ``BackfillResponse``, with all its DAGs and how it stands beside what Airflow tells."""
    with web().db.read() as tx:
        dag = find_dag(tx, one.dag_ids[0])
    return {
        "id": one.id,
        "dag_id": one.dag_ids[0],
        "dag_display_name": (dag.display_name if dag else None) or one.dag_ids[0],
        "from_date": iso(one.from_date),
        "to_date": iso(one.to_date),
        "dag_run_conf": one.conf,
        "is_paused": one.is_paused,
        "reprocess_behavior": one.reprocess.value,
        "max_active_runs": one.max_active_runs,
        "created_at": iso(one.created_at),
        "completed_at": iso(one.completed_at),
        "updated_at": iso(one.updated_at),
        "dag_ids": list(one.dag_ids),
        "state": one.state,
        "reason": one.reason,
    }
