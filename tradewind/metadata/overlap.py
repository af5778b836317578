"""Which runs stand in the way of a DAG's next scheduled one?"""

from __future__ import annotations

from sqlalchemy import Connection, select

from tradewind.metadata.models import DagRun
from tradewind.model.states import RunState, RunType


def runs_under_way(tx: Connection, dag_id: str) -> list[int]:
    """Return the keys of the runs of a DAG that are queued or running, but for those of backfills."""
    query = select(DagRun.id).where(
        DagRun.dag_id == dag_id,
        DagRun.state.in_((RunState.QUEUED, RunState.RUNNING)),
        DagRun.run_type != RunType.BACKFILL,
    )
    return list(tx.execute(query.order_by(DagRun.id)).scalars())
