"""How does one step of many runs reach the metadata DB? Log, projection, attempts, timers and inbox in one transaction.

Each run is guarded by the sequence number that its decisions rest on and by the fence of its claim. A run whose guard
does not hold is left out whole: its change is thrown away and decided again. Nothing is half applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, func, insert, update

from tradewind.metadata.assets import AssetSource, record_changes
from tradewind.metadata.callbacks import NewCallback, put_callbacks
from tradewind.metadata.inbox import delete_rows, fact_message, send
from tradewind.metadata.models import Attempt, Base, DagRun, RunEvent, TaskInstance, XCom
from tradewind.metadata.timers import TimerRow, clear_timers, set_timers
from tradewind.metadata.upsert import upsert_rows
from tradewind.metadata.waits import NewWait, drop_waits, put_waits
from tradewind.metadata.worker_queue import ring_workers
from tradewind.model.events import Event
from tradewind.model.orders import AssetChange, AttemptEnded, AttemptStarted, Outcome, XComValue
from tradewind.model.states import AttemptState, RunState
from tradewind.run.view import Changes, RunView, TaskKey


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


# Core tables instead of mapped classes: executemany without the unit of work, half the cost per row.
_RUN, _EVENT, _TASK, _ATTEMPT, _XCOM = (_table(m) for m in (DagRun, RunEvent, TaskInstance, Attempt, XCom))


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """One attempt to be created. ``supervisor_id`` is set when it is born claimed (see ``executors.base``)."""

    id: UUID
    key: TaskKey
    try_number: int
    part: int
    executor: str
    queue: str
    pool: str
    pool_slots: int
    supervisor_id: UUID | None
    keys: Sequence[str] | None = None


@dataclass(slots=True)
class RunChange:
    """All that one step of one run writes. ``events`` follow ``seen_seq`` without a gap."""

    run: RunView
    seen_seq: int
    events: Sequence[Event]
    tasks: Changes
    attempts: list[NewAttempt] = field(default_factory=list)
    started: Sequence[AttemptStarted] = ()
    ended: Sequence[AttemptEnded] = ()
    cancelled: Sequence[UUID] = ()
    timers_set: Sequence[TimerRow] = ()
    timers_cleared: Sequence[str] = ()
    xcoms: Sequence[tuple[TaskKey, XComValue]] = ()
    xcoms_cleared: Sequence[TaskKey] = ()
    waits: Sequence[NewWait] = ()
    waits_dropped: Sequence[UUID] = ()
    asset_changes: Sequence[tuple[TaskKey, Sequence[AssetChange]]] = ()
    callbacks: Sequence[NewCallback] = ()
    inbox_ids: Sequence[int] = ()


def commit_runs(tx: Connection, changes: Sequence[RunChange], now: datetime) -> list[RunChange]:
    """Write the changes whose guards hold, and return them; the others must be thrown away by the caller.

    Runs are taken in the order of their keys, so that two writers cannot wait for each other in a ring.
    """
    good = [change for change in sorted(changes, key=lambda c: c.run.pk) if _pass_guard(tx, change)]
    _insert_events(tx, good, now)
    _write_tasks(tx, good)
    _write_attempts(tx, good, now)
    clear_timers(tx, [key for change in good for key in change.timers_cleared])
    set_timers(tx, [timer for change in good for timer in change.timers_set])
    _write_xcoms(tx, good, now)
    put_waits(tx, [wait for change in good for wait in change.waits], now)
    drop_waits(tx, [attempt_id for change in good for attempt_id in change.waits_dropped], now)
    for change in good:
        for key, changes_of_assets in change.asset_changes:
            source = AssetSource(change.run.pk, change.run.dag_id, change.run.run_id, key)
            record_changes(tx, source, changes_of_assets, now)
    put_callbacks(tx, [callback for change in good for callback in change.callbacks], now)
    delete_rows(tx, [row_id for change in good for row_id in change.inbox_ids])
    return good


_GUARDED_UPDATE = (
    update(_RUN)
    .where(
        DagRun.id == bindparam("b_pk"),
        DagRun.next_seq == bindparam("b_seen"),
        DagRun.fence == bindparam("b_fence"),
    )
    .values(
        next_seq=bindparam("b_next"),
        state=bindparam("b_state"),
        reason=bindparam("b_reason"),
        version_id=bindparam("b_version"),
        bundle=bindparam("b_bundle"),
        held=bindparam("b_held"),
        retries_used=bindparam("b_retries"),
        verdict=bindparam("b_verdict"),
        queued_at=bindparam("b_queued"),
        started_at=bindparam("b_started"),
        ended_at=bindparam("b_ended"),
    )
)
_RELEASE = update(_RUN).where(DagRun.id == bindparam("b_pk")).values(claimed_by=None)


def _pass_guard(tx: Connection, change: RunChange) -> bool:
    if not change.events:
        return True  # closing attempts and taking folded rows away is right whoever does it, and however often
    run = change.run
    values = {
        "b_pk": run.pk,
        "b_seen": change.seen_seq,
        "b_fence": run.fence,
        "b_next": change.seen_seq + len(change.events),
        "b_state": run.state,
        "b_reason": run.reason,
        "b_version": run.version_id,
        "b_bundle": run.bundle,
        "b_held": run.held,
        "b_retries": run.retries_used,
        "b_verdict": run.verdict,
        "b_queued": run.queued_at,
        "b_started": run.started_at,
        "b_ended": run.ended_at,
    }
    if tx.execute(_GUARDED_UPDATE, values).rowcount != 1:
        return False
    if run.state is not RunState.RUNNING:  # nobody need look at it; who starts it again claims it again
        tx.execute(_RELEASE, {"b_pk": run.pk})
    return True


def _insert_events(tx: Connection, changes: Sequence[RunChange], now: datetime) -> None:
    rows = [
        {
            "run_pk": change.run.pk,
            "seq": seq,
            "at": now,
            "kind": str(event.kind),
            "task_id": event.task_id,
            "map_index": event.map_index,
            "try_number": event.try_number,
            "payload": event.payload,
        }
        for change in changes
        for seq, event in enumerate(change.events, change.seen_seq)
    ]
    if rows:
        tx.execute(insert(_EVENT), rows)


_FIELDS = (
    "state", "try_number", "max_tries", "failures", "losses", "attempt_id", "scheduled_at", "queued_at", "started_at",
    "ended_at", "retry_at", "reason", "part", "length", "map_label", "first_started_at", "resume", "held",
    "decided_against", "postponed",
)  # fmt: skip
_UPDATE_TASK = (
    update(_TASK)
    .where(
        TaskInstance.run_pk == bindparam("b_pk"),
        TaskInstance.task_id == bindparam("b_task"),
        TaskInstance.map_index == bindparam("b_index"),
    )
    .values({name: bindparam(f"v_{name}") for name in _FIELDS})
)


_DELETE_TASK = delete(_TASK).where(
    TaskInstance.run_pk == bindparam("b_pk"),
    TaskInstance.task_id == bindparam("b_task"),
    TaskInstance.map_index == bindparam("b_index"),
)


def _write_tasks(tx: Connection, changes: Sequence[RunChange]) -> None:
    new = [
        {
            "run_pk": change.run.pk,
            "task_id": task.task_id,
            "map_index": task.map_index,
            "dag_id": change.run.dag_id,
            **{name: getattr(task, name) for name in _FIELDS},
        }
        for change in changes
        for task in change.tasks.created
    ]
    if new:
        tx.execute(insert(_TASK), new)
    known = [
        {
            "b_pk": change.run.pk,
            "b_task": task.task_id,
            "b_index": task.map_index,
            **{f"v_{name}": getattr(task, name) for name in _FIELDS},
        }
        for change in changes
        for task in change.tasks.changed
    ]
    if known:
        tx.execute(_UPDATE_TASK, known)
    gone = [
        {"b_pk": change.run.pk, "b_task": task_id, "b_index": map_index}
        for change in changes
        for task_id, map_index in change.tasks.removed
    ]
    if gone:
        tx.execute(_DELETE_TASK, gone)


def _known(name: str) -> ColumnElement[Any]:
    """Set a column of an attempt, unless the fact does not know it: then what was said before stays."""
    column = _ATTEMPT.c[name]
    return func.coalesce(bindparam(f"v_{name}", type_=column.type), column, type_=column.type)


_START_ATTEMPT = (
    update(_ATTEMPT)
    .where(Attempt.id == bindparam("b_id"), Attempt.state != AttemptState.ENDED)
    .values(
        started_at=bindparam("v_at"),
        hostname=bindparam("v_hostname"),
        pid=bindparam("v_pid"),
        rendered=_known("rendered"),
    )
)
_END_ATTEMPT = (
    update(_ATTEMPT)
    .where(Attempt.id == bindparam("b_id"), Attempt.state != AttemptState.ENDED)
    .values(
        state=AttemptState.ENDED,
        outcome=bindparam("v_outcome"),
        started_at=_known("started_at"),
        ended_at=bindparam("v_at"),
        error=bindparam("v_error"),
        hostname=_known("hostname"),
        pid=_known("pid"),
        rendered=_known("rendered"),
        exit_code=bindparam("v_exit_code"),
        signal=bindparam("v_signal"),
        peak_rss_bytes=bindparam("v_peak_rss_bytes"),
        cpu_seconds=bindparam("v_cpu_seconds"),
    )
)
_CANCEL_ATTEMPT = (
    update(_ATTEMPT)
    .where(Attempt.id == bindparam("b_id"), Attempt.state == AttemptState.RUNNING)
    .values(state=AttemptState.CANCELLING)
)


def _write_attempts(tx: Connection, changes: Sequence[RunChange], now: datetime) -> None:
    new = [_new_row(change.run, attempt, now) for change in changes for attempt in change.attempts]
    if new:
        tx.execute(insert(_ATTEMPT), new)
    started = [
        {
            "b_id": fact.attempt_id,
            "v_at": fact.at,
            "v_hostname": fact.hostname,
            "v_pid": fact.pid,
            "v_rendered": fact.rendered,
        }
        for change in changes
        for fact in change.started
    ]
    if started:
        tx.execute(_START_ATTEMPT, started)
    close_attempts(tx, [fact for change in changes for fact in change.ended])
    cancel_attempts(tx, [attempt_id for change in changes for attempt_id in change.cancelled], now)


def cancel_attempts(tx: Connection, ids: Sequence[UUID], now: datetime) -> None:
    """Write down that nobody wants these attempts any more; those that nobody has claimed are over with that."""
    if ids:
        _drop_unclaimed(tx, ids, now)
        tx.execute(_CANCEL_ATTEMPT, [{"b_id": attempt_id} for attempt_id in ids])
        ring_workers(tx)


def _drop_unclaimed(tx: Connection, ids: Sequence[UUID], now: datetime) -> None:
    """End attempts that nobody has claimed, and tell their runs: nobody else ever will.

    Looked up and ended in one statement: one that a worker claims in between has a process, and ends with that.
    """
    dropped = tx.execute(
        update(_ATTEMPT)
        .where(Attempt.id.in_(ids), Attempt.state == AttemptState.QUEUED)
        .values(state=AttemptState.ENDED, outcome="cancelled", ended_at=now)
        .returning(Attempt.id, Attempt.fence, Attempt.run_pk)
    )
    facts = [AttemptEnded(row.id, row.fence, row.run_pk, Outcome.RETURNED, now) for row in dropped]
    send(tx, [fact_message(fact) for fact in facts], now)


def close_attempts(tx: Connection, facts: Sequence[AttemptEnded]) -> None:
    """Write down how attempts ended; one that has ended already is left alone."""
    if facts:
        tx.execute(_END_ATTEMPT, [_end_row(fact) for fact in facts])


def _new_row(run: RunView, attempt: NewAttempt, now: datetime) -> dict[str, Any]:
    is_claimed = attempt.supervisor_id is not None
    return {
        "id": attempt.id,
        "run_pk": run.pk,
        "task_id": attempt.key[0],
        "map_index": attempt.key[1],
        "try_number": attempt.try_number,
        "part": attempt.part,
        "state": AttemptState.RUNNING if is_claimed else AttemptState.QUEUED,
        "fence": 1 if is_claimed else 0,
        "executor": attempt.executor,
        "queue": attempt.queue,
        "pool": attempt.pool,
        "pool_slots": attempt.pool_slots,
        "supervisor_id": attempt.supervisor_id,
        "keys": attempt.keys,
        "queued_at": now,
    }


def _end_row(fact: AttemptEnded) -> dict[str, Any]:
    return {
        "b_id": fact.attempt_id,
        "v_outcome": fact.outcome.value,
        "v_started_at": fact.started_at,
        "v_at": fact.at,
        "v_error": fact.error,
        "v_rendered": fact.rendered,
        "v_hostname": fact.hostname or None,
        "v_pid": fact.pid or None,
        "v_exit_code": fact.exit_code,
        "v_signal": fact.signal,
        "v_peak_rss_bytes": fact.peak_rss_bytes,
        "v_cpu_seconds": fact.cpu_seconds,
    }


def _write_xcoms(tx: Connection, changes: Sequence[RunChange], now: datetime) -> None:
    cleared = [
        {"b_pk": change.run.pk, "b_task": task_id, "b_index": map_index}
        for change in changes
        for task_id, map_index in change.xcoms_cleared
    ]
    if cleared:
        tx.execute(_CLEAR_XCOMS, cleared)
    rows = [
        {
            "run_pk": change.run.pk,
            "task_id": task_id,
            "map_index": map_index,
            "key": value.key,
            "value": value.value,
            "location": value.location,
            "size_bytes": value.size_bytes,
            "created_at": now,
        }
        for change in changes
        for (task_id, map_index), value in change.xcoms
    ]
    upsert_rows(tx, XCom, ("run_pk", "task_id", "map_index", "key"), rows)


_CLEAR_XCOMS = delete(_XCOM).where(
    XCom.run_pk == bindparam("b_pk"), XCom.task_id == bindparam("b_task"), XCom.map_index == bindparam("b_index")
)
