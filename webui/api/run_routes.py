"""Which paths of the REST API are about runs? Lists of them, one, a new one, their task instances and logs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, abort, jsonify

from tradewind.errors import NotFound
from tradewind.metadata.dags import get_dag
from tradewind.metadata.views.run_search import (
    COUNT_CAP,
    INSTANTS,
    ORDERS,
    RunSearch,
    count_runs,
    newest_attempts,
    search_runs,
    search_tasks,
)
from tradewind.metadata.views.runs import RunPage, TaskLine
from tradewind.metadata.views.tasks import find_task_line
from tradewind.metadata.views.versions import find_versions
from tradewind.metadata.waits import waits_of
from tradewind.model.spec import TaskSpec
from tradewind.model.states import RunState, RunType, TaskState
from webui.actions import TriggerRequest, trigger
from webui.api.query import PAGING, body, instant, number, one_of, page, parse_instant, takes, words
from webui.api.shapes import run_shape, task_shape
from webui.auth.guard import needs
from webui.logs.files import log_name
from webui.pages.shared import get_run
from webui.web import web

if TYPE_CHECKING:
    from sqlalchemy import Connection

RUN_ORDERS: Final = tuple(sign + name for name in ORDERS for sign in ("", "-"))
BOUNDS: Final = {f"{name}_{sign}": (name, sign) for name in INSTANTS for sign in ("gte", "gt", "lte", "lt")}
NEW_RUN: Final = {"dag_run_id": str, "logical_date": str, "conf": dict, "note": str, "partition_key": str}
NEW_RUN_NOT_YET: Final = ("data_interval_start", "data_interval_end", "run_after")
LOG_BYTES: Final = 2 << 20


def register(api: Blueprint) -> None:
    """Add the paths."""
    tasks = "/dags/<dag_id>/dagRuns/<run_id>/taskInstances"
    api.get("/dags/<dag_id>/dagRuns", endpoint="runs")(runs)
    api.post("/dags/<dag_id>/dagRuns", endpoint="create_run")(create_run)
    api.get("/dags/<dag_id>/dagRuns/<run_id>", endpoint="run")(run)
    api.get(tasks, endpoint="task_instances")(task_instances)
    api.get(f"{tasks}/<task_id>", endpoint="task_instance")(task_instance)
    api.get(f"{tasks}/<task_id>/<int(signed=True):map_index>", endpoint="mapped")(task_instance)
    api.get(f"{tasks}/<task_id>/logs/<int:try_number>", endpoint="logs")(logs)


@takes(*PAGING, "state", "run_type", "order_by", *BOUNDS)
def runs(dag_id: str) -> Response:
    """List runs, the newest first unless ``order_by`` says otherwise. ``~`` stands for every DAG."""
    part = page()
    bounds: dict[tuple[str, str], datetime] = {}
    for name, bound in BOUNDS.items():
        at = instant(name)
        if at is not None:
            bounds[bound] = at
    wanted = RunSearch(
        None if dag_id == "~" else dag_id,
        words("state", RunState),
        words("run_type", RunType),
        bounds,
        one_of("order_by", RUN_ORDERS, "-run_after"),
    )
    with web().db.read() as tx:
        if wanted.dag_id is not None:
            get_dag(tx, wanted.dag_id)
        found = search_runs(tx, wanted, offset=part.offset, limit=part.limit)
        total = count_runs(tx, wanted)
        versions = find_versions(tx, {line.version_id for line in found})
    shapes = [run_shape(line, versions.get(line.version_id)) for line in found]
    return jsonify(dag_runs=shapes, total_entries=total, total_entries_limit=COUNT_CAP if total >= COUNT_CAP else None)


@needs("user")
def create_run(dag_id: str) -> Response:
    """Create a run; without ``logical_date`` it is now, with null there is none."""
    sent = body(NEW_RUN, NEW_RUN_NOT_YET)
    date = sent.get("logical_date")
    wanted = TriggerRequest(
        dag_id,
        sent.get("conf") or {},
        run_id=sent.get("dag_run_id"),
        logical_date=None if date is None else parse_instant("logical_date", date),
        has_logical_date="logical_date" in sent,
        note=sent.get("note"),
        partition_key=sent.get("partition_key"),
    )
    return run(dag_id, trigger(wanted, via="rest_api"))


def run(dag_id: str, run_id: str) -> Response:
    with web().db.read() as tx:
        found = get_run(tx, dag_id, run_id)
        versions = find_versions(tx, [found.version_id])
    return jsonify(run_shape(found, versions.get(found.version_id)))


@takes(*PAGING, "state")
def task_instances(dag_id: str, run_id: str) -> Response:
    """List the task instances of a run by id."""
    part = page()
    states = words("state", TaskState, {"no_status": TaskState.NONE})
    with web().db.read() as tx:
        found = get_run(tx, dag_id, run_id)
        lines, total = search_tasks(tx, found.pk, states, offset=part.offset, limit=part.limit)
        shapes = task_shapes(tx, found, lines)
    return jsonify(task_instances=shapes, total_entries=total)


def task_instance(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Response:
    with web().db.read() as tx:
        found = get_run(tx, dag_id, run_id)
        line = find_task_line(tx, found.pk, task_id, map_index)
        if line is None:
            known = [task.task_id for task in web().specs.get(tx, found.version_id).tasks]
            raise NotFound("Task instance", task_id, known)
        return jsonify(task_shapes(tx, found, [line])[0])


@takes("map_index", "token")
def logs(dag_id: str, run_id: str, task_id: str, try_number: int) -> Response:
    """Return the log of one try: the whole lines from ``token`` (a byte) on, at most 2 MB, and where to go on."""
    map_index = number("map_index", -1, least=-1)
    found = web().log_files.find(log_name(dag_id, run_id, task_id, try_number, map_index))
    window = web().logs.since(found.path, number("token", 0), limit=LOG_BYTES)
    if window is None and found.trouble:
        abort(503, description=found.trouble)
    if window is None:
        abort(404, description=f"There is no log of try {try_number} of task {task_id!r}.")
    is_end = window.next_offset >= window.file_size
    return jsonify(content=list(window.lines), continuation_token=None if is_end else str(window.next_offset))


def task_shapes(tx: Connection, run: RunPage, lines: list[TaskLine]) -> list[dict[str, Any]]:
    """Return task instances of a run as ``TaskInstanceResponse``."""
    version = find_versions(tx, [run.version_id]).get(run.version_id)
    specs = {task.task_id: task for task in web().specs.get(tx, run.version_id).tasks}
    attempts = newest_attempts(tx, run.pk, {line.task_id for line in lines})
    deferred = [(line.task_id, line.map_index) for line in lines if line.state is TaskState.DEFERRED]
    waits = waits_of(tx, run.pk, deferred)
    return [
        task_shape(
            run,
            line,
            version,
            specs.get(line.task_id) or TaskSpec(line.task_id),
            attempts.get((line.task_id, line.map_index)),
            waits.get((line.task_id, line.map_index)),
        )
        for line in lines
    ]
