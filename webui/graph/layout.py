"""Where does everything stand? Groups are laid out from the inside out; each finished group is one box of its parent.

A line that leaves a group passes a gate on its border, so inside the group it is routed like any other line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from webui.graph.level import Box, LevelDrawing, Wire, lay_out_level
from webui.graph.picture import Drawing, Line, Point, Rect, Scene

PADDING: Final = 14.0
HEADER: Final = 26.0
"""Room for the title of a group."""
MARGIN: Final = 16.0

ROOT: Final = ""


@dataclass(slots=True)
class _Level:
    """What belongs to one group while the layout is worked out."""

    boxes: dict[str, Box] = field(default_factory=dict)
    wires: dict[Wire, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    gates: dict[str, int] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)  # gate -> what it stands for


def lay_out(scene: Scene, *, top_down: bool = False) -> Drawing:
    """Return the drawing of ``scene``: no box overlaps another, every box lies inside its group.

    Depends on the scene alone, so the same scene gives the same drawing.

    Args:
        top_down: columns become rows. Sizes of boxes stay as they are.
    """
    nest = _Nest(scene, top_down=top_down)
    for group in nest.inside_out():
        nest.lay_out_group(group)
    drawing = nest.drawing()
    return _transposed(drawing) if top_down else drawing


class _Nest:
    """The tree of groups and the levels laid out so far."""

    def __init__(self, scene: Scene, *, top_down: bool) -> None:
        self.scene = scene
        self.top_down = top_down
        self.parent: dict[str, str] = {leaf.id: leaf.parent or ROOT for leaf in scene.leaves}
        self.parent.update({group.id: group.parent or ROOT for group in scene.groups})
        self.levels: dict[str, _Level] = {ROOT: _Level(), **{group.id: _Level() for group in scene.groups}}
        self.done: dict[str, LevelDrawing] = {}
        for leaf in scene.leaves:
            width, height = (leaf.height, leaf.width) if top_down else (leaf.width, leaf.height)
            self.levels[self.parent[leaf.id]].boxes[leaf.id] = Box(leaf.id, width, height, {}, stretches=not top_down)
        for edge in scene.edges:
            self._wire(edge)

    def _chain(self, item: str) -> list[str]:
        """Return the groups around ``item``, innermost first, the root last."""
        chain = []
        while item != ROOT:
            item = self.parent[item]
            chain.append(item)
        return chain

    def _wire(self, edge: tuple[str, str]) -> None:
        """Cut an edge into one wire for each group that it passes through."""
        source, target = edge
        out_of, into = self._chain(source), self._chain(target)
        common = next(group for group in out_of if group in set(into))
        box = source
        for group in out_of[: out_of.index(common)]:
            self._add(group, box, source, self._gate(group, "out", source), None, edge)
            box = group
        source_box = box
        box = target
        for group in into[: into.index(common)]:
            self._add(group, self._gate(group, "in", target), None, box, target, edge)
            box = group
        self._add(common, source_box, source, box, target, edge)

    def _gate(self, group: str, side: str, item: str) -> str:
        """Return the gate on the border of ``group`` for lines that leave (or reach) ``item``."""
        gate = f"\0{side}\0{item}"
        self.levels[group].gates[gate] = 1 if side == "out" else -1
        self.levels[group].ends[gate] = item
        return gate

    def _add(
        self,
        group: str,
        source: str,
        source_end: str | None,
        target: str,
        target_end: str | None,
        edge: tuple[str, str],
    ) -> None:
        source_port = None if source_end is None or source_end == source else ("out", source_end)
        target_port = None if target_end is None or target_end == target else ("in", target_end)
        self.levels[group].wires[Wire(source, source_port, target, target_port)].append(edge)

    def inside_out(self) -> list[str]:
        """Return all groups, each after those inside it, the root last."""
        return sorted(self.levels, key=lambda group: -len(self._chain(group)) if group != ROOT else 1)

    def lay_out_group(self, group: str) -> None:
        level = self.levels[group]
        gates = [Box(gate, 0.0, 0.0, {}, gate=side) for gate, side in level.gates.items()]
        drawn = lay_out_level([*level.boxes.values(), *gates], list(level.wires))
        self.done[group] = drawn
        if group != ROOT:
            self.levels[self.parent[group]].boxes[group] = self._as_box(group, level, drawn)

    def _as_box(self, group: str, level: _Level, drawn: LevelDrawing) -> Box:
        before, after = self._header(group)
        height = drawn.height + before + after
        ports: dict[Hashable, float] = {
            ("out" if side > 0 else "in", level.ends[gate]): drawn.middle[gate] + before - height / 2
            for gate, side in level.gates.items()
        }
        return Box(group, drawn.width + sum(self._sides()), height, ports)

    def _header(self, _group: str) -> tuple[float, float]:
        """Room across the direction of the lines, before and after the inside. The title is always at the top."""
        return (PADDING, PADDING) if self.top_down else (HEADER + PADDING / 2, PADDING)

    def _sides(self) -> tuple[float, float]:
        return (HEADER + PADDING / 2, PADDING) if self.top_down else (PADDING, PADDING)

    def drawing(self) -> Drawing:
        """Return everything in the coordinates of the whole."""
        leaves: dict[str, Rect] = {}
        groups: dict[str, Rect] = {}
        lines: list[Line] = []
        open_groups = {group.id for group in self.scene.groups}
        todo = [(ROOT, MARGIN, MARGIN)]
        while todo:
            group, x, y = todo.pop()
            level, drawn = self.levels[group], self.done[group]
            for box in level.boxes.values():
                width = drawn.widths[box.id]
                rect = Rect(x + drawn.left[box.id], y + drawn.middle[box.id] - box.height / 2, width, box.height)
                if box.id in open_groups:
                    groups[box.id] = rect
                    todo.append((box.id, rect.x + self._sides()[0], rect.y + self._header(box.id)[0]))
                else:
                    leaves[box.id] = rect
            lines.extend(self._lines(group, x, y))
        root = self.done[ROOT]
        return Drawing(root.width + 2 * MARGIN, root.height + 2 * MARGIN, leaves, groups, tuple(lines))

    def _lines(self, group: str, x: float, y: float) -> list[Line]:
        level, drawn = self.levels[group], self.done[group]
        # The border of a group stands a little outside of its gates: lines are drawn out to it.
        reach_in, reach_out = self._sides() if group != ROOT else (0.0, 0.0)
        result = []
        for wire, edges in level.wires.items():
            points = [Point(x + point.x, y + point.y) for point in drawn.ways[wire]]
            if wire.source in level.gates:
                points.insert(0, Point(points[0].x - reach_in, points[0].y))
            if wire.target in level.gates:
                points.append(Point(points[-1].x + reach_out, points[-1].y))
            from_id = wire.source if wire.source_port is None and wire.source not in level.gates else None
            to_id = wire.target if wire.target_port is None and wire.target not in level.gates else None
            result.append(Line(tuple(points), from_id, to_id, tuple(edges)))
        return result


def _transposed(drawing: Drawing) -> Drawing:
    def turn(rects: Mapping[str, Rect]) -> dict[str, Rect]:
        return {name: Rect(rect.y, rect.x, rect.height, rect.width) for name, rect in rects.items()}

    lines = tuple(
        Line(tuple(Point(point.y, point.x) for point in line.points), line.from_id, line.to_id, line.serves)
        for line in drawing.lines
    )
    return Drawing(drawing.height, drawing.width, turn(drawing.leaves), turn(drawing.groups), lines)
