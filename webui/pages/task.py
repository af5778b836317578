"""The page of one task in one run: its log, its tries, what it was given and what it left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, abort, jsonify, render_template, request, send_file
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from tradewind.errors import NotFound
from tradewind.metadata.views.runs import RunPage, TaskLine, list_events
from tradewind.metadata.views.summaries import count_indexes, list_indexes
from tradewind.metadata.views.tasks import AttemptLine, find_task_line, list_attempts, list_xcoms
from tradewind.model.spec import DagSpec
from tradewind.model.states import FINAL_TASK_STATES, TaskState
from webui.actions import why
from webui.logs.files import log_name
from webui.logs.markup import LogMarkup
from webui.logs.window import LogWindow, mark_of
from webui.pages.shared import DagHead, dag_head, get_run
from webui.web import now, wants_part, web, zone

pages: Final = Blueprint("task", __name__)
INDEXES: Final = 100
"""So many indexes of a mapped task stand on one page."""
LAST_WORDS: Final = timedelta(minutes=1)
"""How long after its end a task may have said something that the log store does not have yet."""
VIEWS: Final = (("log", "Log"), ("tries", "Tries"), ("rendered", "Rendered"), ("xcom", "XCom"), ("events", "Events"))


@dataclass(frozen=True, slots=True)
class TaskPage:
    """What every part of the page needs."""

    head: DagHead
    run: RunPage
    spec: DagSpec
    task: TaskLine
    attempts: list[AttemptLine]
    try_number: int  # the one that is shown
    log_name: Path

    @property
    def has_log_store(self) -> bool:
        """Whether logs of other machines are shown too."""
        return web().log_files.has_store

    @property
    def log_may_grow(self) -> bool:
        """Whether more may come: the task runs, or has just ended and its last words are on their way."""
        if self.try_number < self.task.try_number:
            return False
        if self.task.state not in FINAL_TASK_STATES:
            return True
        ended_at = self.task.ended_at
        return self.has_log_store and ended_at is not None and now() - ended_at < LAST_WORDS


def _load(dag_id: str, run_id: str, task_id: str, map_index: int) -> TaskPage:
    with web().db.read() as tx:
        head = dag_head(tx, dag_id)
        run = get_run(tx, dag_id, run_id)
        spec = web().specs.get(tx, run.version_id)
        task = find_task_line(tx, run.pk, task_id, map_index)
        if task is None:
            raise _not_found(spec, run_id, task_id)
        attempts = list_attempts(tx, run.pk, task_id, map_index)
    wanted = request.args.get("try", "")
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 6 else max(task.try_number, 1)
    return TaskPage(head, run, spec, task, attempts, number, log_name(dag_id, run_id, task_id, number, map_index))


@pages.get("/dags/<dag_id>/runs/<run_id>/tasks/<path:task_id>/mapped/<int(signed=True):map_index>", endpoint="mapped")
@pages.get("/dags/<dag_id>/runs/<run_id>/tasks/<path:task_id>", endpoint="task")
def task(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> ResponseReturnValue:
    part = wants_part()
    if map_index < 0:
        indexes = _load_indexes(dag_id, run_id, task_id)
        if indexes is not None:
            return render_template("indexes_panel.html" if part == "panel" else "indexes.html", **indexes)
    page = _load(dag_id, run_id, task_id, map_index)
    if part == "log":
        return _more_log(page)
    if part == "raw":
        return _raw(page)
    view = request.args.get("view", "log")
    values: dict[str, Any] = {
        "page": page, "head": page.head, "run": page.run, "task": page.task, "view": view,
        "views": VIEWS, "tab": "runs",
        "task_spec": next((spec for spec in page.spec.tasks if spec.task_id == task_id), None),
        "shown": next((a for a in reversed(page.attempts) if a.try_number == page.try_number), None),
        "why": _why(page),
        "log": log_view(page) if view == "log" or part == "panel" else None,
    }  # fmt: skip
    with web().db.read() as tx:
        values["xcoms"] = list_xcoms(tx, page.run.pk, task_id, map_index) if view == "xcom" else []
        values["events"] = list_events(tx, page.run.pk, task_id=task_id) if view == "events" else []
    return render_template("task_panel.html" if part == "panel" else "task.html", **values)


def _not_found(spec: DagSpec, run_id: str, task_id: str) -> NotFound:
    known = [known.task_id for known in spec.tasks]
    return NotFound("Task", task_id, known, f"Run {run_id!r} has no such task instance.")


def _load_indexes(dag_id: str, run_id: str, task_id: str) -> dict[str, Any] | None:
    """Return what the page of an expanded task shows: a part of its indexes. None for one that is not expanded."""
    wanted = [state for state in TaskState if state.value in request.args.getlist("state")]
    after = request.args.get("after", "")
    with web().db.read() as tx:
        head = dag_head(tx, dag_id)
        run = get_run(tx, dag_id, run_id)
        spec = web().specs.get(tx, run.version_id)
        if find_task_line(tx, run.pk, task_id, -1) is not None:
            return None
        counts = count_indexes(tx, run.pk, task_id)
        if not counts:
            raise _not_found(spec, run_id, task_id)
        behind = int(after) if _is_line(after) else -2
        lines = list_indexes(tx, run.pk, task_id, states=wanted, after=behind, limit=INDEXES + 1)
    return {
        "head": head, "run": run, "task_id": task_id, "counts": {s.value: n for s, n in counts.items()}, "tab": "runs",
        "task_spec": next((spec for spec in spec.tasks if spec.task_id == task_id), None),
        "lines": lines[:INDEXES], "wanted": [state.value for state in wanted], "is_first": not after,
        "held_by": any(line.task.held for line in lines), "is_done": all(s in FINAL_TASK_STATES for s in counts),
        "more": lines[INDEXES - 1].task.map_index if len(lines) > INDEXES else None,
    }  # fmt: skip


def _why(page: TaskPage) -> str:
    """Return why the task does not run, or how it died; nothing for one that runs or succeeded."""
    if page.task.state in (TaskState.SUCCESS, TaskState.RUNNING):
        return ""
    key = (page.task.task_id, page.task.map_index)
    return why(page.run.dag_id, page.run.run_id, *key).tasks.get(key, "")


@dataclass(frozen=True, slots=True)
class LogView:
    """A part of a log as HTML, with where it lies in the file. ``trouble``: why it may not be all there is."""

    html: Markup
    window: LogWindow
    first_error: int | None
    errors: int
    warnings: int
    hits: list[tuple[int, str]]
    query: str
    mark: str
    trouble: str


def log_view(page: TaskPage) -> LogView | str:
    """Return the part of the log that the address asks for, the end when it asks for none.

    Without a log: why there may be one all the same, or nothing.
    """
    line = request.args.get("line", "")
    found = web().log_files.find(page.log_name)
    reader, query = web().logs, request.args.get("q", "").strip()
    window = reader.around(found.path, int(line)) if _is_line(line) else reader.tail(found.path)
    if window is None:
        return found.trouble
    markup = LogMarkup(zone())
    html = Markup(markup.html(window.lines, window.first_line))
    hits = [(hit.line, hit.text) for hit in reader.search(found.path, query)] if query else []
    mark = mark_of(found.path, window.next_offset)
    return LogView(html, window, markup.first_error, markup.errors, markup.warnings, hits, query, mark, found.trouble)


def _log_path(page: TaskPage) -> Path:
    return web().log_files.find(page.log_name).path


def _is_line(text: str) -> bool:
    return text.isdecimal() and len(text) < 12


def _more_log(page: TaskPage) -> Response:
    """Return further lines as JSON: those after a byte, or those before a line.

    With ``anew``: what the page shows is not the beginning of the log any more, since lines came in between.
    """
    since, before, path = request.args.get("since", ""), request.args.get("before", ""), _log_path(page)
    if _is_line(before):
        window = web().logs.before(path, int(before))
    else:
        start, mark = int(since) if _is_line(since) else 0, request.args.get("mark", "")
        window = web().logs.since(path, start)
        if window is not None and mark and start <= window.file_size and mark_of(path, start) != mark:
            return jsonify(html="", anew=True)
    if window is None:
        return jsonify(html="", first=1, last=0, next=0, size=0, total=0)
    return jsonify(
        html=LogMarkup(zone()).html(window.lines, window.first_line),
        first=window.first_line,
        last=window.last_line,
        next=window.next_offset,
        size=window.file_size,
        total=window.total_lines,
        mark=mark_of(path, window.next_offset),
    )


def _raw(page: TaskPage) -> Response:
    """Send the file as it is, as text that no browser interprets."""
    found = web().log_files.find(page.log_name)
    path = found.path
    if not path.is_file() and found.trouble:
        abort(503, description=found.trouble)
    if not path.is_file():
        abort(404, description="There is no log of this try.")
    name = f"{page.run.dag_id}-{page.task.task_id}-{page.try_number}.log"
    as_file = request.args.get("download") == "1"
    response = send_file(path, mimetype="text/plain", as_attachment=as_file, download_name=name, etag=False)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
