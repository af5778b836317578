"""Which drawings are kept? Those looked at last: a drawing depends on the DAG version and on what is open, only."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tradewind.model.spec import DagSpec
from webui.graph.layout import lay_out
from webui.graph.scene import Groups, make_scene
from webui.graph.svg import GraphSvg, draw_svg

MAX_PARTS: Final = 120_000
"""Bound on what is kept, counted in pieces of text: about 12 MB."""


@dataclass(frozen=True, slots=True)
class View:
    """What somebody wants to see of a DAG version. None for ``opened``: as many groups as keep it readable."""

    version_id: int
    opened: frozenset[str] | None = None
    top_down: bool = False
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished drawing with the groups that are open in it."""

    svg: GraphSvg
    opened: frozenset[str]


class GraphCache:
    """Drawings by view. Safe to use from several threads; two that ask for the same new one may both draw it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[View, Picture] = OrderedDict()
        self._parts = 0

    def get(self, view: View, load_spec: Callable[[], DagSpec]) -> Picture:
        """Return the drawing of ``view``; ``load_spec`` is called only when it is not kept."""
        with self._lock:
            if view in self._kept:
                self._kept.move_to_end(view)
                return self._kept[view]
        picture = draw(load_spec(), view)
        with self._lock:
            if view not in self._kept:
                self._parts += len(picture.svg.parts)
            self._kept[view] = picture
            while self._parts > MAX_PARTS and len(self._kept) > 1:
                self._parts -= len(self._kept.popitem(last=False)[1].svg.parts)
        return picture


def draw(spec: DagSpec, view: View) -> Picture:
    """Return a fresh drawing."""
    groups = Groups(spec)
    opened = groups.by_default() if view.opened is None else view.opened & frozenset(groups.parent)
    scene = make_scene(spec, opened, view.only)
    drawing = lay_out(scene, top_down=view.top_down)
    return Picture(draw_svg(spec, drawing, top_down=view.top_down), opened)
