"""By when should a run have succeeded? Statements about the deadlines of runs: set with the run, missed when due.

A deadline is a timer of the DAG, not of the run: it must be seen while the run still waits to start, and nobody holds
its claim. Its key names the run and which of the DAG's alerts it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from tradewind.metadata.callbacks import DEADLINE, RECKONING, NewCallback, put_callbacks
from tradewind.metadata.inbox import DEADLINE as DEADLINE_MISSED
from tradewind.metadata.inbox import Message, send
from tradewind.metadata.models import DagRun, DagVersion, Timer
from tradewind.metadata.timers import DEADLINE as DEADLINE_TIMER
from tradewind.metadata.timers import TimerRow, set_timers
from tradewind.model.spec import DeadlineSpec
from tradewind.model.states import RunState


def set_deadlines(
    tx: Connection, run_pk: int, dag_id: str, version_id: int, logical_date: datetime | None, now: datetime
) -> None:
    """Set the deadlines of a run that is being made, as its version has them."""
    found = tx.execute(select(DagVersion.deadlines).where(DagVersion.id == version_id)).scalar()
    if not found:
        return
    timers, calls = [], []
    for number, alert in enumerate(msgspec.convert(found, list[DeadlineSpec])):
        base = _base(tx, dag_id, alert, logical_date, now)
        if alert.needs_process:
            if alert.reference == "own" or base is not None:
                payload = {"number": number, "base": None if base is None else base.isoformat()}
                calls.append(NewCallback(run_pk, RECKONING, None, payload))
        elif base is not None and alert.interval_seconds is not None:
            timers.append(_timer(run_pk, dag_id, number, base + timedelta(seconds=alert.interval_seconds)))
    set_timers(tx, timers)
    put_callbacks(tx, calls, now)


def set_reckoned(tx: Connection, run_pk: int, number: int, due_at: datetime) -> None:
    """Set a deadline that user code has worked out."""
    dag_id = tx.execute(select(DagRun.dag_id).where(DagRun.id == run_pk)).scalar_one()
    set_timers(tx, [_timer(run_pk, dag_id, number, due_at)])


def miss_deadline(tx: Connection, timer: TimerRow, now: datetime) -> bool:
    """A deadline is due: when its run has not succeeded, note the call, and tell the run. Returns whether it was so.

    The timer is taken away first: of several schedulers one finds it.
    """
    taken = tx.execute(delete(Timer).where(Timer.key == timer.key, Timer.due_at == timer.due_at)).rowcount
    _, run_pk, number = timer.key.split(":")
    run = tx.execute(
        select(DagRun.state, DagVersion.deadlines)
        .join(DagVersion, DagVersion.id == DagRun.version_id)
        .where(DagRun.id == int(run_pk))
    ).first()
    if taken != 1 or run is None or run.state is RunState.SUCCESS:
        return False
    alert = msgspec.convert(run.deadlines, list[DeadlineSpec])[int(number)]
    payload: dict[str, Any] = {"number": int(number), "due_at": timer.due_at.isoformat()}
    put_callbacks(tx, [NewCallback(int(run_pk), DEADLINE, None, {**payload, "executor": alert.executor})], now)
    said: Mapping[str, Any] = {**payload, "name": alert.name, "callback": alert.callback}
    send(tx, [Message(int(run_pk), f"{DEADLINE_MISSED}:{number}:{payload['due_at']}", DEADLINE_MISSED, said)], now)
    return True


def _timer(run_pk: int, dag_id: str, number: int, due_at: datetime) -> TimerRow:
    return TimerRow(f"{DEADLINE_TIMER}:{run_pk}:{number}", DEADLINE_TIMER, due_at, dag_id=dag_id)


def _base(
    tx: Connection, dag_id: str, alert: DeadlineSpec, logical_date: datetime | None, now: datetime
) -> datetime | None:
    match alert.reference:
        case "logical_date":
            return logical_date
        case "queued_at":
            return now
        case "fixed" if alert.at is not None:
            return datetime.fromisoformat(alert.at)
        case "average_runtime":
            average = _average(_last_durations(tx, dag_id, alert.max_runs), alert.min_runs)
            return None if average is None else now + average
        case _:
            return None


def _last_durations(tx: Connection, dag_id: str, limit: int) -> list[timedelta]:
    query = (
        select(DagRun.started_at, DagRun.ended_at)
        .where(DagRun.dag_id == dag_id, DagRun.state == RunState.SUCCESS, DagRun.started_at.is_not(None))
        .order_by(DagRun.run_after.desc())
        .limit(limit)
    )
    return [ended - started for started, ended in tx.execute(query) if started is not None and ended is not None]


def _average(durations: Sequence[timedelta], least: int) -> timedelta | None:
    return sum(durations, timedelta()) / len(durations) if durations and len(durations) >= least else None
