"""How do tasks see instants? As pendulum's, in UTC, and as the texts ``ds``, ``ts`` and their kin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pendulum


def pendulum_utc(value: datetime | None) -> pendulum.DateTime | None:
    """Return ``value`` as pendulum's DateTime in UTC."""
    if value is None:
        return None
    if isinstance(value, pendulum.DateTime):
        return value.in_timezone("UTC")
    utc = value.astimezone(UTC)
    return pendulum.DateTime(
        utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, tzinfo=pendulum.UTC
    )


def stamps(logical_date: datetime) -> dict[str, Any]:
    """Return ``logical_date`` and the texts made from it."""
    when = pendulum_utc(logical_date)
    assert when is not None
    ds, ts = when.strftime("%Y-%m-%d"), when.isoformat()
    return {
        "logical_date": when,
        "ds": ds,
        "ds_nodash": ds.replace("-", ""),
        "ts": ts,
        "ts_nodash": when.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": ts.replace("-", "").replace(":", ""),
    }
