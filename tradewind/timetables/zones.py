"""Which time zone is meant? Names and tzinfo objects in, one kind of zone out, and back to a stored name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from tradewind.errors import DagError, did_you_mean

_FIXED: Final = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?")


def zone_of(value: str | tzinfo) -> tzinfo:
    """Return the zone that ``value`` means: an IANA name, an offset such as ``+05:30``, or a tzinfo of any library.

    Raises:
        DagError: there is no such zone.
    """
    if isinstance(value, tzinfo):
        return zone_of(zone_name(value))
    if not isinstance(value, str):
        raise DagError(f"The time zone is {value!r}; expected a name such as 'Europe/Berlin' or a tzinfo.")
    if value.upper() in ("UTC", "Z"):
        return UTC
    fixed = _FIXED.fullmatch(value)
    if fixed is not None:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]), seconds=int(fixed[4] or 0))
        return timezone(-offset if fixed[1] == "-" else offset)
    try:
        return ZoneInfo(value)
    except (LookupError, ValueError, OSError):  # ZoneInfo raises all three, by how the name is wrong
        raise DagError(
            f"There is no time zone {value!r}.{did_you_mean(value, available_timezones())} "
            "Give a name of the IANA list, such as 'Europe/Berlin', or 'UTC'."
        ) from None


def zone_name(zone: tzinfo) -> str:
    """Return the name from which :func:`zone_of` makes the same zone.

    Raises:
        DagError: the zone has no name and its offset changes, so it cannot be stored.
    """
    if zone is UTC:
        return "UTC"
    for attribute in ("key", "name", "zone"):  # zoneinfo and pendulum; pendulum before 3; pytz
        name = getattr(zone, attribute, None)
        if isinstance(name, str) and name:
            return "UTC" if name.upper() == "UTC" else name
    winter, summer = (zone.utcoffset(datetime(2024, month, 1)) for month in (1, 7))  # noqa: DTZ001  a time on its wall
    if winter is None or winter != summer:
        raise DagError(f"The time zone {zone!r} has no name. Use zoneinfo.ZoneInfo('Area/City') or its name as text.")
    return "UTC" if not winter else _offset_name(winter)


def _offset_name(offset: timedelta) -> str:
    sign, seconds = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    minutes, second = divmod(int(seconds.total_seconds()), 60)
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}" + (f":{second:02}" if second else "")
