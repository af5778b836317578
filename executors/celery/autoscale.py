"""How many tasks should a worker run at once? Between two bounds, by how busy it and its machine are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tradewind.errors import UsageError

LOOK_SECONDS: Final = 2.0
"""How often it is asked."""
BUSY_PERCENT: Final = 80.0
"""Above this much of the CPU nothing is added."""
OVERLOADED_PERCENT: Final = 97.0
"""Above this, slots are taken away, as they become free."""
LEAST_MEMORY_PERCENT: Final = 10.0
"""With less memory available than this nothing is added."""
IDLE_LOOKS: Final = 15
"""So many looks in a row at less than half of its slots, and it shrinks: half a minute."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From how many to how many tasks at once; the same twice when it does not scale."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker and its machine do. ``idle_looks``: how often in a row less than half of its slots were used."""

    slots: int
    running: int
    cpu_percent: float
    memory_available_percent: float
    idle_looks: int = 0


def next_slots(load: Load, bounds: Bounds) -> int:
    """Return how many slots the worker should have.

    A quarter more when all are taken and the machine has room, one less when it has too much to do, a quarter less
    when few were used for long.
    """
    slots, quarter = load.slots, max(1, load.slots // 4)
    has_room = load.cpu_percent < BUSY_PERCENT and load.memory_available_percent > LEAST_MEMORY_PERCENT
    if load.running >= slots and has_room:
        slots += quarter
    elif load.cpu_percent > OVERLOADED_PERCENT:
        slots -= 1
    elif load.idle_looks >= IDLE_LOOKS:
        slots = max(load.running, slots - quarter)
    return min(bounds.most, max(bounds.least, slots))


def parse_autoscale(text: str) -> Bounds:
    """Read ``MAX,MIN``, as Airflow and Celery write it.

    Raises:
        UsageError: it is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"autoscale is {text!r}; expected MAX,MIN, e.g. 16,4.")
    most, least = int(parts[0]), int(parts[1])
    if not 1 <= least <= most:
        raise UsageError(f"autoscale is {text!r}; expected MAX,MIN with 1 <= MIN <= MAX, e.g. 16,4.")
    return Bounds(least, most)
