"""How is one group laid out, once the groups inside it are? Its boxes in columns, its lines through bends.

A level knows nothing of nesting: its boxes are numbered things with a size and ports, heights at which lines may meet
them. Lines that leave the group end at gates, boxes without size on its left or right border.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from webui.graph.order import Link, order_columns
from webui.graph.picture import Point
from webui.graph.place import place_columns
from webui.graph.ranks import rank_items, split_back_edges

COLUMN_GAP: Final = 56.0
ROW_GAP: Final = 16.0
BEND_HEIGHT: Final = 8.0


@dataclass(frozen=True, slots=True)
class Box:
    """A thing with a place in one level. ``ports`` are heights from its middle; a port that is not named is 0."""

    id: str
    width: float
    height: float
    ports: Mapping[Hashable, float]
    gate: int = 0  # -1: stands on the left border; 1: on the right one
    stretches: bool = False  # takes the width of its column


@dataclass(frozen=True, slots=True)
class Wire:
    """An edge between two boxes of the level, from port to port."""

    source: str
    source_port: Hashable
    target: str
    target_port: Hashable


@dataclass(frozen=True, slots=True)
class LevelDrawing:
    """Left edge, middle and width of each box, the way of each wire, and the size of it all; starts at (0, 0)."""

    width: float
    height: float
    left: Mapping[str, float]
    middle: Mapping[str, float]
    widths: Mapping[str, float]
    ways: Mapping[Wire, tuple[Point, ...]]


class _Grid:
    """The columns of one level while they are filled: boxes first, then the bends of long wires."""

    def __init__(self, boxes: Sequence[Box], rank: Mapping[str, int]) -> None:
        self.number = {box.id: index for index, box in enumerate(boxes)}
        self.heights = [max(box.height, BEND_HEIGHT if box.gate else 0.0) for box in boxes]
        self.is_bend = [box.gate != 0 for box in boxes]
        self.columns: list[list[int]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
        self.column_of: list[int] = []
        self.links: dict[Link, None] = {}
        self._bends: dict[tuple[str, Hashable, int], int] = {}
        for box in boxes:
            self.columns[rank[box.id]].append(self.number[box.id])
            self.column_of.append(rank[box.id])

    def bend(self, wire: Wire, column: int) -> int:
        """Return the bend in ``column`` of all wires that leave the same port: a fan of long lines is one line."""
        key = (wire.source, wire.source_port, column)
        if key not in self._bends:
            self._bends[key] = len(self.heights)
            self.columns[column].append(len(self.heights))
            self.column_of.append(column)
            self.heights.append(BEND_HEIGHT)
            self.is_bend.append(True)
        return self._bends[key]

    def thread(self, wire: Wire, source_port: float, target_port: float) -> list[int]:
        """Add the links of a wire and return the bends that it goes through."""
        source, target = self.number[wire.source], self.number[wire.target]
        bends = [self.bend(wire, column) for column in range(self.column_of[source] + 1, self.column_of[target])]
        stops = [(source, source_port), *((bend, 0.0) for bend in bends), (target, target_port)]
        for (a, a_port), (b, b_port) in pairwise(stops):
            self.links[(a, a_port, b, b_port)] = None
        return bends


def lay_out_level(boxes: Sequence[Box], wires: Sequence[Wire]) -> LevelDrawing:
    """Return where the boxes of one level stand and how its wires run, left to right."""
    by_id = {box.id: box for box in boxes}
    forward, backward = split_back_edges([box.id for box in boxes], ((wire.source, wire.target) for wire in wires))
    rank = _rank_with_gates(boxes, forward)
    grid = _Grid(boxes, rank)
    against = set(backward)
    bends = {
        wire: grid.thread(
            wire, _port(by_id[wire.source], wire.source_port), _port(by_id[wire.target], wire.target_port)
        )
        for wire in wires
        if (wire.source, wire.target) not in against
    }
    links = list(grid.links)
    columns = order_columns(grid.columns, links)
    middle = place_columns(columns, links, grid.heights, grid.is_bend, ROW_GAP)
    top = min((middle[v] - grid.heights[v] / 2 for column in columns for v in column), default=0.0)
    middle = [height - top for height in middle]
    bottom = max((middle[v] + grid.heights[v] / 2 for column in columns for v in column), default=0.0)
    starts, column_widths = _column_places(boxes, rank, len(columns))
    widths = {box.id: column_widths[rank[box.id]] if box.stretches else box.width for box in boxes}
    left = {box.id: _left(box, rank[box.id], widths[box.id], starts, column_widths) for box in boxes}
    heights = {box.id: middle[grid.number[box.id]] for box in boxes}
    ways = {
        wire: _way(wire, by_id, left, widths, heights, [(grid.column_of[v], middle[v]) for v in bends.get(wire, ())],
                   starts, column_widths)
        for wire in wires
    }  # fmt: skip
    total = starts[-1] + column_widths[-1] if starts else 0.0
    return LevelDrawing(total, bottom, left, heights, widths, ways)


def _port(box: Box, port: Hashable) -> float:
    return box.ports.get(port, 0.0)


def _rank_with_gates(boxes: Sequence[Box], forward: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Rank the boxes, with the gates of each side in columns of their own outside of all others."""
    gates = {box.id: box.gate for box in boxes if box.gate}
    inner = [box.id for box in boxes if not box.gate]
    rank = rank_items(inner, [edge for edge in forward if edge[0] not in gates and edge[1] not in gates])
    shift = 1 if -1 in gates.values() else 0
    last = shift + max(rank.values(), default=-1) + 1
    ranks = {item: column + shift for item, column in rank.items()}
    ranks.update({item: 0 if side < 0 else last for item, side in gates.items()})
    return ranks


def _column_places(boxes: Sequence[Box], rank: Mapping[str, int], count: int) -> tuple[list[float], list[float]]:
    """Return the left edge and the width of each column. Columns of gates have no width and half the gap."""
    widths = [0.0] * count
    for box in boxes:
        widths[rank[box.id]] = max(widths[rank[box.id]], box.width)
    starts: list[float] = []
    at = 0.0
    for number, width in enumerate(widths):
        starts.append(at)
        narrow = width == 0.0 or (number + 1 < count and widths[number + 1] == 0.0)
        at += width + COLUMN_GAP * (0.5 if narrow else 1.0)
    return starts, widths


def _left(box: Box, column: int, width: float, starts: Sequence[float], widths: Sequence[float]) -> float:
    return starts[column] + (widths[column] - width) / 2


def _way(
    wire: Wire,
    by_id: Mapping[str, Box],
    left: Mapping[str, float],
    widths: Mapping[str, float],
    middle: Mapping[str, float],
    bends: Sequence[tuple[int, float]],
    starts: Sequence[float],
    column_widths: Sequence[float],
) -> tuple[Point, ...]:
    """Return the points of a wire. It crosses each column between in a straight line, so a bend is two points."""
    points = [
        Point(
            left[wire.source] + widths[wire.source], middle[wire.source] + _port(by_id[wire.source], wire.source_port)
        )
    ]
    for column, height in bends:
        points.append(Point(starts[column], height))
        if column_widths[column]:
            points.append(Point(starts[column] + column_widths[column], height))
    points.append(Point(left[wire.target], middle[wire.target] + _port(by_id[wire.target], wire.target_port)))
    return tuple(points)
