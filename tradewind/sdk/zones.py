"""Which time zone does a DAG live in? That of its start date, else the configured one."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tradewind.errors import DagError
from tradewind.sdk import defaults
from tradewind.sdk.exceptions import DagArgumentError


def zone_of(who: str, date: datetime | None) -> tzinfo:
    """Return the time zone of ``date``; the default one when it has none or there is no date."""
    if date is not None and date.tzinfo is not None:
        return date.tzinfo
    return zone_named(who, defaults.current().timezone)


def zone_named(who: str, name: str) -> tzinfo:
    """Return the time zone called ``name``.

    Raises:
        DagError: there is no such zone.
    """
    if name in ("system", "local"):
        local = datetime.now().astimezone().tzinfo
        assert local is not None
        return local
    try:
        return ZoneInfo("UTC" if name.lower() == "utc" else name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DagError(
            f"{who}: the time zone {name!r} does not exist. Use a name of the IANA list, such as 'Europe/Berlin'."
        ) from None


def zone_name(zone: tzinfo) -> str:
    """Return the name that stands for ``zone`` in a spec: its IANA name, else its offset such as ``+01:00``."""
    for attribute in ("key", "zone", "name"):  # zoneinfo and pendulum; pytz; pendulum's fixed offsets
        name = getattr(zone, attribute, None)
        if isinstance(name, str) and name:
            return name
    offset = zone.utcoffset(None)
    if offset is None:
        return str(zone)
    minutes = round(offset.total_seconds() / 60)
    if minutes == 0:
        return "UTC"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def instant(who: str, text: str) -> datetime:
    """Return the date that an ISO 8601 text names, with its time zone when it has one.

    Raises:
        DagArgumentError: it names none; the message begins with ``who``.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise DagArgumentError(
            f"{who} is {text!r}, which is no date. Write it like '2026-01-31' or as a datetime."
        ) from None


def aware(date: datetime | None, zone: tzinfo) -> datetime | None:
    """Return ``date`` with a time zone: its own, else ``zone``."""
    if date is None or date.tzinfo is not None:
        return date
    return date.replace(tzinfo=zone)


def in_utc(date: datetime | None, zone: tzinfo) -> datetime | None:
    """Return the instant of ``date`` in UTC, as templates see it; without a zone it is a date of ``zone``."""
    found = aware(date, zone)
    if found is None:
        return None
    # Pendulum's dates lose their zone in calculations unless it is one of pendulum's.
    to_zone = getattr(found, "in_timezone", None)
    in_its_utc: datetime = found.astimezone(UTC) if to_zone is None else to_zone("UTC")
    return in_its_utc


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two instants, where None is no bound at all."""
    return max(one, other) if one is not None and other is not None else one or other


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the earlier of two instants, where None is no bound at all."""
    return min(one, other) if one is not None and other is not None else one or other
