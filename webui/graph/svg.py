"""How does a drawing become SVG? Once per drawing, with gaps where the states and the run of the moment go.

The text is safe: every name is escaped, and nothing in it is a style or a script, as the content policy demands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import escape

from tradewind.model.spec import DagSpec, TaskSpec
from webui.graph.picture import Drawing, Line, Point, Rect
from webui.graph.scene import Groups, short_label, task_label

NO_STATE: Final = "none"


@dataclass(frozen=True, slots=True)
class Slot:
    """A gap in the text: the state class, the link or the small print of one box."""

    kind: str  # state, held (more classes), href, note, open, close
    box_id: str


@dataclass(frozen=True, slots=True)
class GraphSvg:
    """A finished drawing. :meth:`render` fills the gaps; that costs microseconds per box."""

    width: float
    height: float
    parts: tuple[str | Slot, ...]
    members: Mapping[str, tuple[str, ...]]
    """Closed group -> ids of the tasks that it stands for."""

    def render(self, fill: Callable[[Slot], str]) -> str:
        """Return the text. What ``fill`` returns is put in as it is, so it must be escaped."""
        return "".join(part if isinstance(part, str) else fill(part) for part in self.parts)


def draw_svg(spec: DagSpec, drawing: Drawing, *, top_down: bool = False) -> GraphSvg:
    """Return the SVG of a drawing of ``spec``: groups below, lines above them, boxes on top."""
    groups = Groups(spec)
    tasks = {task.task_id: task for task in spec.tasks}
    names = {group.group_id: group for group in spec.groups}
    width, height = round(drawing.width), round(drawing.height)
    parts: list[str | Slot] = [
        f'<svg class="graph" id="graph" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="group" aria-label="Graph of {escape(spec.dag_id)}"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" '
        'refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0.8 7.4 4 0 7.2z"/></marker></defs>'
        '<g id="view">'
    ]
    for group_id in sorted(drawing.groups, key=lambda name: len(groups.around(name))):
        group = names[group_id]
        tip = group.tooltip or f"Close group {group_id}"
        title = group.display_name or group_id.removeprefix(f"{group.parent_id}.")
        parts += _open_group(group_id, title, tip, drawing.groups[group_id], len(groups.tasks[group_id]))
    parts.append('<g class="lines">')
    parts += [_line(line, top_down) for line in drawing.lines]
    parts.append("</g>")
    parts += _edge_labels(spec, drawing)
    members: dict[str, tuple[str, ...]] = {}
    for box_id, rect in drawing.leaves.items():
        if box_id in tasks:
            parts += _task(tasks[box_id], rect)
        else:
            members[box_id] = tuple(groups.tasks[box_id])
            closed = names[box_id]
            title = closed.display_name or box_id.removeprefix(f"{closed.parent_id}.")
            parts += _closed_group(box_id, title, rect, len(members[box_id]))
    parts.append("</g></svg>")
    return GraphSvg(drawing.width, drawing.height, tuple(parts), members)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _rect(rect: Rect, css: str, radius: int) -> str:
    return (
        f'<rect class="{css}" x="{_number(rect.x)}" y="{_number(rect.y)}" width="{_number(rect.width)}" '
        f'height="{_number(rect.height)}" rx="{radius}"/>'
    )


def _open_group(group_id: str, title: str, tip: str, rect: Rect, count: int) -> list[str | Slot]:
    return [
        f'<a class="grp" data-g="{escape(group_id)}" href="',
        Slot("close", group_id),
        f'"><title>{escape(tip)}</title>{_rect(rect, "frame", 8)}'
        f'<use href="#i-minus" x="{_number(rect.x + 10)}" y="{_number(rect.y + 8)}" width="12" height="12"/>'
        f'<text class="gt" x="{_number(rect.x + 28)}" y="{_number(rect.y + 18)}">'
        f'{escape(short_label(title, max(8, int(rect.width / 9))))} <tspan class="dim">{count}</tspan></text></a>',
    ]


def _task(task: TaskSpec, rect: Rect) -> list[str | Slot]:
    label = task_label(task.task_id, task.group_id, task.display_name)
    x, y = _number(rect.x + 12), _number(rect.y + rect.height / 2 - 9)
    text_x = _number(rect.x + 40)
    return [
        '<a class="box s-',
        Slot("state", task.task_id),
        Slot("held", task.task_id),
        f'" data-t="{escape(task.task_id)}" href="',
        Slot("href", task.task_id),
        f'"><title>{escape(task.task_id)} ({escape(task.operator)})</title>{_rect(rect, "body", 7)}'
        f'<use class="icon" href="#s-',
        Slot("state", task.task_id),
        f'" x="{x}" y="{y}" width="18" height="18"/>'
        f"{_held_mark(rect)}"
        f'<text class="name" x="{text_x}" y="{_number(rect.y + 19)}">{escape(short_label(label))}</text>'
        f'<text class="kind" x="{text_x}" y="{_number(rect.y + 34)}">',
        Slot("note", task.task_id),
        "</text></a>",
    ]


def _closed_group(group_id: str, title: str, rect: Rect, count: int) -> list[str | Slot]:
    x, y = _number(rect.x + 12), _number(rect.y + rect.height / 2 - 9)
    text_x = _number(rect.x + 40)
    behind = Rect(rect.x + 4, rect.y + 4, rect.width, rect.height)
    return [
        '<a class="box closed s-',
        Slot("state", group_id),
        Slot("held", group_id),
        f'" data-t="{escape(group_id)}" href="',
        Slot("open", group_id),
        f'"><title>Open group {escape(group_id)}: {count} tasks</title>{_rect(behind, "behind", 7)}'
        f"{_rect(rect, 'body', 7)}"
        f'<use class="icon" href="#s-',
        Slot("state", group_id),
        f'" x="{x}" y="{y}" width="18" height="18"/>'
        f"{_held_mark(rect)}"
        f'<text class="name" x="{text_x}" y="{_number(rect.y + 19)}">{escape(short_label(title))}</text>'
        f'<text class="kind" x="{text_x}" y="{_number(rect.y + 34)}">',
        Slot("note", group_id),
        "</text></a>",
    ]


def _held_mark(rect: Rect) -> str:
    """Return the mark of what somebody holds, at the upper right corner; it is seen on boxes of the class ``held``."""
    x, y = _number(rect.x + rect.width - 10), _number(rect.y - 8)
    return f'<use class="heldmark" href="#s-held" x="{x}" y="{y}" width="18" height="18"/>'


def _line(line: Line, top_down: bool) -> str:
    tip = ' marker-end="url(#tip)"' if line.to_id is not None else ""
    ends = {end for edge in line.serves for end in edge} if len(line.serves) <= 4 else {line.from_id, line.to_id}
    names = " ".join(sorted(escape(end) for end in ends if end))
    return f'<path data-e="{names}" d="{path_data(line.points, top_down)}"{tip}/>'


def path_data(points: tuple[Point, ...], top_down: bool = False) -> str:
    """Return a smooth way through ``points``: level at each of them, so stretches that meet at a border join well."""
    start = points[0]
    data = [f"M{_number(start.x)} {_number(start.y)}"]
    for before, after in pairwise(points):
        if (before.x if top_down else before.y) == (after.x if top_down else after.y):
            data.append(f"L{_number(after.x)} {_number(after.y)}")
            continue
        bend_a, bend_b = _controls(before, after, top_down)
        data.append(
            f"C{_number(bend_a.x)} {_number(bend_a.y)} {_number(bend_b.x)} {_number(bend_b.y)} "
            f"{_number(after.x)} {_number(after.y)}"
        )
    return "".join(data)


def _controls(before: Point, after: Point, top_down: bool) -> tuple[Point, Point]:
    """Return the handles of a curve that leaves and arrives along the flow; lines that go back swing out."""
    if top_down:
        reach = (after.y - before.y) / 2 if after.y > before.y else 60.0
        return Point(before.x, before.y + reach), Point(after.x, after.y - reach)
    reach = (after.x - before.x) / 2 if after.x > before.x else 60.0
    return Point(before.x + reach, before.y), Point(after.x - reach, after.y)


def _edge_labels(spec: DagSpec, drawing: Drawing) -> list[str]:
    """Labels stand at the middle of the last stretch of their edge, where no other edge shares it."""
    result = []
    for line in drawing.lines:
        for source, target in line.serves:
            text = spec.edge_labels.get(f"{source}>{target}")
            if text and line.to_id == target:
                before, after = line.points[-2:]
                x, y = (before.x + after.x) / 2, (before.y + after.y) / 2 - 5
                label = escape(short_label(text, 18))
                result.append(f'<text class="el" x="{_number(x)}" y="{_number(y)}">{label}</text>')
    return result
