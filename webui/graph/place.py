"""How high does each box of a column stand? As near to its neighbours as the distances allow.

Each column is a least-squares problem with minimum distances. With the distances taken off it is an isotonic
regression, which "pool adjacent violators" solves exactly in linear time.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from webui.graph.order import Link

SWEEPS: Final = 10


def place_columns(
    columns: Sequence[Sequence[int]],
    links: Sequence[Link],
    heights: Sequence[float],
    is_bend: Sequence[bool],
    gap: float,
) -> list[float]:
    """Return the middle of each vertex. Bends (points of long lines) are kept straight first, boxes follow."""
    count = len(heights)
    neighbours: tuple[list[list[tuple[int, float, float]]], ...] = (
        [[] for _ in range(count)],
        [[] for _ in range(count)],
    )
    for source, source_port, target, target_port in links:
        weight = 8.0 if is_bend[source] and is_bend[target] else 3.0 if is_bend[source] or is_bend[target] else 1.0
        neighbours[1][source].append((target, target_port - source_port, weight))
        neighbours[0][target].append((source, source_port - target_port, weight))
    gaps = [_distances(column, heights, is_bend, gap) for column in columns]
    middle = [0.0] * count
    for column, distances in zip(columns, gaps, strict=True):
        _stack(column, distances, middle)
    for sweep in range(SWEEPS):
        side = sweep % 2  # forwards: lean on the column before; backwards: on the one behind
        numbers = range(len(columns)) if side == 0 else reversed(range(len(columns)))
        for number in numbers:
            sides = (side,) if sweep < SWEEPS - 2 else (0, 1)  # at last both count, which centres forks and joins
            _settle(columns[number], gaps[number], neighbours, sides, middle)
    return middle


def _distances(column: Sequence[int], heights: Sequence[float], is_bend: Sequence[bool], gap: float) -> list[float]:
    """Return the least distance from each vertex to the one above it; the first has none."""
    result = [0.0]
    for upper, lower in pairwise(column):
        between = gap * (0.5 if is_bend[upper] and is_bend[lower] else 1.0)
        result.append((heights[upper] + heights[lower]) / 2 + between)
    return result


def _stack(column: Sequence[int], distances: Sequence[float], middle: list[float]) -> None:
    """Put a column on top of each other, centred on zero."""
    total = sum(distances)
    height = -total / 2
    for vertex, distance in zip(column, distances, strict=True):
        height += distance
        middle[vertex] = height


def _settle(
    column: Sequence[int],
    distances: Sequence[float],
    neighbours: Sequence[Sequence[Sequence[tuple[int, float, float]]]],
    sides: Sequence[int],
    middle: list[float],
) -> None:
    wishes: list[float] = []
    weights: list[float] = []
    offset = 0.0
    for vertex, distance in zip(column, distances, strict=True):
        offset += distance
        total = weight = 0.0
        for side in sides:
            for other, shift, strength in neighbours[side][vertex]:
                total += (middle[other] + shift) * strength
                weight += strength
        # A vertex with nothing on this side would like to stay where it is, but gives way to any that has a wish.
        wishes.append((total / weight if weight else middle[vertex]) - offset)
        weights.append(weight or 0.01)
    offset = 0.0
    for vertex, distance, height in zip(column, distances, isotonic(wishes, weights), strict=True):
        offset += distance
        middle[vertex] = height + offset


def isotonic(wishes: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the non-decreasing numbers nearest to ``wishes`` in weighted least squares.

    Source: "pool adjacent violators", Ayer et al., 1955.
    """
    means: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for wish, weight in zip(wishes, weights, strict=True):
        mean, mass, size = wish, weight, 1
        while means and means[-1] >= mean:
            total = masses[-1] + mass
            mean = (means.pop() * masses[-1] + mean * mass) / total
            masses.pop()
            mass = total
            size += sizes.pop()
        means.append(mean)
        masses.append(mass)
        sizes.append(size)
    return [mean for mean, size in zip(means, sizes, strict=True) for _ in range(size)]
