"""Which column does each box stand in? Longest-path ranks, with rings among groups broken first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence


def split_back_edges(
    items: Sequence[str], edges: Iterable[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return (forward, backward) edges; the forward ones have no ring.

    Tasks have no rings, but open groups can: ``a.x >> b.y >> a.z`` makes the boxes a and b wait for each other.
    """
    successors: dict[str, list[str]] = {item: [] for item in items}
    for source, target in edges:
        successors[source].append(target)
    backward: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in items:
        if root not in done:
            _walk(root, successors, done, backward)
    unique = [(source, target) for source in items for target in dict.fromkeys(successors[source])]
    return [edge for edge in unique if edge not in backward], [edge for edge in unique if edge in backward]


def _walk(root: str, successors: Mapping[str, list[str]], done: set[str], backward: set[tuple[str, str]]) -> None:
    """Depth first without recursion: chains of thousands of tasks are ordinary."""
    path = {root}
    stack = [(root, iter(successors[root]))]
    while stack:
        item, following = stack[-1]
        for target in following:
            if target in path:
                backward.add((item, target))
            elif target not in done:
                path.add(target)
                stack.append((target, iter(successors[target])))
                break
        else:
            stack.pop()
            path.discard(item)
            done.add(item)


def rank_items(items: Sequence[str], edges: Collection[tuple[str, str]]) -> dict[str, int]:
    """Return the column of each item, from 0: beyond all that it waits for, and pulled towards what waits for it."""
    before: dict[str, list[str]] = {item: [] for item in items}
    after: dict[str, list[str]] = {item: [] for item in items}
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
    order = _topological(items, before, after)
    rank: dict[str, int] = {}
    for item in order:
        rank[item] = 1 + max((rank[source] for source in before[item]), default=-1)
    for item in reversed(order):
        # A box with more lines to its right than to its left shortens them by moving right as far as it may.
        if len(after[item]) > len(before[item]):
            rank[item] = max(rank[item], min(rank[target] for target in after[item]) - 1)
    return rank


def _topological(items: Sequence[str], before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    waiting = {item: len(before[item]) for item in items}
    order = [item for item in items if not waiting[item]]
    for item in order:  # grows while it is walked
        for target in after[item]:
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    return order
