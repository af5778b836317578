"""Which paths of the REST API has Airflow not? Under ``/tradewind``: hold, release, cancel, replay, and why.

And one that it has: what keeps a task instance from starting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, jsonify

from tradewind.errors import NotFound
from tradewind.metadata.run_choice import RunChoice
from tradewind.metadata.views.tasks import find_task_line
from tradewind.model.states import TaskState
from tradewind.run.task_choice import TaskChoice
from webui.api.affected import TOO_MANY, affected
from webui.api.clearing import note_of
from webui.api.query import body, number, refuse, takes, text
from webui.api.run_routes import run as get_run_shape
from webui.auth.guard import needs
from webui.operating import foresee, plan_replay, replay_run, send
from webui.pages.limits import read_limits
from webui.pages.shared import get_run
from webui.web import web

if TYPE_CHECKING:
    from scheduler.operating import requests

ACTIONS: Final = ("hold", "release", "cancel")
BODY: Final = {
    "dry_run": bool, "task_ids": list, "include_upstream": bool, "include_downstream": bool, "include_past": bool,
    "include_future": bool, "reason": str,
}  # fmt: skip
REPLAY: Final = {"dry_run": bool, "from_tasks": list, "run_on_latest_version": bool, "dag_run_id": str, "note": str}
MAX_REASON: Final = 1000
_READY: Final = (TaskState.NONE, TaskState.SCHEDULED)


def register(api: Blueprint) -> None:
    """Add the paths."""
    run = "/tradewind/dags/<dag_id>/dagRuns/<run_id>"
    for action in ACTIONS:
        api.post(f"{run}/{action}", endpoint=f"{action}_run", defaults={"action": action})(operate)
    api.post(f"{run}/replay", endpoint="replay")(replay)
    api.get(f"{run}/why", endpoint="why_run")(why)
    api.get("/tradewind/dags/<dag_id>/why", endpoint="why_dag")(why)
    api.get("/tradewind/limits", endpoint="limits")(limits)
    task = "/dags/<dag_id>/dagRuns/<run_id>/taskInstances/<task_id>"
    api.get(f"{task}/dependencies", endpoint="dependencies")(dependencies)
    api.get(f"{task}/<int(signed=True):map_index>/dependencies", endpoint="mapped_dependencies")(dependencies)


@needs("user")
def operate(dag_id: str, run_id: str, action: str) -> Response:
    """Hold, release or cancel a run, or with ``task_ids`` some of its tasks; ``dry_run`` only tells what would change.

    Names of tasks may be those of groups, or patterns with ``*``, and may end with map indexes: ``load[3]``.
    """
    sent = body(BODY)
    with web().db.read() as tx:
        get_run(tx, dag_id, run_id)
    wish = _wish(dag_id, run_id, action, sent)
    found = foresee(wish) if sent.get("dry_run") else send(wish, via="rest_api", limit=TOO_MANY).preview
    return jsonify(task_instances=affected(found), total_entries=found.tasks, dag_runs=found.runs)


def _wish(dag_id: str, run_id: str, action: str, sent: dict[str, Any]) -> requests.Wish:
    from scheduler.operating import requests

    past, future = bool(sent.get("include_past")), bool(sent.get("include_future"))
    runs = RunChoice(dag_ids=[dag_id], run_ids=[run_id], past=past, future=future)
    names = sent.get("task_ids")
    if names is not None and (not names or not all(isinstance(name, str) and name for name in names)):
        refuse("'task_ids' must be a list of at least one name; leave it out to mean the run.")
    tasks = None
    if names is not None:
        above, below = bool(sent.get("include_upstream")), bool(sent.get("include_downstream"))
        tasks = TaskChoice(names=names, upstream=above, downstream=below)
    elif sent.get("include_upstream") or sent.get("include_downstream"):
        refuse("'include_upstream' and 'include_downstream' go from tasks: name them by 'task_ids'.")
    reason: str = sent.get("reason") or ""
    if action != "hold" and reason:
        refuse("The field 'reason' belongs to hold.")
    if len(reason) > MAX_REASON:
        refuse(f"'reason' has {len(reason)} characters; {MAX_REASON} is the most.")
    if action == "hold":
        return requests.HoldBack(runs=runs, tasks=tasks, why=reason)
    return requests.LetGo(runs=runs, tasks=tasks) if action == "release" else requests.Cancel(runs=runs, tasks=tasks)


@needs("user")
def replay(dag_id: str, run_id: str) -> Response:
    """Do a run that has ended once more, as a new run, which is answered; ``dry_run`` only tells what it would do."""
    from scheduler.operating.replay import Replay

    sent = body(REPLAY)
    names = sent.get("from_tasks") or []
    if not all(isinstance(name, str) and name for name in names):
        refuse("'from_tasks' must be a list of names.")
    wanted = Replay(
        dag_id=dag_id,
        run_id_of=run_id,
        from_tasks=names,
        on_latest=bool(sent.get("run_on_latest_version")),
        run_id=sent.get("dag_run_id") or None,
        note=note_of(sent),
    )
    if not sent.get("dry_run"):
        return get_run_shape(dag_id, replay_run(wanted, via="rest_api"))
    plan = plan_replay(wanted)
    again = [{"task_id": task_id, "map_index": map_index} for task_id, map_index in plan.again]
    return jsonify(dag_run_id=plan.run_id, task_instances=again, total_entries=len(again), taken_over=plan.taken)


@takes("task_id", "map_index")
def why(dag_id: str, run_id: str | None = None) -> Response:
    """Say why a DAG, a run and its tasks are as they are: one sentence for each."""
    from scheduler.why import explain

    task_id = text("task_id")
    if task_id is not None and run_id is None:
        refuse("Name the run of the task in the path.")
    reasons = explain(web().db, dag_id, run_id, task_id, number("map_index", -1, least=-1))
    shapes = [
        {
            "dag_id": one.dag_id,
            "dag_run_id": one.run_id,
            "task_id": one.task_id,
            "map_index": one.map_index,
            "state": one.state,
            "reason": one.text,
        }
        for one in reasons
    ]
    return jsonify(reasons=shapes, total_entries=len(shapes))


def limits() -> Response:
    """List every limit, how far it is used, what waits for it and who uses it."""
    names = ("kind", "name", "limit", "used", "waiting", "used_by")
    shapes = [{name: getattr(one, name) for name in names} for one in read_limits()]
    return jsonify(limits=shapes, total_entries=len(shapes))


def dependencies(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Response:
    """Tell what keeps a task instance that could start from starting."""
    from scheduler.why import explain

    with web().db.read() as tx:
        run = get_run(tx, dag_id, run_id)
        line = find_task_line(tx, run.pk, task_id, map_index)
        if line is None:
            known = [task.task_id for task in web().specs.get(tx, run.version_id).tasks]
            raise NotFound("Task instance", task_id, known)
    if line.state not in _READY:
        return jsonify(dependencies=[])
    reasons = explain(web().db, dag_id, run_id, task_id, map_index)
    return jsonify(dependencies=[{"name": "Why", "reason": one.text} for one in reasons if one.task_id == task_id])
