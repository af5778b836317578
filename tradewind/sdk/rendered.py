"""What does the UI show of a task's rendered fields? Plain JSON, cut where it is too long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tradewind.sdk.operator import BaseOperator

MAX_TEXT: Final = 4_096
MAX_ITEMS: Final = 100
_MAX_DEPTH: Final = 8


def shown_fields(task: BaseOperator) -> dict[str, Any]:
    """Return the template fields as plain JSON; empty when no field holds anything, which saves a message."""
    fields = {name: getattr(task, name, None) for name in task.template_fields}
    if not any(fields.values()):
        return {}
    return {name: shown(value) for name, value in fields.items()}


def shown(value: Any, depth: int = 0) -> Any:
    """Return ``value`` as plain JSON: what is no JSON as text, what is long cut, what is deep as text."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)  # what the wire between processes can carry
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Enum | datetime | date | timedelta):
        return str(value)
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {_cut(str(key)): shown(one, depth + 1) for key, one in list(value.items())[:MAX_ITEMS]}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)
        rest = [f"... and {len(items) - MAX_ITEMS} more"] if len(items) > MAX_ITEMS else []
        return [shown(one, depth + 1) for one in items[:MAX_ITEMS]] + rest
    if callable(value):
        return f"<function {getattr(value, '__qualname__', type(value).__name__)}>"
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({len(text) - MAX_TEXT} more characters)"
