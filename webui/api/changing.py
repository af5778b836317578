"""Which paths of the REST API say how a run, or a task instance, is to be taken? PATCH, as in Airflow; and DELETE."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, abort, jsonify, request

from tradewind.errors import Conflict, NotFound, did_you_mean
from tradewind.metadata import audit, run_choice
from tradewind.metadata.retention_runs import put_run_out_of_sight
from tradewind.metadata.run_choice import RunChoice
from tradewind.metadata.views.run_search import find_task_lines
from tradewind.metadata.views.runs import RunPage
from tradewind.metadata.views.summaries import count_indexes, list_indexes
from tradewind.model.states import FINAL_RUN_STATES, RunState, TaskState
from tradewind.run.task_choice import TaskChoice
from webui.actions import actor
from webui.api.affected import TOO_MANY, affected
from webui.api.clearing import note_of
from webui.api.query import body, number, refuse, takes, text
from webui.api.run_routes import run as get_run_shape
from webui.api.run_routes import task_shapes
from webui.auth.guard import needs
from webui.operating import foresee, name_of, send
from webui.pages.shared import get_run
from webui.web import web

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scheduler.operating import requests

RUN: Final = {"state": str, "note": str}
RUN_STATES: Final = ("queued", "success", "failed")
TASK: Final = {
    "new_state": str, "note": str, "include_upstream": bool, "include_downstream": bool, "include_future": bool,
    "include_past": bool,
}  # fmt: skip
TASK_STATES: Final = ("success", "failed", "skipped")


def register(api: Blueprint) -> None:
    """Add the paths."""
    run = "/dags/<dag_id>/dagRuns/<run_id>"
    task = f"{run}/taskInstances/<task_id>"
    one = f"{task}/<int(signed=True):map_index>"
    api.patch(run, endpoint="patch_run")(patch_run)
    api.delete(run, endpoint="delete_run")(delete_run)
    api.patch(task, endpoint="patch_task")(patch_task)
    api.patch(one, endpoint="patch_mapped")(patch_task)
    api.patch(f"{task}/dry_run", endpoint="patch_task_dry_run")(patch_task_dry_run)
    api.patch(f"{one}/dry_run", endpoint="patch_mapped_dry_run")(patch_task_dry_run)


@takes("update_mask")
@needs("user")
def patch_run(dag_id: str, run_id: str) -> Response:
    """Take a run as success or failed, have its end looked at anew (queued), or give it a note."""
    sent = _masked(body(RUN), RUN)
    state = sent.get("state")
    if state is not None and state not in RUN_STATES:
        refuse(f"'state' is {state!r}.{did_you_mean(state, RUN_STATES)} It can be: {', '.join(RUN_STATES)}.")
    note = note_of(sent)
    with web().db.read() as tx:
        found = get_run(tx, dag_id, run_id)
    if "note" in sent:
        _note(found, None, note)
    if state is not None:
        from scheduler.operating import requests

        runs = RunChoice(dag_ids=[dag_id], run_ids=[run_id])
        send(requests.MarkRuns(runs=runs, state=RunState(state)), via="rest_api")
    return get_run_shape(dag_id, run_id)


@needs("user")
def delete_run(dag_id: str, run_id: str) -> tuple[str, int]:
    """Take a run that has ended out of sight; retention removes what hangs on it, and its logs."""
    with web().db.write() as tx:
        found = get_run(tx, dag_id, run_id)
        if found.state not in FINAL_RUN_STATES:
            raise Conflict(f"Run {run_id!r} is {found.state.value}, and only a run that has ended can be deleted.")
        if not put_run_out_of_sight(tx, found.pk):
            raise Conflict(
                f"Run {run_id!r} cannot be deleted now: it or a task of it is held, something is still asked of it, a "
                "process or a backfill of it is under way, or it is the last that the schedule made."
            )
        at = datetime.now(UTC)
        audit.note(tx, at, actor=actor(), via="rest_api", action="run.delete", dag_id=dag_id, run_id=run_id)
    return "", 204


@takes("update_mask", "map_index")
@needs("user")
def patch_task(dag_id: str, run_id: str, task_id: str, map_index: int | None = None) -> Response:
    """Take task instances as success, failed or skipped, or give them a note. Without an index: all that it has."""
    sent = _masked(_task_body(), TASK)
    run, keys = _instances(dag_id, run_id, task_id, map_index)
    if "note" in sent:
        _note(run, keys, note_of(sent))
    state = sent.get("new_state")
    if state is not None:
        wish = _mark(run, task_id, _index(map_index), state, sent)
        done = send(wish, via="rest_api", limit=TOO_MANY).preview
        if not done.tasks and "note" not in sent:
            abort(409, description=f"Task {task_id!r} is in state {state!r} already.")
        shapes = affected(done)
        return jsonify(task_instances=shapes, total_entries=done.tasks)
    with web().db.read() as tx:
        shapes = task_shapes(tx, run, find_task_lines(tx, run.pk, keys))
    return jsonify(task_instances=shapes, total_entries=len(shapes))


@takes("update_mask", "map_index")
@needs("user")
def patch_task_dry_run(dag_id: str, run_id: str, task_id: str, map_index: int | None = None) -> Response:
    """Tell which task instances would change."""
    sent = _task_body()
    if sent.get("new_state") is None:
        refuse(f"'new_state' is missing. It can be: {', '.join(TASK_STATES)}.")
    run, _ = _instances(dag_id, run_id, task_id, map_index)
    found = foresee(_mark(run, task_id, _index(map_index), sent["new_state"], sent))
    return jsonify(task_instances=affected(found), total_entries=found.tasks)


def _task_body() -> dict[str, Any]:
    sent = body(TASK)
    state = sent.get("new_state")
    if "new_state" in sent and state is None:
        refuse(f"'new_state' is null. It can be: {', '.join(TASK_STATES)}.")
    if state is not None:
        sent["new_state"] = state = state.lower()
        if state not in TASK_STATES:
            refuse(f"'new_state' is {state!r}.{did_you_mean(state, TASK_STATES)} It can be: {', '.join(TASK_STATES)}.")
    if state is None and "note" not in sent:
        refuse("Say what is to change: 'new_state', 'note' or both.")
    return sent


def _masked(sent: dict[str, Any], known: Mapping[str, type]) -> dict[str, Any]:
    """Return what of a body is meant: with ``update_mask`` only the fields that it names (and how far they reach)."""
    mask = request.args.getlist("update_mask")
    for name in mask:
        if name not in known:
            refuse(f"'update_mask' names {name!r}.{did_you_mean(name, known)} There are: {', '.join(known)}.")
    return {name: value for name, value in sent.items() if not mask or name in mask or name.startswith("include_")}


def _index(map_index: int | None) -> int | None:
    """Return the map index of the path, or of the query; None: none is named."""
    return map_index if map_index is not None or text("map_index") is None else number("map_index", -1, least=-1)


def _instances(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> tuple[RunPage, list[tuple[str, int]]]:
    """Return the run and the instances meant: one, or all of a mapped task.

    Raises:
        NotFound: there is no such run, task or index.
    """
    index = _index(map_index)
    with web().db.read() as tx:
        run = get_run(tx, dag_id, run_id)
        keys = [(task_id, i) for i in _indexes(tx, run, task_id) if index is None or i == index]
        if not keys:
            known = [task.task_id for task in web().specs.get(tx, run.version_id).tasks]
            mend = "" if task_id not in known else f"It has no map index {index}." if index is not None else ""
            raise NotFound("Task instance", task_id, known if task_id not in known else (), mend)
    return run, keys


def _indexes(tx: Connection, run: RunPage, task_id: str) -> list[int]:
    if not count_indexes(tx, run.pk, task_id):
        return []
    return [line.task.map_index for line in list_indexes(tx, run.pk, task_id, limit=TOO_MANY)]


def _mark(run: RunPage, task_id: str, index: int | None, state: str, sent: Mapping[str, Any]) -> requests.Mark:
    from scheduler.operating import requests

    past, future = bool(sent.get("include_past")), bool(sent.get("include_future"))
    name = name_of(task_id, [index] if index is not None and index >= 0 else ())
    return requests.Mark(
        runs=RunChoice(dag_ids=[run.dag_id], run_ids=[run.run_id], past=past, future=future),
        tasks=TaskChoice(
            names=[name],
            map_indexes=[-1] if index == -1 else (),
            upstream=bool(sent.get("include_upstream")),
            downstream=bool(sent.get("include_downstream")),
        ),
        state=TaskState(state),
    )


def _note(run: RunPage, keys: list[tuple[str, int]] | None, note: str | None) -> None:
    """Put a note on a run, or on some of its task instances; None takes it away."""
    at = datetime.now(UTC)
    with web().db.write() as tx:
        if keys is None:
            run_choice.set_run_notes(tx, [run.pk], note)
        else:
            run_choice.set_task_notes(tx, [(run.pk, key) for key in keys], note)
        audit.note(
            tx,
            at,
            actor=actor(),
            via="rest_api",
            action="run.note" if keys is None else "task.note",
            dag_id=run.dag_id,
            run_id=run.run_id,
            task_id=None if keys is None else keys[0][0],
            detail={"note": note},
        )
