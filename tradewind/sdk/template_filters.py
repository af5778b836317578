"""Which filters does every template have? Instants as texts: ``{{ data_interval_end | ds }}``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final


def ds(value: datetime | None) -> str | None:
    """``2026-11-22``."""
    return None if value is None else value.strftime("%Y-%m-%d")


def ds_nodash(value: datetime | None) -> str | None:
    """``20261122``."""
    return None if value is None else value.strftime("%Y%m%d")


def ts(value: datetime | None) -> str | None:
    """``2026-11-22T02:00:00+00:00``."""
    return None if value is None else value.isoformat()


def ts_nodash(value: datetime | None) -> str | None:
    """``20261122T020000``."""
    return None if value is None else value.strftime("%Y%m%dT%H%M%S")


def ts_nodash_with_tz(value: datetime | None) -> str | None:
    """``20261122T020000+0000``."""
    return None if value is None else value.isoformat().replace("-", "").replace(":", "")


FILTERS: Final[dict[str, Callable[..., str | None]]] = {
    "ds": ds,
    "ds_nodash": ds_nodash,
    "ts": ts,
    "ts_nodash": ts_nodash,
    "ts_nodash_with_tz": ts_nodash_with_tz,
}
