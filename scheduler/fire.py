"""How does a scheduled run come to be? A DAG's timer is due: the run is created, and the next one is set."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Connection

from tradewind.errors import Conflict
from tradewind.metadata import dags, runs
from tradewind.metadata.dag_schedule import clear_timer
from tradewind.metadata.runs import NewRun, RunRecord
from tradewind.metadata.timers import TimerRow
from tradewind.model.states import RunType
from tradewind.timetables import DataInterval, from_spec

log = logging.getLogger(__name__)


def fire(tx: Connection, timer: TimerRow, now: datetime) -> RunRecord | None:
    """Create the scheduled run that is due, and set the DAG's next one. Returns the run, or None when none was due.

    The row of the DAG is locked first, so that with several schedulers a run is created once. A run that exists already
    for that date (somebody asked for it by hand) is left as it is, and the schedule goes on.
    """
    assert timer.dag_id is not None
    runs.lock_dag(tx, timer.dag_id)
    dag = dags.find_dag(tx, timer.dag_id)
    if dag is None or not dag.is_active or dag.is_paused or dag.version_id is None or dag.next_run_after is None:
        clear_timer(tx, timer.dag_id)
        return None
    if dag.next_run_after > now:
        dags.reschedule(tx, timer.dag_id, now)  # another scheduler was first, or the DAG file changed
        return None
    spec = dags.load_spec(tx, dag.version_id)
    interval = (
        DataInterval(dag.next_interval_start, dag.next_interval_end)
        if dag.next_interval_start is not None and dag.next_interval_end is not None
        else None
    )
    new = NewRun(
        dag_id=dag.dag_id,
        run_id=from_spec(spec.timetable).run_id(RunType.SCHEDULED, dag.next_run_after, dag.next_logical_date),
        version_id=dag.version_id,
        run_type=RunType.SCHEDULED,
        triggered_by="timetable",
        run_after=dag.next_run_after,
        logical_date=dag.next_logical_date,
        data_interval_start=interval.start if interval else None,
        data_interval_end=interval.end if interval else None,
    )
    try:
        runs.insert_run(tx, new, now)
    except Conflict as conflict:
        log.info("%s The schedule goes on.", conflict)
    dags.set_next_run(tx, dag.dag_id, dags.compute_next(spec, interval, dag.next_run_after, now))
    return runs.find_run(tx, dag.dag_id, new.run_id)
