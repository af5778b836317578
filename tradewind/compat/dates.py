"""What became of ``airflow.utils.dates``? Only ``days_ago`` is still widely written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def days_ago(n: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> datetime:
    """Return the instant ``n`` days before today's midnight (UTC), at the given time.

    It moves from day to day, so a DAG that starts there changes at each parse; write a fixed date instead.
    """
    today = datetime.now(UTC).replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
    return today - timedelta(days=n)
