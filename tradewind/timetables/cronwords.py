"""What does a cron expression say in words? The common forms; what would read worse than cron gets none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tradewind.errors import DagError

PRESETS: Final[Mapping[str, str]] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""Names for common expressions, as in Airflow and cron."""

_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_NTH: Final = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}


def expand_preset(cron: str) -> str:
    """Return the expression that a preset stands for; any other text as it is.

    Raises:
        DagError: it is no text.
    """
    if not isinstance(cron, str):
        raise DagError(f"The cron expression is {cron!r}; expected text such as '0 2 * * *' or '@daily'.")
    return PRESETS.get(cron, cron)


def describe_cron(expression: str) -> str:
    """Return the expression in words, e.g. ``"At 02:00, Monday through Friday"``; empty when it is too intricate."""
    fields = expression.lower().split()
    if len(fields) != 5:
        return ""
    minute, hour, day, month, weekday = ("*" if field in ("*/1", "?") else field for field in fields)
    time = _time(minute, hour)
    days = _any_of([_days_of_month(day), _weekdays(weekday)])
    months = _months(month)
    if time is None or days is None or months is None:
        return ""
    return ", ".join(part for part in (time, days, months) if part)


def _any_of(parts: list[str | None]) -> str | None:
    if None in parts:
        return None
    said = [part for part in parts if part]
    if len(said) < 2:
        return "".join(said)
    return " or ".join(part.removeprefix("only ") for part in said)  # cron: either may hold when both are given


def _time(minute: str, hour: str) -> str | None:
    minutes, hours = _numbers(minute, 59), _numbers(hour, 23)
    if minutes and hours:
        times = [f"{h:02}:{m:02}" for h in hours for m in minutes]
        return f"At {_list(times)}" if len(times) <= 6 else None
    if hour == "*":
        if minute == "*":
            return "Every minute"
        if minutes == [0]:
            return "Every hour"
        if minutes:
            return f"At {_list([str(m) for m in minutes])} minutes past the hour"
        return _every(minute, "minute")
    rhythm, span = _every(hour, "hour"), _span(hour)
    if minutes and len(minutes) == 1 and rhythm:
        return rhythm if minutes == [0] else f"At {minutes[0]} minutes past the hour, {rhythm.lower()}"
    often = "Every minute" if minute == "*" else _every(minute, "minute") if not minutes else None
    if minutes and len(minutes) == 1:
        often = "Every hour" if minutes == [0] else f"At {minutes[0]} minutes past the hour"
    if often is None:
        return None
    if span:
        return f"{often}, between {span[0]:02}:00 and {span[1]:02}:59"
    if hours and len(hours) == 1:
        return f"{often}, between {hours[0]:02}:00 and {hours[0]:02}:59"
    return None


def _every(field: str, unit: str) -> str | None:
    step = field.removeprefix("*/")
    return f"Every {int(step)} {unit}s" if field != step and step.isdigit() and int(step) > 1 else None


def _days_of_month(field: str) -> str | None:
    if field == "*":
        return ""
    if field == "l":
        return "on the last day of the month"
    numbers = _numbers(field, 31)
    if numbers:
        return f"on day {_list([str(n) for n in numbers])} of the month"
    span, rhythm = _span(field), _every(field, "day")
    if span:
        return f"between day {span[0]} and {span[1]} of the month"
    return rhythm.lower() if rhythm else None


def _weekdays(field: str) -> str | None:
    if field == "*":
        return ""
    name, _, nth = field.partition("#")
    if nth.isdigit() and int(nth) in _NTH:
        named = _named(name, _DAYS, 0)
        return None if named is None else f"on the {_NTH[int(nth)]} {named} of the month"
    if field.startswith("l") and len(field) > 1:
        named = _named(field[1:], _DAYS, 0)
        return None if named is None else f"on the last {named} of the month"
    return _spoken(field, _DAYS, 0)


def _months(field: str) -> str | None:
    if field == "*":
        return ""
    rhythm = _every(field, "month")
    return rhythm.lower() if rhythm else _spoken(field, _MONTHS, 1)


def _spoken(field: str, names: tuple[str, ...], first: int) -> str | None:
    begin, dash, end = field.partition("-")
    if dash:
        low, high = _named(begin, names, first), _named(end, names, first)
        return f"{low} through {high}" if low and high else None
    said = [_named(part, names, first) for part in field.split(",")]
    return None if None in said else f"only {'in' if first else 'on'} {_list([part for part in said if part])}"


def _named(text: str, names: tuple[str, ...], first: int) -> str | None:
    if text.isdigit():
        index = int(text) - first
        return names[index] if 0 <= index < len(names) else None
    return next((name for name in names if name[:3].lower() == text), None)


def _numbers(field: str, highest: int) -> list[int] | None:
    parts = field.split(",")
    numbers = sorted({int(part) for part in parts if part.isdigit()})
    return numbers if all(part.isdigit() for part in parts) and numbers[-1] <= highest else None


def _span(field: str) -> tuple[int, int] | None:
    begin, _, end = field.partition("-")
    return (int(begin), int(end)) if begin.isdigit() and end.isdigit() else None


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
