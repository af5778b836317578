"""What do people ask about backfills? Thin calls into the engine, imported when first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tradewind.errors import UsageError
from tradewind.metadata.backfills import BackfillRecord
from tradewind.model.backfills import BackfillPlan, WantedBackfill
from webui.actions import actor
from webui.web import web

STEERS: Final = ("pause", "unpause", "cancel")


def plan_backfill(wanted: WantedBackfill) -> BackfillPlan:
    """Return what a backfill would do. Errors of the engine pass through: they say what is wrong."""
    from scheduler.backfill import create

    return create.plan_backfill(web().db, web().config, wanted)


def create_backfill(wanted: WantedBackfill, *, via: str) -> BackfillRecord:
    """Create a backfill, and return it."""
    from scheduler.backfill import create

    return create.create_backfill(web().db, web().config, wanted, user=actor(), via=via)


def steer(backfill_id: int, how: str, *, via: str, stop_running: bool = False) -> BackfillRecord:
    """Pause, unpause or cancel a backfill, and return it."""
    from scheduler.backfill import create

    if how == "cancel":
        return create.cancel_backfill(web().db, backfill_id, user=actor(), via=via, stop_running=stop_running)
    ways: Mapping[str, Callable[..., BackfillRecord]] = {
        "pause": create.pause_backfill,
        "unpause": create.unpause_backfill,
    }
    if how not in ways:
        raise UsageError(f"A backfill cannot be told to {how!r}. It can be told to {', '.join(STEERS)}.")
    return ways[how](web().db, backfill_id, user=actor(), via=via)
