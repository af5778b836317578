"""On which days does a DAG not run? ``exclude_dates=``: dates, spans, yearly days, calendar files; as plain data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from tradewind.errors import DagError
from tradewind.sdk.exceptions import DagArgumentError

_FORMS: Final = (
    "a date, '2026-12-24', '*-12-25' for every year, a span ('2026-12-24/2027-01-02' or a pair of dates), or a "
    "calendar file whose name ends with .ics or .txt"
)
_YEARLY: Final = re.compile(r"\*-(\d\d)-(\d\d)")
_LEAP: Final = 2024
_MAX_DAYS: Final = 3660


def excluded_days(who: str, given: Any, folder: str) -> tuple[str, ...]:
    """Return the days as the spec has them, sorted: ``2026-12-24``, ``2026-12-24/2027-01-02``, ``*-12-25``.

    Args:
        given: one item or a collection of them; None: none.
        folder: calendar files are looked for from here.

    Raises:
        DagArgumentError: something in it is no date; names the item, and the line of a file.
    """
    if given is None:
        return ()
    items = list(given) if isinstance(given, list | set | frozenset) else [given]
    if isinstance(given, tuple):
        items = [given] if len(given) == 2 else list(given)
    return tuple(sorted({day for item in items for day in _days(who, item, folder)}))


def _days(who: str, item: Any, folder: str) -> Iterator[str]:
    path = os.fspath(item) if isinstance(item, os.PathLike) else item
    if isinstance(path, str) and path.endswith((".ics", ".txt")):
        yield from _from_file(who, os.path.join(folder, path))
        return
    if isinstance(item, tuple | list) and len(item) == 2:
        yield _span(who, item, _day(who, item[0], item), _day(who, item[1], item))
    elif isinstance(item, str) and "/" in item:
        first, _, last = item.partition("/")
        yield _span(who, item, _day(who, first, item), _day(who, last, item))
    elif isinstance(item, str) and _YEARLY.fullmatch(item):
        month, day = item[2:].split("-")
        _made(who, item, int(month), int(day))
        yield item
    else:
        yield _day(who, item, item).isoformat()


def _day(who: str, value: Any, item: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise _wrong(who, item) from None


def _span(who: str, item: Any, first: date, last: date) -> str:
    if last < first:
        raise DagArgumentError(f"{who}: exclude_dates has the span {item!r}, which ends before it begins.")
    return f"{first.isoformat()}/{last.isoformat()}"


def _made(who: str, item: Any, month: int, day: int) -> date:
    try:
        return date(_LEAP, month, day)
    except ValueError:
        raise _wrong(who, item) from None


def _wrong(who: str, item: Any) -> DagArgumentError:
    return DagArgumentError(f"{who}: exclude_dates has {item!r} ({type(item).__name__}); expected {_FORMS}.")


# --- files --------------------------------------------------------------------------------------------------------


def _from_file(who: str, path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise DagArgumentError(
            f"{who}: the calendar {path} of exclude_dates cannot be read: {error}. Give a path that is absolute or "
            "begins at the folder of the DAG file."
        ) from None
    try:
        yield from _events(text) if path.endswith(".ics") else _lines(text)
    except (DagError, ValueError) as error:
        raise DagArgumentError(f"{who}: the calendar {path} of exclude_dates: {error}") from None


def _lines(text: str) -> Iterator[str]:
    """Return the days of a text file: one item on each line; ``#`` begins a comment."""
    for number, line in enumerate(text.splitlines(), 1):
        item = line.partition("#")[0].strip()
        if item.endswith((".ics", ".txt")):
            raise ValueError(f"line {number} names another file ({item!r}); name it in exclude_dates itself")
        if item:
            yield from _days(f"line {number}", item, "")


def _events(text: str) -> Iterator[str]:
    """Return the days of the events in an iCalendar file."""
    event: dict[str, tuple[str, str]] | None = None
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():  # long lines go on behind a space
        name, _, value = line.partition(":")
        name, _, parameters = name.upper().partition(";")
        if (name, value.upper()) == ("BEGIN", "VEVENT"):
            event = {}
        elif (name, value.upper()) == ("END", "VEVENT") and event is not None:
            if event.get("STATUS", ("", ""))[1].upper() != "CANCELLED":
                yield from _event_days(event)
            event = None
        elif event is not None:
            event.setdefault(name, (parameters, value.strip()))


def _event_days(event: dict[str, tuple[str, str]]) -> Iterator[str]:
    name = event.get("SUMMARY", ("", "an event without a name"))[1]
    if "DTSTART" not in event:
        raise ValueError(f"{name!r} has no DTSTART")
    first = _ics_date(event["DTSTART"][1], name)
    last = first
    if "DTEND" in event:
        end = event["DTEND"][1]
        # The end itself is not part of the event: of whole days it is the day behind the last.
        last = _ics_date(end, name) - timedelta(days=1 if len(end) == 8 or end[9:15] == "000000" else 0)
    last = max(first, last)
    if (last - first).days > _MAX_DAYS:
        raise ValueError(f"{name!r} lasts longer than ten years")
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    if "RRULE" in event:
        _check_yearly(event["RRULE"][1], first, name)
        yield from (f"*-{day.month:02}-{day.day:02}" for day in days)
    elif len(days) == 1:
        yield first.isoformat()
    else:
        yield f"{first.isoformat()}/{last.isoformat()}"


def _ics_date(text: str, name: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        raise ValueError(f"{name!r} has the date {text!r}, which is none") from None


def _check_yearly(rule: str, first: date, name: str) -> None:
    parts = dict(part.upper().partition("=")[::2] for part in rule.split(";") if part)
    parts.pop("WKST", None)
    same_day = {"FREQ": "YEARLY", "INTERVAL": "1", "BYMONTH": str(first.month), "BYMONTHDAY": str(first.day)}
    if parts.get("FREQ") != "YEARLY" or any(same_day.get(key) != value for key, value in parts.items()):
        raise ValueError(
            f"{name!r} comes again by the rule {rule}; only events of the same date each year are understood. Export "
            "the calendar with single dates"
        )
