"""How does a user keep a value from being rendered as a template? ``literal(value)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is handed to the operator exactly as written, braces included."""

    value: Any


def literal(value: Any) -> Literal:
    """Return ``value`` wrapped so that a template field takes it as it is."""
    return Literal(value)
