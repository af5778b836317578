"""``tradewind limits``: every limit and its use, in one table."""

from __future__ import annotations

import os
from typing import Final

from scheduler.limits import Limit, list_limits
from tradewind.config import load_config
from tradewind.metadata.opening import open_database
from tradewind.terminal.output import emit

COLUMNS: Final = ("limit", "name", "used", "of", "waiting", "used_by")


def limits(full: bool, output: str) -> None:
    """Show every limit, how far it is used, and what waits for it."""
    config = load_config(os.environ)
    core, scheduler = config.core, config.scheduler
    with open_database(config) as db, db.read() as tx:
        found = list_limits(tx, db.now(), parallelism=core.parallelism, backfill_share=scheduler.backfill_share)
    shown = [limit for limit in found if not full or limit.is_full or limit.waiting]
    emit([_row(limit) for limit in shown], COLUMNS, output, empty="No limit is used up, and nothing waits for one.")


def _row(limit: Limit) -> dict[str, object]:
    return {
        "limit": limit.kind,
        "name": limit.name,
        "used": limit.used,
        "of": limit.limit,
        "waiting": limit.waiting,
        "used_by": limit.used_by,
    }
