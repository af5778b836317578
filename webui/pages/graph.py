"""The graph view: the tasks of a DAG and what waits for what, with the states of one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from flask import Blueprint, render_template, request, url_for
from markupsafe import Markup, escape

from tradewind.metadata.views.runs import RunPage, list_run_lines, neighbours, newest_run_page
from tradewind.metadata.views.summaries import WORST_FIRST, TaskSum, sum_tasks
from tradewind.model.spec import DagSpec
from tradewind.model.states import TaskState
from webui.formats import between, duration
from webui.graph.cache import Picture, View
from webui.graph.focus import around
from webui.graph.svg import Slot
from webui.pages.shared import dag_head, get_run
from webui.templating import state_word
from webui.web import now, page_args, web

pages: Final = Blueprint("graph", __name__)


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What the address says about how to draw."""

    opened: frozenset[str] | None
    top_down: bool
    focus: str
    depth: int

    @classmethod
    def from_request(cls) -> GraphOptions:
        """Read the address. ``open=`` lists the open groups; absent, the page decides."""
        args = request.args
        opened = frozenset(filter(None, args["open"].split(","))) if "open" in args else None
        depth = args.get("depth", "")
        return cls(opened, args.get("direction") == "TB", args.get("focus", ""), int(depth) if depth.isdecimal() else 0)


@dataclass(frozen=True, slots=True)
class GraphView:
    """What the template of a graph needs."""

    svg: Markup
    picture: Picture
    options: GraphOptions
    groups: tuple[str, ...]
    counts: Mapping[str, int]


def graph_view(spec: DagSpec, version_id: int, run: RunPage | None, tasks: Sequence[TaskSum]) -> GraphView:
    """Return the drawing of a DAG version with the states of a run in it."""
    options = GraphOptions.from_request()
    only = around(spec, options.focus, options.depth) if options.focus else None
    view = View(version_id, options.opened, options.top_down, only)
    picture = web().graphs.get(view, lambda: spec)
    fill = _Filler(spec, run, tasks, picture)
    counts = count_states(tasks)
    groups = tuple(group.group_id for group in spec.groups)
    return GraphView(Markup(picture.svg.render(fill)), picture, options, groups, counts)


class _Filler:
    """Fills the gaps of a drawing for one run."""

    def __init__(self, spec: DagSpec, run: RunPage | None, tasks: Sequence[TaskSum], picture: Picture) -> None:
        self.operators = {task.task_id: task.operator for task in spec.tasks}
        self.run = run
        self.picture = picture
        self.by_task = {task.task_id: task for task in tasks}
        self.at = now()
        if run is not None:
            self.base = url_for("task.task", dag_id=run.dag_id, run_id=run.run_id, task_id="\0").replace("%00", "\0")

    def __call__(self, slot: Slot) -> str:
        if slot.kind == "state":
            return self._state(slot.box_id)
        if slot.kind == "held":
            return " held" if any(line.held for line in self._lines(slot.box_id)) else ""
        if slot.kind == "note":
            return str(escape(self._note(slot.box_id)))
        if slot.kind == "href":
            return self._href(slot.box_id)
        return str(escape(self._toggle(slot.box_id, opens=slot.kind == "open")))

    def _lines(self, box_id: str) -> list[TaskSum]:
        members = self.picture.svg.members.get(box_id, (box_id,))
        return [self.by_task[task_id] for task_id in members if task_id in self.by_task]

    def _state(self, box_id: str) -> str:
        states = {line.state for line in self._lines(box_id)}
        return next((state.value for state in WORST_FIRST if state in states), "none")

    def _note(self, box_id: str) -> str:
        lines = self._lines(box_id)
        if box_id in self.picture.svg.members:
            done = sum(line.state is TaskState.SUCCESS for line in lines)
            total = len(self.picture.svg.members[box_id])
            return f"{done} of {total} done" if lines else f"{total} tasks"
        if self.run is None or not lines:
            return self.operators.get(box_id, "")
        return task_note(lines[0], between(lines[0].started_at, lines[0].ended_at, self.at))

    def _href(self, task_id: str) -> str:
        if self.run is None:
            return ""
        return str(escape(self.base.replace("\0", quote(task_id, safe=""))))

    def _toggle(self, group_id: str, *, opens: bool) -> str:
        opened = set(self.picture.opened)
        (opened.add if opens else opened.discard)(group_id)
        # An empty list differs from none given: it closes everything.
        args = page_args()
        args["open"] = ",".join(sorted(opened)) or ","
        return url_for(request.endpoint or "", **{**(request.view_args or {}), **args})


def count_states(tasks: Sequence[TaskSum]) -> Mapping[str, int]:
    """Return how many instances of a run are in each state."""
    counts: Counter[str] = Counter()
    for task in tasks:
        counts.update({state.value: count for state, count in task.states.items()})
    return counts


def task_note(line: TaskSum, seconds: float | None) -> str:
    """Return the small print on a task's box: state, how long, which try; of a mapped task, how many are done."""
    words = [f"{line.done} of {line.size}" if line.is_mapped else state_word(line.state)]
    if line.is_mapped and line.state not in (TaskState.SUCCESS, TaskState.NONE):
        words.append(f"{line.states[line.state]} {state_word(line.state)}")
    if seconds is not None and line.state is not TaskState.UP_FOR_RETRY and len(words) == 1:
        words.append(duration(seconds))
    if line.try_number > 1 and not line.is_mapped:
        words.append(f"try {line.try_number}")
    if line.held:
        words.append(f"{line.held} held" if line.is_mapped else "held")
    return " · ".join(words)


@pages.get("/dags/<dag_id>/graph", endpoint="graph")
def graph(dag_id: str) -> str:
    wanted = request.args.get("run", "")
    with web().db.read() as tx:
        head = dag_head(tx, dag_id)
        run = get_run(tx, dag_id, wanted) if wanted else newest_run_page(tx, dag_id)
        tasks = sum_tasks(tx, run.pk) if run else []
        version_id = run.version_id if run else head.dag.version_id
        spec = web().specs.get(tx, version_id) if version_id is not None else None
        recent = list_run_lines(tx, dag_id=dag_id, limit=25)
        before, after = neighbours(tx, run) if run else (None, None)
    view = graph_view(spec, version_id or 0, run, tasks) if spec else None
    return render_template(
        "graph.html", head=head, run=run, tasks=tasks, view=view, recent=recent, before=before, after=after, tab="graph"
    )
