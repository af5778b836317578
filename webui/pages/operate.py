"""The pages on which somebody clears, marks, holds, releases or stops a run or some of its tasks.

The options are a form of their own; beside it stands what they mean, with the button that does exactly this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from tradewind.errors import Conflict, NotFound, TradewindError, UsageError
from tradewind.metadata.dags import list_versions
from tradewind.metadata.views.runs import RunPage, neighbours
from tradewind.metadata.views.summaries import count_indexes
from tradewind.model.spec import DagSpec
from webui.auth.guard import needs
from webui.operating import ACTIONS, Asked, Outlook, carry_out, outlook
from webui.pages.grid import sorted_by_flow
from webui.pages.shared import get_run
from webui.web import web

if TYPE_CHECKING:
    from sqlalchemy import Connection

pages: Final = Blueprint("operate", __name__)
MARKS: Final = ("success", "failed", "skipped")
WHOLE_MARKS: Final = ("success", "failed")
MARK_ICONS: Final = {"success": "check", "failed": "close", "skipped": "skip"}
_PATH: Final = f"/dags/<dag_id>/runs/<run_id>/<any({', '.join(ACTIONS)}):action>"


@dataclass(frozen=True, slots=True)
class Words:
    """What a page of an action says."""

    verb: str
    done: str
    explanation: str
    icon: str
    nothing: str


WORDS: Final = {
    "clear": Words(
        "Clear", "Cleared", "Cleared tasks are done again, each as a further try. Logs and history of earlier tries "
        "stay. What is running is stopped first; setups and teardowns come along with the tasks in their scope.",
        "again", "None of the tasks chosen is in such a state.",
    ),
    "mark": Words(
        "Mark", "Marked", "What is marked is taken as it is said and does not run; what is running is stopped. Tasks "
        "below that failed for their sake are done again.", "check", "They are all so already.",
    ),
    "hold": Words(
        "Hold", "Held", "Nothing that is held starts until it is released. What is running goes on to its end.",
        "hold", "There is nothing that could be held: all of it is over, or held already.",
    ),
    "release": Words("Release", "Released", "What was held may start again.", "hold", "Nothing of it is held."),
    "stop": Words(
        "Stop", "Stopped", "Processes get a signal and time to end well; then their whole process group is killed. "
        "Nothing else of it starts, and nothing is tried again.", "stop", "Nothing of it is waiting or running.",
    ),
}  # fmt: skip


def read_asked(action: str, dag_id: str, run_id: str, args: MultiDict[str, str]) -> Asked:
    """Return what the address, or the form, asks for. What makes no sense in it is left out."""
    tasks = tuple(dict.fromkeys(filter(None, args.getlist("task"))))
    indexes = tuple(int(text) for text in args.getlist("index") if text.isascii() and text.isdigit() and len(text) < 9)
    state = args.get("state", "success")
    allowed = MARKS if tasks else WHOLE_MARKS
    return Asked(
        action,
        dag_id,
        run_id,
        tasks=tasks,
        indexes=indexes if len(tasks) == 1 else (),
        state=state if state in allowed else "success",
        only=args.get("only", "") if args.get("only") in ("failed", "running") and action == "clear" else "",
        upstream=bool(args.get("upstream")),
        downstream=bool(args.get("downstream")),
        past=bool(args.get("past")),
        future=bool(args.get("future")),
        newest=bool(args.get("newest")) and action == "clear",
        note=args.get("note", "").strip()[:1000],
    )


def asked_fields(asked: Asked) -> list[tuple[str, str]]:
    """Return the fields of a form that say a asked again, as :func:`read_asked` reads them."""
    fields = [*(("task", task) for task in asked.tasks), *(("index", str(index)) for index in asked.indexes)]
    if asked.action == "mark":
        fields.append(("state", asked.state))
    fields += [(name, str(getattr(asked, name))) for name in ("only", "note") if getattr(asked, name)]
    names = ("upstream", "downstream", "past", "future", "newest")
    return fields + [(name, "1") for name in names if getattr(asked, name)]


@pages.get(_PATH, endpoint="operate")
@needs("user")
def form(dag_id: str, run_id: str, action: str) -> str:
    return _page(read_asked(action, dag_id, run_id, request.args))


@pages.post(_PATH)
@needs("user")
def submit(dag_id: str, run_id: str, action: str) -> ResponseReturnValue:
    asked = read_asked(action, dag_id, run_id, request.form)
    with web().db.read() as tx:
        get_run(tx, dag_id, run_id)
    try:
        done = carry_out(asked, via="ui").words
    except (UsageError, Conflict) as error:
        return _page(asked, str(error)), 409 if isinstance(error, Conflict) else 400
    flash(f"{WORDS[action].done}: {done}.")
    return redirect(_back(asked))


def _page(asked: Asked, error: str = "") -> str:
    with web().db.read() as tx:
        run = get_run(tx, asked.dag_id, asked.run_id)
        spec = web().specs.get(tx, run.version_id)
        versions = list_versions(tx, asked.dag_id)
        has_others = any(neighbours(tx, run))
        _check_tasks(tx, asked, run, spec)
    try:
        found = outlook(asked)
    except NotFound:
        raise
    except TradewindError as refused:
        found, error = Outlook(), error or str(refused)
    return render_template(
        "operate.html",
        action=asked.action,
        asked=asked,
        run=run,
        outlook=found,
        error=error,
        states=MARKS if asked.tasks else WHOLE_MARKS,
        indexes=asked.indexes,
        tasks=[task.task_id for task in sorted_by_flow(spec)],
        whole_run=asked.action in ("mark", "hold", "release", "stop"),
        has_others=has_others,
        newest_version=versions[0].number if versions else None,
        here=url_for("operate.operate", dag_id=asked.dag_id, run_id=asked.run_id, action=asked.action),
        back=_back(asked),
        subject=_subject(asked),
        asked_fields=asked_fields(asked),
        **_say(asked, found),
    )


def _check_tasks(tx: Connection, asked: Asked, run: RunPage, spec: DagSpec) -> None:
    known = {task.task_id for task in spec.tasks}
    for task_id in asked.tasks:
        if task_id not in known and not count_indexes(tx, run.pk, task_id):
            raise NotFound("Task", task_id, sorted(known), f"Run {asked.run_id!r} has no such task instance.")


def _say(asked: Asked, found: Outlook) -> dict[str, Any]:
    words = WORDS[asked.action]
    what = _subject(asked)
    suffix = f" as {asked.state}" if asked.action == "mark" else ""
    return {
        "title": f"{words.verb} {what}{suffix}",
        "explanation": words.explanation,
        "button": f"{words.verb} {found.words_of(asked.state) if suffix else found.words}{suffix}",
        "button_icon": MARK_ICONS[asked.state] if asked.action == "mark" else words.icon,
        "is_grave": asked.action == "stop" or (asked.action == "mark" and asked.state == "failed"),
        "nothing": words.nothing,
    }


def _subject(asked: Asked) -> str:
    if len(asked.tasks) == 1:
        return asked.tasks[0] + (f" [{', '.join(map(str, asked.indexes))}]" if asked.indexes else "")
    return f"{len(asked.tasks)} tasks" if asked.tasks else "the run"


def _back(asked: Asked) -> str:
    place: dict[str, Any] = {"dag_id": asked.dag_id, "run_id": asked.run_id}
    if len(asked.tasks) == 1 and len(asked.indexes) == 1:
        return url_for("task.mapped", **place, task_id=asked.tasks[0], map_index=asked.indexes[0])
    if len(asked.tasks) == 1:
        return url_for("task.task", **place, task_id=asked.tasks[0])
    return url_for("run.run", **place)
