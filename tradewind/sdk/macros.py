"""What helps in templates? ``macros``: dates added and reformatted, and a few modules of the standard library."""

from __future__ import annotations

import json as json
import random as random_module
import time as time
import uuid as uuid
from datetime import datetime as datetime
from datetime import timedelta as timedelta
from typing import Any

import dateutil
import dateutil.parser
import dateutil.relativedelta

__all__ = [
    "datetime",
    "datetime_diff_for_humans",
    "dateutil",
    "ds_add",
    "ds_format",
    "json",
    "random",
    "time",
    "timedelta",
    "uuid",
]

random = random_module.random


def ds_add(ds: str, days: int) -> str:
    """Return the day ``days`` after ``ds`` (YYYY-MM-DD); before it when negative."""
    return _day(ds, "%Y-%m-%d", days).strftime("%Y-%m-%d") if days else str(ds)


def ds_format(ds: str, input_format: str, output_format: str) -> str:
    """Return a date written in ``input_format`` in ``output_format`` (as of ``strftime``)."""
    return _day(ds, input_format).strftime(output_format)


def _day(text: str, pattern: str, days: int = 0) -> datetime:
    return datetime.strptime(str(text), pattern) + timedelta(days=days)  # noqa: DTZ007  a day, not an instant


def datetime_diff_for_humans(dt: Any, since: datetime | None = None) -> str:
    """Return in words how far ``dt`` is from ``since`` (from now when None), e.g. ``"2 days before"``."""
    import pendulum

    when = pendulum.instance(dt)
    words: str = when.diff_for_humans() if since is None else when.diff_for_humans(pendulum.instance(since))
    return words
