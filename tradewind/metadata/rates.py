"""Statements about rates: the starts of late, and until when nobody starts. Written behind the rows of runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from tradewind.metadata.models import RateLimit
from tradewind.metadata.upsert import upsert
from tradewind.model.rates import RateUse, read_starts


def read_rates(tx: Connection) -> dict[str, RateUse]:
    """Return how far every rate is used. Whoever counts on it holds the lock of admission."""
    row = RateLimit
    rows = tx.execute(select(row.name, row.starts, row.kept_seconds, row.paused_until, row.paused_by))
    return {
        r.name: RateUse(read_starts(r.starts), timedelta(seconds=r.kept_seconds), r.paused_until, r.paused_by)
        for r in rows
    }


def write_rates(tx: Connection, used: Mapping[str, RateUse], now: datetime) -> None:
    """Write what has changed: the starts that were counted, and the pauses that were asked for.

    A pause needs no lock of admission, so the two are different columns: neither overwrites the other.
    """
    for name in sorted(name for name, use in used.items() if use.is_changed or use.is_paused_anew):
        use = used[name]
        values: dict[str, object] = {"updated_at": now}
        if use.is_changed:
            values |= {"starts": use.starts, "kept_seconds": use.kept.total_seconds()}
        if use.is_paused_anew and not _is_paused_longer(tx, name, use):
            values |= {"paused_until": use.paused_until, "paused_by": use.paused_by}
        upsert(tx, RateLimit, {"name": name}, values)


def _is_paused_longer(tx: Connection, name: str, use: RateUse) -> bool:
    row = select(RateLimit.paused_until).where(RateLimit.name == name).with_for_update()
    until = tx.execute(row).scalar()
    return until is not None and use.paused_until is not None and until >= use.paused_until
