"""What is drawn, before and after it has a place? Plain data that passes between the steps of the layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Point(NamedTuple):
    """A place on the drawing, in pixels; y grows downwards."""

    x: float
    y: float


class Rect(NamedTuple):
    """A box on the drawing."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Leaf:
    """A box without inside: a task, or a group that is shown closed. ``parent`` is the open group around it."""

    id: str
    parent: str | None
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Group:
    """A group that is shown open."""

    id: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Scene:
    """What shall be drawn. Edges are pairs of ids of leaves or open groups; never from a thing into its own inside."""

    leaves: tuple[Leaf, ...]
    groups: tuple[Group, ...]
    edges: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One stretch of an edge. ``from_id`` or ``to_id`` is None where it only passes the border of a group.

    ``serves`` are the edges of the scene that run through it: a line may be shared.
    """

    points: tuple[Point, ...]
    from_id: str | None
    to_id: str | None
    serves: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where everything is."""

    width: float
    height: float
    leaves: Mapping[str, Rect]
    groups: Mapping[str, Rect]
    lines: tuple[Line, ...] = field(default=())
