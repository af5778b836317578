"""Statements by which a backfill goes on: its window, its next dates, their runs. The caller holds the backfill's row.

Locks are taken in one order: rows of DAGs, rows of backfills by ascending id, rows of runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, Connection, String, cast, delete, exists, func, literal, or_, select, update

from tradewind.metadata import inbox
from tradewind.metadata.backfills import DEFAULT_MAX_ACTIVE_RUNS, TIMER, BackfillRecord
from tradewind.metadata.models import Backfill, BackfillSlot, DagRun, RunInbox, Timer
from tradewind.metadata.runs import RunRecord, get_runs
from tradewind.metadata.timers import START, TimerRow
from tradewind.model.backfills import BackfillOutcome, SlotState
from tradewind.model.commands import ClearTasks
from tradewind.model.states import FINAL_RUN_STATES, RunState, RunType

_REQUESTS: Final = UUID("6f6d2b0e-6a0c-4b43-9a34-0f4ac1b6c2ad")
_ACTIVE: Final = (RunState.QUEUED, RunState.RUNNING)
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class WaitingSlot:
    """A date whose turn may have come."""

    ordinal: int
    dag_id: str
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    partition_key: str | None
    partition_date: datetime | None
    run_id: str

    @property
    def date(self) -> datetime:
        """Its place on the axis of time."""
        return self.logical_date or self.partition_date or self.run_after


@dataclass(frozen=True, slots=True)
class OtherSlot:
    """A date of a DAG that others wait for."""

    dag_id: str
    date: datetime
    state: SlotState
    run_id: str
    run_pk: int | None
    run_state: RunState | None
    is_own: bool  # the run is part of the backfill, whose end wakes it
    is_asked: bool  # it is to be done again, and is not yet


def run_timer(backfill_id: int, run_pk: int, now: datetime) -> TimerRow:
    """Return the timer that the end of a run of a backfill sets.

    Each run has its own, so that who commits its end waits for nobody who looks at the backfill meanwhile.
    """
    return TimerRow(f"{TIMER}:{backfill_id}:{run_pk}", TIMER, now)


def backfill_of(timer_key: str) -> int:
    """Return which backfill a timer is about."""
    return int(timer_key.split(":")[1])


def backfills_with_queued_runs(tx: Connection) -> list[int]:
    """Return the backfills that have queued runs."""
    query = select(DagRun.backfill_id).where(DagRun.state == RunState.QUEUED, DagRun.backfill_id.is_not(None))
    return [pk for pk in tx.execute(query.distinct()).scalars() if pk is not None]


# --- the window ------------------------------------------------------------------------------------------------------


def count_active(tx: Connection, backfill_id: int) -> int:
    """Return how many runs of a backfill are queued or running, or were asked to be done again and will be.

    One statement, so that a run whose wish is folded meanwhile is counted once, as the one or as the other.
    """
    active = select(func.count()).where(DagRun.backfill_id == backfill_id, DagRun.state.in_(_ACTIVE))
    asked = (
        select(func.count())
        .select_from(BackfillSlot)
        .join(DagRun, DagRun.id == BackfillSlot.run_pk)
        .where(_is_asked(backfill_id), _looks_the_same(), _has_wish())
    )
    return int(tx.execute(select(active.scalar_subquery() + asked.scalar_subquery())).scalar_one())


def settle_asked(tx: Connection, backfill_id: int) -> None:
    """Note of the dates whose wish was folded that it was: their runs speak for themselves from now on.

    Where it changed nothing, the date is skipped: there was nothing to do again.
    """
    query = (
        select(BackfillSlot.ordinal, _looks_the_same().label("is_idle"))
        .join(DagRun, DagRun.id == BackfillSlot.run_pk)
        .where(_is_asked(backfill_id), ~(_looks_the_same() & _has_wish()))
    )
    for ordinal, is_idle in tx.execute(query).all():
        if is_idle:
            mark_slot(tx, backfill_id, ordinal, SlotState.SKIPPED, "there was nothing to do again")
        slot = update(BackfillSlot).where(BackfillSlot.backfill_id == backfill_id, BackfillSlot.ordinal == ordinal)
        tx.execute(slot.values(asked_seq=None))


def _is_asked(backfill_id: int) -> ColumnElement[bool]:
    is_made = BackfillSlot.state == SlotState.MADE.value
    return (BackfillSlot.backfill_id == backfill_id) & BackfillSlot.asked_seq.is_not(None) & is_made


def _looks_the_same() -> ColumnElement[bool]:
    """Nothing has been written into the log of its run since it was asked to be done again."""
    return (BackfillSlot.asked_seq == DagRun.next_seq) & DagRun.state.in_(tuple(FINAL_RUN_STATES))


def _has_wish() -> ColumnElement[bool]:
    return exists().where(RunInbox.run_pk == DagRun.id, RunInbox.kind == inbox.COMMAND)


def claim_runs(tx: Connection, backfill: BackfillRecord, holder: UUID, limit: int) -> list[int]:
    """Claim the queued runs of a backfill that have a place in its window, in the order of their turns.

    A paused backfill starts none. One that is over starts those that somebody asked to be done again.
    """
    if backfill.is_open and backfill.is_paused:
        return []
    return _claim(tx, backfill.id, holder, limit, backfill.max_active_runs, backwards=backfill.run_backwards)


def claim_forgotten(tx: Connection, backfill_id: int, holder: UUID, limit: int) -> list[int]:
    """Claim the queued runs of a backfill whose row was cleaned away: somebody asked for them to be done again.

    There is no window any more, and no row to count it under; the usual one is kept as well as can be.
    """
    return _claim(tx, backfill_id, holder, limit, DEFAULT_MAX_ACTIVE_RUNS, backwards=False)


def _claim(
    tx: Connection, backfill_id: int, holder: UUID, limit: int, max_active_runs: int, *, backwards: bool
) -> list[int]:
    is_mine = DagRun.backfill_id == backfill_id
    running = int(tx.execute(select(func.count()).where(is_mine, DagRun.state == RunState.RUNNING)).scalar_one())
    places = min(limit, max_active_runs - running)
    if places <= 0:
        return []
    held_back = exists().where(Timer.key == literal(f"{START}:") + cast(DagRun.id, String))
    order = DagRun.run_after.desc() if backwards else DagRun.run_after.asc()
    pks = list(
        tx.execute(
            select(DagRun.id)
            .where(is_mine, DagRun.state == RunState.QUEUED, DagRun.held.is_(None), ~held_back)
            .order_by(order, DagRun.id)
            .limit(places)
            .with_for_update(skip_locked=True)
        ).scalars()
    )
    if pks:
        tx.execute(update(DagRun).where(DagRun.id.in_(pks)).values(claimed_by=holder, fence=DagRun.fence + 1))
    return pks


# --- dates -----------------------------------------------------------------------------------------------------------


def next_waiting(tx: Connection, backfill_id: int, limit: int, after: int = 0) -> list[WaitingSlot]:
    """Return the dates whose turn is next, behind an ordinal."""
    slot = BackfillSlot
    columns = (
        slot.ordinal, slot.dag_id, slot.logical_date, slot.data_interval_start, slot.data_interval_end, slot.run_after,
        slot.partition_key, slot.partition_date, slot.run_id,
    )  # fmt: skip
    query = select(*columns).where(_is_waiting(backfill_id), slot.ordinal > after).order_by(slot.ordinal).limit(limit)
    return [WaitingSlot(*row) for row in tx.execute(query)]


def has_waiting(tx: Connection, backfill_id: int) -> bool:
    """Return whether dates wait for their turns."""
    return bool(tx.execute(select(exists().where(_is_waiting(backfill_id)))).scalar())


def _is_waiting(backfill_id: int) -> ColumnElement[bool]:
    return (BackfillSlot.backfill_id == backfill_id) & (BackfillSlot.state == SlotState.WAITING.value)


def others(
    tx: Connection, backfill_id: int, dag_ids: Sequence[str], first: datetime, last: datetime
) -> list[OtherSlot]:
    """Return the dates of some DAGs of a backfill within a span, both ends included, with how their runs stand."""
    date = func.coalesce(
        BackfillSlot.logical_date, BackfillSlot.partition_date, BackfillSlot.run_after, type_=DagRun.run_after.type
    )
    slot = BackfillSlot
    query = (
        select(
            slot.dag_id, date.label("date"), slot.state, slot.run_id, slot.run_pk, DagRun.state.label("run_state"),
            func.coalesce(DagRun.backfill_id == backfill_id, False).label("is_own"),
            func.coalesce(slot.asked_seq == DagRun.next_seq, False).label("is_asked"),
        )
        .outerjoin(DagRun, DagRun.id == slot.run_pk)
        .where(slot.backfill_id == backfill_id, slot.dag_id.in_(dag_ids), date >= first, date <= last)
    )  # fmt: skip
    return [
        OtherSlot(
            row.dag_id, row.date, SlotState(row.state), row.run_id, row.run_pk, row.run_state, bool(row.is_own),
            bool(row.is_asked),
        )
        for row in tx.execute(query)
    ]  # fmt: skip


def mark_slot(
    tx: Connection,
    backfill_id: int,
    ordinal: int,
    state: SlotState,
    reason: str | None = None,
    *,
    run_pk: int | None = None,
    run_id: str | None = None,
    asked_seq: int | None = None,
) -> None:
    """Write down what became of a date. ``run_pk`` and ``run_id`` stay as they are when not given."""
    values: dict[str, Any] = {"state": state.value, "reason": reason}
    if run_pk is not None:
        values |= {"run_pk": run_pk, "run_id": run_id, "asked_seq": asked_seq}
    slot = update(BackfillSlot).where(BackfillSlot.backfill_id == backfill_id, BackfillSlot.ordinal == ordinal)
    tx.execute(slot.values(**values))


def complete(tx: Connection, backfill_id: int, outcome: BackfillOutcome, now: datetime) -> None:
    """Write down that nothing of a backfill waits or runs any more."""
    values = {"completed_at": now, "updated_at": now, "outcome": outcome.value, "is_paused": False}
    tx.execute(update(Backfill).where(Backfill.id == backfill_id).values(**values))


# --- runs ------------------------------------------------------------------------------------------------------------


def runs_of_dates(
    tx: Connection, dag_id: str, dates: Sequence[datetime], partition_keys: Sequence[str]
) -> dict[datetime | str, RunRecord]:
    """Return the runs that dates of a DAG have, by logical date and by partition key; of several the newest."""
    found: dict[datetime | str, RunRecord] = {}
    if dates:
        is_within = DagRun.logical_date.between(min(dates), max(dates))
        pks = list(tx.execute(select(DagRun.id).where(DagRun.dag_id == dag_id, is_within)).scalars())
        wanted = set(dates)
        for run in _get_runs(tx, pks):
            if run.logical_date in wanted:
                found[run.logical_date] = run
    for first in range(0, len(partition_keys), _CHUNK):
        is_one = DagRun.partition_key.in_(partition_keys[first : first + _CHUNK])
        pks = list(tx.execute(select(DagRun.id).where(DagRun.dag_id == dag_id, is_one)).scalars())
        for run in _get_runs(tx, pks):  # by ascending key: the newest stays
            found[run.partition_key or ""] = run
    return found


def _get_runs(tx: Connection, pks: Sequence[int]) -> list[RunRecord]:
    ordered = sorted(pks)
    return [run for first in range(0, len(pks), _CHUNK) for run in get_runs(tx, ordered[first : first + _CHUNK])]


def lock_run_of(tx: Connection, slot: WaitingSlot) -> RunRecord | None:
    """Return the run that a date has, holding its row so that it stays as it is, or None."""
    is_it = (
        DagRun.partition_key == slot.partition_key
        if slot.logical_date is None
        else DagRun.logical_date == slot.logical_date
    )
    query = select(DagRun.id).where(DagRun.dag_id == slot.dag_id, is_it).order_by(DagRun.id.desc()).limit(1)
    pk = tx.execute(query.with_for_update()).scalar()
    return None if pk is None else get_runs(tx, [pk])[0]


def ask_again(
    tx: Connection,
    backfill: BackfillRecord,
    ordinal: int,
    run: RunRecord,
    command: ClearTasks,
    conf: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    """Have a run done again as a part of the backfill. It looks as it did until a scheduler has folded the wish.

    Args:
        conf: takes the place of the run's own; None: that stays.
    """
    values: dict[str, Any] = {
        "run_type": RunType.BACKFILL,
        "backfill_id": backfill.id,
        "triggered_by": "backfill",
        "triggering_user": backfill.created_by,
    }
    if conf is not None:
        values["conf"] = dict(conf)
    tx.execute(update(DagRun).where(DagRun.id == run.pk).values(**values))
    request = uuid5(_REQUESTS, f"{backfill.id}:{ordinal}")
    inbox.send(tx, [inbox.command_message(run.pk, request, command)], now)
    mark_slot(
        tx, backfill.id, ordinal, SlotState.MADE, run_pk=run.pk, run_id=run.run_id, asked_seq=run.next_seq
    )  # fmt: skip


def _command_key(backfill_id: int, ordinal: int) -> str:
    return f"{inbox.COMMAND}:{uuid5(_REQUESTS, f'{backfill_id}:{ordinal}')}"


# --- the end by hand -------------------------------------------------------------------------------------------------


def cancel_dates(tx: Connection, backfill_id: int, reason: str, now: datetime) -> int:
    """Cancel all dates that wait, and take back the wishes that nobody has folded. Return how many there were."""
    slot = BackfillSlot
    waiting = update(slot).where(_is_waiting(backfill_id)).values(state=SlotState.CANCELLED.value, reason=reason)
    count = tx.execute(waiting).rowcount
    asked = select(slot.ordinal).where(
        slot.backfill_id == backfill_id, slot.state == SlotState.MADE.value, slot.asked_seq.is_not(None)
    )
    for ordinal in tx.execute(asked).scalars().all():
        if tx.execute(delete(RunInbox).where(RunInbox.key == _command_key(backfill_id, ordinal))).rowcount:
            mark_slot(tx, backfill_id, ordinal, SlotState.CANCELLED, reason)
            count += 1
    values = {"cancelled_at": now, "updated_at": now, "reason": reason}
    tx.execute(update(Backfill).where(Backfill.id == backfill_id).values(**values))
    return count


def has_failures(tx: Connection, backfill_id: int) -> bool:
    """Return whether a run of the backfill failed, or a date was given up since one did."""
    failed = (
        select(BackfillSlot.ordinal)
        .outerjoin(DagRun, DagRun.id == BackfillSlot.run_pk)
        .where(
            BackfillSlot.backfill_id == backfill_id,
            or_(
                BackfillSlot.state == SlotState.UPSTREAM_FAILED.value,
                (BackfillSlot.state == SlotState.MADE.value) & (DagRun.state == RunState.FAILED),
            ),
        )
    )
    return bool(tx.execute(select(exists(failed))).scalar())


def is_final(state: RunState | None) -> bool:
    """Return whether a run has ended; one that is gone has, too."""
    return state is None or state in FINAL_RUN_STATES
