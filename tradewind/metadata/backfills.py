"""Statements about backfills that people see: create, find, count, pause. How they go on is in ``backfill_window``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, insert, or_, select, update

from tradewind.errors import NotFound
from tradewind.metadata.database import ring
from tradewind.metadata.models import Backfill, BackfillSlot, DagRun
from tradewind.metadata.timers import TimerRow, set_timers
from tradewind.model.backfills import Action, BackfillOutcome, BackfillPlan, Only, Reprocess, Slot, SlotState
from tradewind.model.states import RunState

TIMER: Final = "backfill"
"""The kind of a timer that says: look how far a backfill has come."""
DEFAULT_MAX_ACTIVE_RUNS: Final = 10
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class BackfillRecord:
    """One backfill as plain data."""

    id: int
    dag_ids: Sequence[str]
    from_date: datetime
    to_date: datetime
    conf: Mapping[str, Any] | None
    reprocess: Reprocess
    makes_missing: bool
    max_active_runs: int
    run_backwards: bool
    run_on_latest_version: bool
    waits_for: Mapping[str, Sequence[str]]
    tasks: Mapping[str, Sequence[str]]
    task_patterns: Sequence[str]
    is_paused: bool
    reason: str | None
    created_at: datetime
    created_by: str | None
    updated_at: datetime
    cancelled_at: datetime | None
    completed_at: datetime | None
    outcome: BackfillOutcome | None

    @property
    def is_open(self) -> bool:
        """Whether it may still make runs."""
        return self.cancelled_at is None and self.completed_at is None

    @property
    def state(self) -> str:
        """One word for people: running, paused, cancelling, or the outcome."""
        if self.outcome is not None:
            return self.outcome.value
        if self.cancelled_at is not None:
            return "cancelling"
        return "paused" if self.is_paused else "running"


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """One date of a backfill, with what became of its run."""

    backfill_id: int
    ordinal: int
    dag_id: str
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    partition_key: str | None
    partition_date: datetime | None
    run_id: str
    run_pk: int | None
    state: SlotState
    reason: str | None
    asked_seq: int | None
    run_state: RunState | None
    run_started_at: datetime | None
    run_ended_at: datetime | None
    run_reason: str | None
    is_asked: bool  # its run is to be done again, and is not yet

    @property
    def date(self) -> datetime:
        """Its place on the axis of time."""
        return self.logical_date or self.partition_date or self.run_after


@dataclass(frozen=True, slots=True)
class BackfillCounts:
    """How many dates of a backfill stand where. A run that is to be done again, and is not yet, counts as queued."""

    waiting: int = 0
    queued: int = 0
    running: int = 0
    success: int = 0
    failed: int = 0
    skipped: int = 0
    upstream_failed: int = 0
    cancelled: int = 0
    gone: int = 0  # its run was deleted since

    @property
    def total(self) -> int:
        """All dates."""
        return self.open + self.done + self.skipped + self.upstream_failed + self.cancelled

    @property
    def open(self) -> int:
        """Those that are not decided yet."""
        return self.waiting + self.queued + self.running

    @property
    def done(self) -> int:
        """Those whose runs have ended."""
        return self.success + self.failed + self.gone


_ROW: Final = Backfill.__table__
_SLOT: Final = BackfillSlot.__table__
_STATE: Final = list(_SLOT.columns.keys()).index("state")


def insert_backfill(tx: Connection, plan: BackfillPlan, user: str | None, now: datetime) -> int:
    """Store a backfill with all its dates, have a scheduler look at it at once, and return its id."""
    wanted = plan.wanted
    backfill_id: int = tx.execute(
        insert(Backfill)
        .values(
            dag_ids=list(wanted.dag_ids),
            from_date=wanted.from_date,
            to_date=wanted.to_date,
            conf=None if wanted.conf is None else dict(wanted.conf),
            reprocess_behavior=(wanted.reprocess or Reprocess.NONE).value,
            makes_missing=wanted.only is not Only.FAILED,
            max_active_runs=wanted.max_active_runs or DEFAULT_MAX_ACTIVE_RUNS,
            run_backwards=wanted.run_backwards,
            run_on_latest_version=wanted.run_on_latest_version,
            plan={
                "waits_for": {dag_id: list(others) for dag_id, others in plan.waits_for.items()},
                "tasks": {dag_id: list(ids) for dag_id, ids in plan.tasks.items()},
                "task_patterns": list(wanted.tasks),
            },
            is_paused=False,
            created_at=now,
            created_by=user,
            updated_at=now,
        )
        .returning(Backfill.id)
    ).scalar_one()
    rows = [_slot_row(backfill_id, ordinal, slot) for ordinal, slot in enumerate(plan.slots, 1)]
    for first in range(0, len(rows), _BATCH):
        tx.execute(insert(BackfillSlot), rows[first : first + _BATCH])
    wake(tx, backfill_id, now)
    return backfill_id


def _slot_row(backfill_id: int, ordinal: int, slot: Slot) -> dict[str, Any]:
    return {
        "backfill_id": backfill_id,
        "ordinal": ordinal,
        "dag_id": slot.dag_id,
        "logical_date": slot.logical_date,
        "data_interval_start": slot.data_interval_start,
        "data_interval_end": slot.data_interval_end,
        "run_after": slot.run_after,
        "partition_key": slot.partition_key,
        "partition_date": slot.partition_date,
        "run_id": slot.run_id,
        "run_pk": slot.run_pk if slot.action is Action.SKIP else None,  # a run that is there: others may wait for it
        "state": (SlotState.SKIPPED if slot.action is Action.SKIP else SlotState.WAITING).value,
        "reason": slot.reason or None if slot.action is Action.SKIP else None,
        "asked_seq": None,
    }


def wake(tx: Connection, backfill_id: int, now: datetime) -> None:
    """Have a scheduler look at a backfill at once."""
    set_timers(tx, [TimerRow(f"{TIMER}:{backfill_id}", TIMER, now)])
    ring(tx, TIMER)


def find_backfill(tx: Connection, backfill_id: int, *, lock: bool = False) -> BackfillRecord | None:
    """Return a backfill, or None. With ``lock`` its row is held until the transaction ends."""
    query = select(*_ROW.columns).where(Backfill.id == backfill_id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _record(row)


def get_backfill(tx: Connection, backfill_id: int, *, lock: bool = False) -> BackfillRecord:
    """Return a backfill.

    Raises:
        NotFound: there is none with that id.
    """
    found = find_backfill(tx, backfill_id, lock=lock)
    if found is None:
        known = [str(row.id) for row in list_backfills(tx, limit=100)]
        raise NotFound("Backfill", str(backfill_id), known, "`tradewind backfill list` shows what there is.")
    return found


def list_backfills(
    tx: Connection, *, dag_id: str | None = None, only_open: bool = False, limit: int = 100, offset: int = 0
) -> list[BackfillRecord]:
    """Return backfills, the newest first.

    Args:
        dag_id: only those that have dates of this DAG.
        only_open: only those of which something waits or runs.
    """
    query = select(*_ROW.columns).where(_about(dag_id, only_open)).order_by(Backfill.id.desc())
    return [_record(row) for row in tx.execute(query.limit(limit).offset(offset))]


def count_backfills(tx: Connection, *, dag_id: str | None = None, only_open: bool = False) -> int:
    """Return how many :func:`list_backfills` would give, page by page."""
    query = select(func.count()).select_from(Backfill).where(_about(dag_id, only_open))
    return int(tx.execute(query).scalar_one())


def _about(dag_id: str | None, only_open: bool) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [Backfill.id.is_not(None)]
    if dag_id is not None:
        parts.append(exists().where(BackfillSlot.backfill_id == Backfill.id, BackfillSlot.dag_id == dag_id))
    if only_open:
        parts.append(Backfill.completed_at.is_(None))
    return and_(*parts)


def open_backfill_of(tx: Connection, dag_ids: Sequence[str]) -> BackfillRecord | None:
    """Return a backfill that may still make runs of one of these DAGs, if there is one."""
    query = select(*_ROW.columns).where(Backfill.completed_at.is_(None), Backfill.cancelled_at.is_(None))
    found = (_record(row) for row in tx.execute(query.order_by(Backfill.id)))
    return next((record for record in found if set(record.dag_ids) & set(dag_ids)), None)


def count_slots(tx: Connection, backfill_id: int) -> BackfillCounts:
    """Return how many dates of a backfill stand where."""
    is_asked = and_(BackfillSlot.asked_seq.is_not(None), DagRun.next_seq == BackfillSlot.asked_seq)
    query = (
        select(BackfillSlot.state, DagRun.state, is_asked, func.count())
        .select_from(BackfillSlot)
        .outerjoin(DagRun, DagRun.id == BackfillSlot.run_pk)
        .where(BackfillSlot.backfill_id == backfill_id)
        .group_by(BackfillSlot.state, DagRun.state, is_asked)
    )
    counts: dict[str, int] = {}
    for state, run_state, asked, number in tx.execute(query):
        name = _place(SlotState(state), run_state, bool(asked))
        counts[name] = counts.get(name, 0) + int(number)
    return BackfillCounts(**counts)


def _place(state: SlotState, run_state: RunState | None, is_asked: bool) -> str:
    if state is not SlotState.MADE:
        return state.value
    if run_state is None:
        return "gone"
    return "queued" if is_asked else run_state.value


def list_slots(
    tx: Connection, backfill_id: int, *, limit: int = 100, offset: int = 0, states: Sequence[SlotState] = ()
) -> list[SlotRecord]:
    """Return dates of a backfill in the order of their turns."""
    query = (
        select(
            *_SLOT.columns,
            DagRun.state.label("run_state"),
            DagRun.started_at,
            DagRun.ended_at,
            DagRun.reason,
            DagRun.next_seq,
        )
        .outerjoin(DagRun, DagRun.id == BackfillSlot.run_pk)
        .where(BackfillSlot.backfill_id == backfill_id)
        .order_by(BackfillSlot.ordinal)
        .limit(limit)
        .offset(offset)
    )
    if states:
        query = query.where(BackfillSlot.state.in_([state.value for state in states]))
    found: list[SlotRecord] = []
    for row in tx.execute(query):
        *values, next_seq = row
        values[_STATE] = SlotState(values[_STATE])
        is_asked = row.asked_seq is not None and row.asked_seq == next_seq
        found.append(SlotRecord(*[*values, is_asked]))
    return found


def set_paused(tx: Connection, backfill_id: int, paused: bool, now: datetime, reason: str | None = None) -> None:
    """Let a backfill start nothing new, or go on. ``reason``: why, when nobody asked for it."""
    values = {"is_paused": paused, "reason": reason, "updated_at": now}
    tx.execute(update(Backfill).where(Backfill.id == backfill_id).values(**values))
    if not paused:
        wake(tx, backfill_id, now)


def active_runs(tx: Connection, backfill_id: int) -> list[tuple[int, RunState]]:
    """Return the runs of a backfill that have not ended, by key and state."""
    query = select(DagRun.id, DagRun.state).where(
        DagRun.backfill_id == backfill_id, or_(DagRun.state == RunState.QUEUED, DagRun.state == RunState.RUNNING)
    )
    return [(row.id, row.state) for row in tx.execute(query.order_by(DagRun.id))]


def _record(row: Row[Any]) -> BackfillRecord:
    plan = row.plan
    return BackfillRecord(
        id=row.id,
        dag_ids=tuple(row.dag_ids),
        from_date=row.from_date,
        to_date=row.to_date,
        conf=row.conf,
        reprocess=Reprocess(row.reprocess_behavior),
        makes_missing=row.makes_missing,
        max_active_runs=row.max_active_runs,
        run_backwards=row.run_backwards,
        run_on_latest_version=row.run_on_latest_version,
        waits_for=plan.get("waits_for", {}),
        tasks=plan.get("tasks", {}),
        task_patterns=tuple(plan.get("task_patterns", ())),
        is_paused=row.is_paused,
        reason=row.reason,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        cancelled_at=row.cancelled_at,
        completed_at=row.completed_at,
        outcome=None if row.outcome is None else BackfillOutcome(row.outcome),
    )
