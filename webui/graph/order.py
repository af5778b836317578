"""In which order do the boxes of a column stand, so that few lines cross? Barycentre sweeps, the best result kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MAX_SWEEPS: Final = 8
PATIENCE: Final = 4
"""Sweeps without gain after which it ends."""

Link = tuple[int, float, int, float]
"""source vertex, height of the port on it, target vertex, height of the port on it; one column apart."""


def order_columns(columns: list[list[int]], links: Sequence[Link]) -> list[list[int]]:
    """Return the columns reordered. Vertices are numbered from 0; the order given breaks ties, so it is stable."""
    count = sum(map(len, columns))
    before: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    after: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for source, source_port, target, target_port in links:
        after[source].append((target, target_port))
        before[target].append((source, source_port))
    column_of = {vertex: number for number, column in enumerate(columns) for vertex in column}
    by_column: list[list[Link]] = [[] for _ in columns]
    for link in links:
        by_column[column_of[link[0]]].append(link)

    place = [0.0] * count
    _number(columns, place)
    best, fewest, stale = [list(column) for column in columns], _crossings(by_column, place), 0
    for sweep in range(MAX_SWEEPS):
        if not fewest or stale >= PATIENCE:
            break
        _sweep(columns, before if sweep % 2 == 0 else after, place, backwards=bool(sweep % 2))
        crossings = _crossings(by_column, place)
        if crossings < fewest:
            best, fewest, stale = [list(column) for column in columns], crossings, 0
        else:
            stale += 1
    return best


def _number(columns: Sequence[Sequence[int]], place: list[float]) -> None:
    for column in columns:
        for position, vertex in enumerate(column):
            place[vertex] = float(position)


def _sweep(
    columns: list[list[int]], neighbours: Sequence[Sequence[tuple[int, float]]], place: list[float], *, backwards: bool
) -> None:
    """Sort each column by the mean place of its neighbours in the column before (or behind, when backwards)."""
    for column in reversed(columns) if backwards else columns:
        wanted = {
            vertex: sum(_height(place[other], port) for other, port in neighbours[vertex]) / len(neighbours[vertex])
            for vertex in column
            if neighbours[vertex]
        }
        if not wanted:
            continue
        # Boxes without neighbours keep their places; the others are sorted into the places that are left.
        ordered = iter(sorted(wanted, key=lambda vertex: wanted[vertex]))
        column[:] = [next(ordered) if vertex in wanted else vertex for vertex in column]
        for position, vertex in enumerate(column):
            place[vertex] = float(position)


def _height(place: float, port: float) -> float:
    """Ports order the lines that meet one box, and never leave the place of their box."""
    return place + port / (2.0 + 2.0 * abs(port))


def _crossings(by_column: Sequence[Sequence[Link]], place: Sequence[float]) -> int:
    return sum(_crossings_of(links, place) for links in by_column if len(links) > 1)


def _crossings_of(links: Sequence[Link], place: Sequence[float]) -> int:
    """Count pairs of lines that cross between two columns, with a Fenwick tree over the target side."""
    ends = sorted((_height(place[s], sp), _height(place[t], tp)) for s, sp, t, tp in links)
    level = {height: number for number, height in enumerate(sorted({target for _, target in ends}), start=1)}
    size = len(level)
    tree = [0] * (size + 1)
    total = 0
    for seen, (_, target) in enumerate(ends):
        at = level[target]
        below, index = 0, at
        while index:
            below += tree[index]
            index &= index - 1
        total += seen - below
        index = at
        while index <= size:
            tree[index] += 1
            index += index & -index
    return total
