"""Which runs stand in the way of a DAG's next scheduled one?"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, select

from tradewind.metadata.models import DagRun
from tradewind.model.states import RunState, RunType

_MADE_ROOM: Final = "cancelled, since run "


def reason_to_cancel(run_id: str) -> str:
    """Return why a run is ended for which another, that is due, has no room beside it."""
    return f"{_MADE_ROOM}{run_id!r} is due (overlap='cancel_other')"


def has_made_room() -> ColumnElement[bool]:
    """Return the condition that a run failed only since it was ended for another."""
    return and_(DagRun.state == RunState.FAILED, DagRun.reason.startswith(_MADE_ROOM, autoescape=True))


def runs_under_way(tx: Connection, dag_id: str) -> list[int]:
    """Return the keys of the runs of a DAG that are queued or running, but for those of backfills."""
    query = select(DagRun.id).where(
        DagRun.dag_id == dag_id,
        DagRun.state.in_((RunState.QUEUED, RunState.RUNNING)),
        DagRun.run_type != RunType.BACKFILL,
    )
    return list(tx.execute(query.order_by(DagRun.id)).scalars())
