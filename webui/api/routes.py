"""Which paths does the REST API have? The ones that scripts use most; more come with the features behind them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, abort, jsonify, request

from executors.runner.log_paths import attempt_log_path
from tradewind import __version__
from tradewind.errors import NotFound, UsageError
from tradewind.metadata.dags import count_dags, count_import_errors, get_dag, list_dags, list_import_errors, load_source
from tradewind.metadata.views.runs import list_run_lines, list_task_lines
from tradewind.metadata.views.tasks import find_task_line, list_attempts
from tradewind.model.states import RunState
from webui.actions import TriggerRequest, pause_dag, trigger
from webui.api.shapes import dag_shape, import_error_shape, run_line_shape, run_shape, task_shape
from webui.auth.guard import needs
from webui.pages.health import health_report
from webui.pages.shared import get_run
from webui.web import web

api: Final = Blueprint("api", __name__, url_prefix="/api/v2")
MAX_LIMIT: Final = 100


def _limit() -> int:
    """Return how many things to give: 50 unless asked, never more than 100; an empty value counts as not asked."""
    text = request.args.get("limit", "")
    return min(int(text), MAX_LIMIT) if text.isdecimal() and len(text) < 9 else 50


@api.get("/version", endpoint="version")
def version() -> Response:
    return jsonify(version=__version__, git_version=None)


@api.get("/monitor/health", endpoint="monitor_health")
def monitor_health() -> Response:
    return jsonify(health_report())


@api.get("/dags")
def dags() -> Response:
    """List DAGs by id. ``offset`` counts over them; ``dag_id_pattern`` is a part of the id."""
    pattern = request.args.get("dag_id_pattern", "").strip("%~") or None
    paused = {"true": True, "false": False}.get(request.args.get("paused", "").lower())
    given: dict[str, Any] = {"pattern": pattern, "tags": request.args.getlist("tags"), "is_paused": paused}
    offset = request.args.get("offset", "0")
    skip = int(offset) if offset.isdecimal() and len(offset) < 9 else 0
    with web().db.read() as tx:
        found = list_dags(tx, **given, limit=skip + _limit())[skip:]
        total = count_dags(tx, **given)
    return jsonify(dags=[dag_shape(dag) for dag in found], total_entries=total)


@api.get("/dags/<dag_id>")
@api.get("/dags/<dag_id>/details", endpoint="dag_details")
def dag(dag_id: str) -> Response:
    with web().db.read() as tx:
        found = get_dag(tx, dag_id)
    more = {"catchup": False, "concurrency": 16, "render_template_as_native_obj": False}
    return jsonify({**dag_shape(found), **(more if request.path.endswith("/details") else {})})


@api.patch("/dags/<dag_id>")
@needs("user")
def patch_dag(dag_id: str) -> Response:
    body = _body()
    if not isinstance(body.get("is_paused"), bool):
        raise UsageError("A DAG has one thing that can be changed here: send {'is_paused': true} or false.")
    pause_dag(dag_id, body["is_paused"], via="rest_api")
    return dag(dag_id)


@api.get("/dagSources/<dag_id>")
def dag_source(dag_id: str) -> Response:
    with web().db.read() as tx:
        found = get_dag(tx, dag_id)
        source = load_source(tx, found.version_id).decode("utf-8", "replace") if found.version_id is not None else None
    return jsonify(content=source, dag_id=dag_id, version_number=None, dag_display_name=found.display_name or dag_id)


@api.get("/dags/<dag_id>/dagRuns")
def runs(dag_id: str) -> Response:
    """List runs, the newest first. ``~`` stands for every DAG."""
    states = [RunState(name) for name in request.args.getlist("state") if name in set(RunState)]
    with web().db.read() as tx:
        if dag_id != "~":
            get_dag(tx, dag_id)
        found = list_run_lines(tx, dag_id=None if dag_id == "~" else dag_id, states=states, limit=_limit())
    return jsonify(dag_runs=[run_line_shape(run) for run in found], total_entries=len(found))


@api.post("/dags/<dag_id>/dagRuns")
@needs("user")
def create_run(dag_id: str) -> Response:
    body = _body()
    date = body.get("logical_date")
    wanted = TriggerRequest(
        dag_id,
        body.get("conf") or {},
        run_id=body.get("dag_run_id"),
        logical_date=_instant(date) if date else None,
        has_logical_date="logical_date" in body,
        note=body.get("note"),
    )
    if not isinstance(wanted.conf, dict):
        raise UsageError("'conf' must be a JSON object.")
    return run(dag_id, trigger(wanted, via="rest_api"))


@api.get("/dags/<dag_id>/dagRuns/<run_id>")
def run(dag_id: str, run_id: str) -> Response:
    with web().db.read() as tx:
        return jsonify(run_shape(get_run(tx, dag_id, run_id)))


@api.get("/dags/<dag_id>/dagRuns/<run_id>/taskInstances")
def task_instances(dag_id: str, run_id: str) -> Response:
    with web().db.read() as tx:
        found = get_run(tx, dag_id, run_id)
        tasks = list_task_lines(tx, found.pk)
    states = set(request.args.getlist("state"))
    wanted = [task for task in tasks if not states or task.state.value in states]
    offset = request.args.get("offset", "0")
    skip = int(offset) if offset.isdecimal() else 0
    page = wanted[skip : skip + _limit()]
    return jsonify(task_instances=[task_shape(found, task) for task in page], total_entries=len(wanted))


@api.get("/dags/<dag_id>/dagRuns/<run_id>/taskInstances/<task_id>")
@api.get("/dags/<dag_id>/dagRuns/<run_id>/taskInstances/<task_id>/<int(signed=True):map_index>", endpoint="mapped")
def task_instance(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Response:
    with web().db.read() as tx:
        found = get_run(tx, dag_id, run_id)
        task = find_task_line(tx, found.pk, task_id, map_index)
        if task is None:
            raise NotFound("Task instance", task_id, [line.task_id for line in list_task_lines(tx, found.pk)])
        attempts = list_attempts(tx, found.pk, task_id, map_index)
    return jsonify(task_shape(found, task, attempts[-1] if attempts else None))


@api.get("/dags/<dag_id>/dagRuns/<run_id>/taskInstances/<task_id>/logs/<int:try_number>")
def logs(dag_id: str, run_id: str, task_id: str, try_number: int) -> Response:
    """Return the log of one try: the whole lines from ``token`` (a byte) on, at most 2 MB, and where to go on."""
    text = request.args.get("map_index", "-1")
    map_index = int(text) if text.removeprefix("-").isdecimal() else -1
    path = attempt_log_path(web().settings.log_folder, dag_id, run_id, task_id, try_number, map_index)
    token = request.args.get("token", "0")
    window = web().logs.since(path, int(token) if token.isdecimal() else 0, limit=2 << 20)
    if window is None:
        abort(404, description=f"There is no log of try {try_number} of task {task_id!r}.")
    is_end = window.next_offset >= window.file_size
    return jsonify(content=list(window.lines), continuation_token=None if is_end else str(window.next_offset))


@api.get("/importErrors")
def import_errors() -> Response:
    with web().db.read() as tx:
        found = list_import_errors(tx, limit=_limit())
        total = count_import_errors(tx)
    shapes = [import_error_shape(number, error) for number, error in enumerate(found, start=1)]
    return jsonify(import_errors=shapes, total_entries=total)


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(422, description="The body must be a JSON object, sent with Content-Type: application/json.")
    return body


def _instant(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise UsageError(f"{text!r} is no ISO 8601 instant. Write it like 2013-01-31T02:00:00Z.") from None
    if at.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone. Add Z or an offset.")
    return at
