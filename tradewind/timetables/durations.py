"""How is a duration stored and said? timedelta as seconds, relativedelta by its fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from dateutil.relativedelta import relativedelta, weekday

from tradewind.errors import DagError
from tradewind.timetables.ticks import Delta

_RELATIVE: Final = ("years", "months", "days", "leapdays", "hours", "minutes", "seconds", "microseconds")
_ABSOLUTE: Final = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def check_delta(value: object, what: str) -> Delta:
    """Return ``value`` when it is a duration, as plain timedelta or relativedelta.

    Raises:
        DagError: it is something else.
    """
    if isinstance(value, relativedelta):
        return value.normalized()
    if isinstance(value, timedelta):
        return timedelta(days=value.days, seconds=value.seconds, microseconds=value.microseconds)  # not its subclasses
    raise DagError(f"{what} is {value!r}; expected a timedelta or a dateutil relativedelta.")


def encode_delta(delta: Delta) -> Any:
    """Return plain data: a number of seconds, or the fields of a relativedelta that are set."""
    if isinstance(delta, timedelta):
        seconds = delta.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    fields: dict[str, Any] = {name: getattr(delta, name) for name in _RELATIVE if getattr(delta, name)}
    fields |= {name: getattr(delta, name) for name in _ABSOLUTE if getattr(delta, name) is not None}
    if delta.weekday is not None:
        fields["weekday"] = [delta.weekday.weekday, delta.weekday.n]
    return fields


def decode_delta(data: Any) -> Delta:
    """Return the duration that :func:`encode_delta` stored."""
    if isinstance(data, Mapping):
        fields = dict(data)
        if "weekday" in fields:
            fields["weekday"] = weekday(*fields["weekday"])
        return relativedelta(**fields)
    return timedelta(seconds=data)


def say_delta(delta: Delta) -> str:
    """Return the duration as a rhythm: ``"Every 6 hours"``, ``"Every month"``; empty when words would be unclear."""
    if isinstance(delta, timedelta):
        parts = {"day": delta.days, "hour": delta.seconds // 3600, "minute": delta.seconds // 60 % 60}
        parts["second"] = delta.seconds % 60
        if delta.microseconds:
            return ""
    else:
        encoded = encode_delta(delta)
        parts = {name: encoded.pop(name + "s", 0) for name in ("year", "month", "day", "hour", "minute", "second")}
        if encoded or any(value < 0 for value in parts.values()):
            return ""
    said = [(name, amount) for name, amount in parts.items() if amount]
    if len(said) == 1 and said[0][1] == 1:
        return f"Every {said[0][0]}"
    return "Every " + " and ".join(f"{amount} {name}{'' if amount == 1 else 's'}" for name, amount in said)
