"""When do failed runs pause their DAG? When so many of its newest runs failed, one after the other.

The end of a run cannot pause the DAG itself: commits take the rows of many runs, and would meet those who hold rows of
DAGs. It sets a timer of its own, due at once, and whoever takes that holds the DAG row already.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Connection, not_, or_, select

from tradewind.metadata import audit
from tradewind.metadata.dags import find_dag, load_spec, set_paused
from tradewind.metadata.models import DagRun
from tradewind.metadata.overlap import has_made_room
from tradewind.metadata.timers import FAILURES, TimerRow, clear_timers
from tradewind.model.spec import DagSpec
from tradewind.model.states import RunState

log = logging.getLogger(__name__)


def failure_timers(spec: DagSpec, run_pk: int, now: datetime) -> list[TimerRow]:
    """Return the timer that the end of a failed run sets, so that somebody looks whether the DAG must pause."""
    if not spec.max_consecutive_failed_dag_runs:
        return []
    return [TimerRow(f"{FAILURES}:{run_pk}", FAILURES, now, None, spec.dag_id)]


def pause_after_failures(tx: Connection, timer: TimerRow, now: datetime) -> bool:
    """Pause the DAG of a due timer when its newest runs, as many as it says, all failed. Returns whether it was paused.

    The runs that were due last count, of whatever kind, but for those that were ended to make room for another. The
    caller holds the row of the DAG.
    """
    clear_timers(tx, [timer.key])
    dag = None if timer.dag_id is None else find_dag(tx, timer.dag_id)
    if dag is None or dag.version_id is None or dag.is_paused:
        return False
    limit = load_spec(tx, dag.version_id).max_consecutive_failed_dag_runs
    counts = or_(DagRun.reason.is_(None), not_(has_made_room()))
    newest = select(DagRun.state).where(DagRun.dag_id == dag.dag_id, counts)
    states = list(tx.execute(newest.order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(limit)).scalars())
    if not limit or len(states) < limit or any(state is not RunState.FAILED for state in states):
        return False
    set_paused(tx, dag.dag_id, True, now)
    audit.note(
        tx, now, actor="scheduler", via="scheduler", action="dag.pause", dag_id=dag.dag_id, detail={"failures": limit}
    )
    log.warning("DAG %r is paused: its last %d runs failed, one after the other", dag.dag_id, limit)
    return True
