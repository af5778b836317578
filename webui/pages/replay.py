"""The page on which somebody does a run that has ended once more, as a new run, whole or from some tasks on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from tradewind.errors import Conflict, TradewindError, UsageError
from tradewind.metadata.dags import list_versions
from webui.auth.guard import needs
from webui.operating import plan_replay, replay_run
from webui.pages.grid import sorted_by_flow
from webui.pages.shared import get_run
from webui.web import web

pages: Final = Blueprint("replay", __name__)


@dataclass(frozen=True, slots=True)
class AskedReplay:
    """The form as it was filled in."""

    tasks: tuple[str, ...]
    newest: bool
    run_id: str
    note: str


def read_form(args: MultiDict[str, str]) -> AskedReplay:
    """Return the form that an address, or a post, carries."""
    return AskedReplay(
        tuple(dict.fromkeys(filter(None, args.getlist("task")))),
        bool(args.get("newest")),
        args.get("run_id", "").strip(),
        args.get("note", "").strip()[:1000],
    )


@pages.get("/dags/<dag_id>/runs/<run_id>/replay", endpoint="replay")
@needs("user")
def form(dag_id: str, run_id: str) -> str:
    return _page(dag_id, run_id, read_form(request.args))


@pages.post("/dags/<dag_id>/runs/<run_id>/replay")
@needs("user")
def submit(dag_id: str, run_id: str) -> ResponseReturnValue:
    asked = read_form(request.form)
    with web().db.read() as tx:
        get_run(tx, dag_id, run_id)
    try:
        made = replay_run(_to_replay(dag_id, run_id, asked), via="ui")
    except (UsageError, Conflict) as error:
        return _page(dag_id, run_id, asked, str(error)), 409 if isinstance(error, Conflict) else 400
    flash(f"This run replays {run_id}.")
    return redirect(url_for("run.run", dag_id=dag_id, run_id=made))


def _to_replay(dag_id: str, run_id: str, asked: AskedReplay) -> Any:
    from scheduler.operating.replay import Replay  # when first needed, as in webui.operating

    return Replay(
        dag_id=dag_id,
        run_id_of=run_id,
        from_tasks=asked.tasks,
        on_latest=asked.newest,
        run_id=asked.run_id or None,
        note=asked.note or None,
    )


def _page(dag_id: str, run_id: str, asked: AskedReplay, error: str = "") -> str:
    with web().db.read() as tx:
        run = get_run(tx, dag_id, run_id)
        spec = web().specs.get(tx, run.version_id)
        versions = list_versions(tx, dag_id)
    plan, problem = None, ""
    try:
        plan = plan_replay(_to_replay(dag_id, run_id, asked))
    except TradewindError as refused:
        problem = str(refused)
    again = list(plan.again) if plan else []
    return render_template(
        "replay.html",
        run=run,
        asked=asked,
        error=error,
        problem=problem,
        again=again,
        again_ids=Counter(task_id for task_id, _ in again),
        taken=plan.taken if plan else 0,
        new_id=plan.run_id if plan else "",
        tasks=[task.task_id for task in sorted_by_flow(spec)],
        newest_version=versions[0].number if versions else None,
        here=url_for("replay.replay", dag_id=dag_id, run_id=run_id),
        fields=_fields(asked),
    )


def _fields(asked: AskedReplay) -> list[tuple[str, str]]:
    """Return the fields of a form that say the same again."""
    fields = [("task", task) for task in asked.tasks]
    fields += [("newest", "1")] if asked.newest else []
    return fields + [(name, value) for name in ("run_id", "note") if (value := getattr(asked, name))]
