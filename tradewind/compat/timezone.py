"""What stands for ``airflow.utils.timezone``? The same few helpers: aware instants, UTC by default."""

from __future__ import annotations

import datetime as dt
from datetime import UTC
from typing import Any

import pendulum

utc = pendulum.UTC
utc_epoch = pendulum.DateTime(1970, 1, 1, tzinfo=pendulum.UTC)


def utcnow() -> dt.datetime:
    """Return the present instant."""
    return pendulum.now("UTC")


def datetime(*args: Any, **kwargs: Any) -> dt.datetime:
    """Return an aware datetime, in UTC unless ``tzinfo`` says otherwise."""
    kwargs.setdefault("tzinfo", UTC)
    return dt.datetime(*args, **kwargs)  # noqa: DTZ001  see the line above


def parse(string: str, timezone: Any = None, *, strict: bool = False) -> pendulum.DateTime:
    """Return the instant that a text names; in UTC when it names no zone."""
    found = pendulum.parse(string, tz=timezone or pendulum.UTC, strict=strict)
    if not isinstance(found, pendulum.DateTime):
        raise ValueError(f"{string!r} names no instant. Write it like 2026-11-22T02:00:00+00:00.")
    return found


def is_localized(value: dt.datetime) -> bool:
    """Return whether ``value`` has a time zone."""
    return value.utcoffset() is not None


def is_naive(value: dt.datetime) -> bool:
    """Return whether ``value`` has no time zone."""
    return not is_localized(value)


def make_aware(value: dt.datetime | None, timezone: dt.tzinfo | None = None) -> dt.datetime | None:
    """Return ``value`` with a time zone.

    Raises:
        ValueError: it has one already.
    """
    if value is None:
        return None
    if is_localized(value):
        raise ValueError(f"make_aware expects a naive datetime, got {value}. Use astimezone() to change its zone.")
    return value.replace(tzinfo=timezone or UTC)


def make_naive(value: dt.datetime, timezone: dt.tzinfo | None = None) -> dt.datetime:
    """Return the wall-clock time of ``value`` in ``timezone`` (UTC by default), without a zone.

    Raises:
        ValueError: it has none already.
    """
    if is_naive(value):
        raise ValueError(f"make_naive expects an aware datetime, got {value}. It has no zone to take away.")
    return value.astimezone(timezone or UTC).replace(tzinfo=None)


def convert_to_utc(value: dt.datetime | None) -> pendulum.DateTime | None:
    """Return ``value`` in UTC; a naive one is taken as UTC."""
    return None if value is None else pendulum.instance(value).in_timezone("UTC")


def coerce_datetime(value: dt.datetime | None, tz: dt.tzinfo | None = None) -> pendulum.DateTime | None:
    """Return ``value`` as pendulum's DateTime, with a zone."""
    return None if value is None else pendulum.instance(value, tz=tz or "UTC")
