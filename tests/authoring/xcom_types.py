"""Which classes do the XCom tests send through? They stand in a module, so that they can be imported by name."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from enum import Enum, Flag, IntEnum, StrEnum, auto
from typing import Any

import pydantic


class Colour(Enum):
    RED = (255, 0, 0)
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Rights(Flag):
    READ = auto()
    WRITE = auto()


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0
    tags: tuple[str, ...] = ()


@dataclass
class Tree:
    value: Any
    children: list[Tree] = field(default_factory=list)
    total: int = field(init=False, default=0)

    class Leaf(Enum):
        GREEN = 1


@dataclass
class Needy:
    a: int
    b: InitVar[int]

    def __post_init__(self, b: int) -> None:
        self.a += b


class Flight(pydantic.BaseModel):
    carrier: str
    delay: float | None = None
    stops: list[Point] = []


def not_a_class() -> None:
    """Something that a stored XCom must not be able to call."""
