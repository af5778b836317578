"""Which instant does somebody mean? ISO 8601, or what people write."""

from __future__ import annotations

import os
from datetime import datetime
from zoneinfo import ZoneInfo

from tradewind.config import load_config


def parse_instant(value: str) -> datetime | None:
    """Return the aware instant that ``value`` names, or None when it names none.

    Without an offset it is in ``[core] default_timezone``.
    """
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        from dateutil import parser  # only for what is not ISO 8601; importing it costs more than all else here

        try:
            found = parser.parse(value)
        except (ValueError, OverflowError):
            return None
    if found.tzinfo is not None:
        return found
    zone = load_config(os.environ).core.default_timezone
    return found.astimezone() if zone == "system" else found.replace(tzinfo=ZoneInfo(zone))
