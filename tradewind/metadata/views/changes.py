"""What has changed since the last look? The statements behind the live pages: one a second, however many look on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from tradewind.metadata.models import DagRun, RunEvent


@dataclass(frozen=True, slots=True)
class ChangedRun:
    """A run with new events, and the number of its last one."""

    run_pk: int
    dag_id: str
    run_id: str
    seq: int


def changed_runs(tx: Connection, since: datetime, limit: int = 5000) -> list[ChangedRun]:
    """Return the runs that have events since ``since``, with their last number.

    The caller looks back a little further than its last look, since a transaction may commit after a later one, and
    knows by the number what it has seen.
    """
    newest = (
        select(RunEvent.run_pk, func.max(RunEvent.seq).label("seq"))
        .where(RunEvent.at >= since)
        .group_by(RunEvent.run_pk)
        .limit(limit)
        .subquery()
    )
    query = select(newest.c.run_pk, DagRun.dag_id, DagRun.run_id, newest.c.seq).join(
        DagRun, DagRun.id == newest.c.run_pk
    )
    return [ChangedRun(*row) for row in tx.execute(query)]


def run_state(tx: Connection, run_pk: int) -> tuple[str | None, bool]:
    """Return the state of a run and whether it is held; no state when it is gone."""
    row = tx.execute(select(DagRun.state, DagRun.held).where(DagRun.id == run_pk)).one_or_none()
    return (None, False) if row is None else (row[0].value, row[1] is not None)


def find_run_pk(tx: Connection, dag_id: str, run_id: str) -> int | None:
    """Return the key of a run by its names, or None."""
    return tx.execute(select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).scalar_one_or_none()
