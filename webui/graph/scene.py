"""What of a DAG is shown? Its tasks and open groups, closed groups as one box, and no more lines than say something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from tradewind.model.spec import DagSpec
from webui.graph.picture import Group, Leaf, Scene

MAX_BOXES: Final = 150
"""Groups are opened by themselves, outermost first, while no more boxes than this are shown."""
LEAF_HEIGHT: Final = 44.0
MIN_WIDTH: Final = 172.0
MAX_LABEL: Final = 34
CHAR_WIDTH: Final = 8.2
ICON_WIDTH: Final = 54.0

Edge = tuple[str, str]


def short_label(text: str, limit: int = MAX_LABEL) -> str:
    """Return ``text``, its middle left out when it is long: beginnings and ends of names both tell."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[-(limit - 1 - head) :]}"


def task_label(task_id: str, group_id: str | None, display_name: str | None) -> str:
    """Return what stands on a task's box: inside its group the name without the group's prefix."""
    if display_name and display_name != task_id:
        return display_name
    return task_id.removeprefix(f"{group_id}.") if group_id else task_id


class Groups:
    """The group tree of a DAG, with what is inside each group."""

    def __init__(self, spec: DagSpec) -> None:
        self.parent = {group.group_id: group.parent_id for group in spec.groups}
        self.inner: dict[str | None, list[str]] = defaultdict(list)
        for group in spec.groups:
            self.inner[group.parent_id].append(group.group_id)
        self.tasks: dict[str, list[str]] = {group.group_id: [] for group in spec.groups}
        self.direct: dict[str | None, int] = defaultdict(int)
        for task in spec.tasks:
            self.direct[task.group_id] += 1
            for group_id in self.around(task.group_id):
                self.tasks[group_id].append(task.task_id)

    def around(self, group_id: str | None) -> list[str]:
        """Return ``group_id`` and the groups around it, innermost first."""
        chain = []
        while group_id in self.parent:  # not None, and known
            chain.append(group_id)
            group_id = self.parent[group_id]
        return chain

    def by_default(self) -> frozenset[str]:
        """Return the groups to open when nobody has said: as many as keep the drawing readable."""
        opened: set[str] = set()
        boxes = self.direct[None] + len(self.inner[None])
        queue = list(self.inner[None])
        for group_id in queue:  # grows while it is walked: outer groups first
            more = self.direct[group_id] + len(self.inner[group_id])
            if boxes + more <= MAX_BOXES:
                opened.add(group_id)
                boxes += more
                queue.extend(self.inner[group_id])
        return frozenset(opened)


def make_scene(spec: DagSpec, opened: Collection[str], only: Collection[str] | None = None) -> Scene:
    """Return what to draw.

    Args:
        opened: ids of groups to show open; a group inside a closed one is not shown.
        only: task ids to show; None shows all.
    """
    groups = Groups(spec)
    visible = {group_id for group_id in groups.parent if all(g in opened for g in groups.around(group_id))}
    leaves: dict[str, Leaf] = {}
    stands_for: dict[str, str] = {}
    for task in spec.tasks:
        if only is not None and task.task_id not in only:
            continue
        chain = groups.around(task.group_id)
        closed = next((group_id for group_id in reversed(chain) if group_id not in visible), None)
        if closed is None:
            leaf_id, parent, label = (
                task.task_id,
                task.group_id,
                task_label(task.task_id, task.group_id, task.display_name),
            )
        else:
            leaf_id, parent, label = closed, groups.parent[closed], closed.removeprefix(f"{groups.parent[closed]}.")
        stands_for[task.task_id] = leaf_id
        if leaf_id not in leaves:
            leaves[leaf_id] = Leaf(leaf_id, parent, _width(label, task.operator), LEAF_HEIGHT)
    shown = {group for leaf in leaves.values() for group in groups.around(leaf.parent)}
    edges = {
        (stands_for[before], stands_for[task.task_id]): None
        for task in spec.tasks
        if task.task_id in stands_for
        for before in task.upstream
        if before in stands_for and stands_for[before] != stands_for[task.task_id]
    }
    open_groups = tuple(Group(group.group_id, group.parent_id) for group in spec.groups if group.group_id in shown)
    bundled = bundle(list(edges), [group.id for group in open_groups], leaves, groups.parent)
    return Scene(tuple(leaves.values()), open_groups, tuple(bundled))


def _width(label: str, operator: str) -> float:
    name = min(len(label), MAX_LABEL) * CHAR_WIDTH
    return max(MIN_WIDTH, ICON_WIDTH + max(name, min(len(operator), MAX_LABEL) * CHAR_WIDTH * 0.8))


def bundle(
    edges: Iterable[Edge], groups: Collection[str], leaves: Mapping[str, Leaf], parent_of: Mapping[str, str | None]
) -> list[Edge]:
    """Return the edges with those of a whole group drawn from (or to) its box.

    ``group >> task`` makes an edge from every last task of the group; one line from its border says the same. Two
    groups of ten in a row are one line and not a hundred.
    """
    inside: dict[str, set[str]] = {group: set() for group in groups}
    for leaf in leaves.values():
        parent = leaf.parent
        while parent is not None:
            inside[parent].add(leaf.id)
            parent = parent_of[parent]
    result = dict.fromkeys(edges)
    rims: dict[tuple[str, bool], set[str]] = {}
    for group in sorted(groups, key=lambda name: len(inside[name])):  # inner groups first
        for forward in (True, False):
            result = _bundled(result, group, inside[group], rims, forward=forward)
    return list(result)


def _bundled(
    edges: dict[Edge, None], group: str, members: set[str], rims: dict[tuple[str, bool], set[str]], *, forward: bool
) -> dict[Edge, None]:
    """Return the edges with those that cover the whole rim of one group replaced by one from its box.

    The rim are the leaves after which (before which, when not forward) nothing more comes inside the group. An inner
    group at the end of an edge stands for its own rim; ``rims`` remembers them.
    """
    near, far = (0, 1) if forward else (1, 0)

    def leaves_at(end: str) -> set[str]:
        return rims.get((end, forward), {end})

    def is_inside(end: str) -> bool:
        return leaves_at(end) <= members

    busy = {leaf for edge in edges if is_inside(edge[0]) and is_inside(edge[1]) for leaf in leaves_at(edge[near])}
    rim = rims[group, forward] = members - busy
    covered: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        if is_inside(edge[near]) and not is_inside(edge[far]):
            covered[edge[far]] |= leaves_at(edge[near])
    whole = {other for other, ends in covered.items() if len(rim) > 1 and ends == rim}
    if not whole:
        return edges
    return {
        ((group, edge[1]) if forward else (edge[0], group))
        if edge[far] in whole and is_inside(edge[near])
        else edge: None
        for edge in edges
    }
