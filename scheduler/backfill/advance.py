"""How does a backfill go on? A window slides over its dates: a run is made when there is a place for it, not before.

Any number of schedulers may do this at once: all is counted and written under the lock of the backfill's row. They are
woken by a timer, which is set when somebody asks for something, and in the commit in which a run of a backfill ends.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from scheduler.backfill.slots import ExistingRun, Rule, Standing, Upstream, decide, waits_or_fails
from tradewind.errors import Conflict, TradewindError
from tradewind.metadata import backfill_window as window
from tradewind.metadata import backfills, dags, runs
from tradewind.metadata.backfill_window import OtherSlot, WaitingSlot
from tradewind.metadata.backfills import BackfillRecord
from tradewind.metadata.runs import NewRun, RunRecord
from tradewind.metadata.timers import TimerRow, clear_timers, set_timers
from tradewind.model.backfills import Action, BackfillOutcome, SlotState
from tradewind.model.commands import ClearTasks, Selection
from tradewind.model.states import RunState, RunType

log = logging.getLogger(__name__)

_BATCH: Final = 200
"""Dates that one turn decides about at most, so that its transaction stays short."""
_FOREIGN_WAIT: Final = timedelta(seconds=10)
"""When to look again at a run of somebody else that dates wait for: its end does not wake the backfill."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did.

    Attributes:
        claimed: runs that have a place in their window and begin now.
        has_more: dates were left for the next turn, which should come at once.
    """

    claimed: Sequence[int] = ()
    has_more: bool = False


def move_backfills(
    tx: Connection, due: Sequence[TimerRow], now: datetime, holder: UUID, limit: int, *, must_claim: bool
) -> Turn:
    """Make the runs that have places, and claim those that may start.

    Args:
        due: timers of backfills; they are taken away.
        holder: who claims.
        limit: how many runs to claim at most.
        must_claim: also claim runs of backfills for which no timer is due.
    """
    woken: dict[int, list[str]] = defaultdict(list)
    for timer in due:
        woken[window.backfill_of(timer.key)].append(timer.key)
    queued = window.backfills_with_queued_runs(tx) if woken or must_claim else []
    claimed: list[int] = []
    has_more = False
    for backfill_id in sorted({*woken, *queued}):  # in one order: two schedulers lock the same rows
        backfill = backfills.find_backfill(tx, backfill_id, lock=True)
        clear_timers(tx, woken.get(backfill_id, ()))  # behind the lock, as whoever sets one does
        if backfill is None:
            claimed.extend(window.claim_forgotten(tx, backfill_id, holder, limit))
            continue
        if backfill_id in woken:
            has_more |= _advance(tx, backfill, now)
        claimed.extend(window.claim_runs(tx, backfill, holder, limit))
    return Turn(claimed, has_more)


def _advance(tx: Connection, backfill: BackfillRecord, now: datetime) -> bool:
    """Fill the window, and end the backfill when nothing is left. Returns whether dates were left for another turn."""
    if backfill.completed_at is not None:
        return False
    window.settle_asked(tx, backfill.id)
    active = window.count_active(tx, backfill.id)
    has_more = False
    if backfill.is_open and not backfill.is_paused:
        filling = _Filling(tx, backfill, now, backfill.max_active_runs - active)
        try:
            has_more = filling.fill()
        except _CannotGoOn as error:
            log.warning("backfill %d is paused: %s", backfill.id, error)
            backfills.set_paused(tx, backfill.id, True, now, str(error))
            return False
        active += filling.made
    if not active and not has_more and not window.has_waiting(tx, backfill.id):
        outcome = _outcome(tx, backfill)
        window.complete(tx, backfill.id, outcome, now)
        log.info("backfill %d is over: %s", backfill.id, outcome.value)
    if has_more:
        backfills.wake(tx, backfill.id, now)
    return has_more


def _outcome(tx: Connection, backfill: BackfillRecord) -> BackfillOutcome:
    if backfill.cancelled_at is not None:
        return BackfillOutcome.CANCELLED
    return BackfillOutcome.FAILED if window.has_failures(tx, backfill.id) else BackfillOutcome.SUCCESS


class _CannotGoOn(TradewindError):
    """Somebody has to mend something before the next run can be made: the backfill is paused with this text."""

    code = "backfill-paused"


class _Filling:
    """One turn of one backfill, whose row is locked: gives the free places of its window to the next dates."""

    def __init__(self, tx: Connection, backfill: BackfillRecord, now: datetime, places: int) -> None:
        self._tx: Final = tx
        self._backfill: Final = backfill
        self._now: Final = now
        self._places = places
        self._versions: dict[str, int] = {}
        self.made = 0

    def fill(self) -> bool:
        """Use the places up. Returns whether this turn was too short for it.

        Raises:
            _CannotGoOn: a DAG is gone, or lacks tasks that are wanted.
        """
        decided = after = 0
        while self.made < self._places:
            slots = window.next_waiting(self._tx, self._backfill.id, _BATCH, after)
            blockers = self._blockers(slots)
            for slot in slots:
                if self.made >= self._places:
                    return False
                blocker = blockers.get(slot.ordinal)
                if blocker is None:
                    self._decide(slot)
                elif blocker.standing is Standing.FAILED:
                    self._give_up(slot, blocker)
                else:
                    continue
                decided += 1
            if len(slots) < _BATCH:
                return False
            if decided >= _BATCH:
                return True
            after = slots[-1].ordinal
        return False

    # --- what others have to do first --------------------------------------------------------------------------------

    def _blockers(self, slots: Sequence[WaitingSlot]) -> Mapping[int, Upstream]:
        """Return, for each date that must not have its turn yet, what is in its way."""
        wanted = [slot for slot in slots if self._backfill.waits_for.get(slot.dag_id)]
        if not wanted:
            return {}
        dag_ids = sorted({other for slot in wanted for other in self._backfill.waits_for[slot.dag_id]})
        first = min(min(slot.date, slot.data_interval_start or slot.date) for slot in wanted)
        last = max(max(slot.date, slot.data_interval_end or slot.date) for slot in wanted)
        above: dict[str, list[Upstream]] = {dag_id: [] for dag_id in dag_ids}
        for other in window.others(self._tx, self._backfill.id, dag_ids, first, last):
            above[other.dag_id].append(Upstream(other.dag_id, other.date, other.run_id, _standing(other)))
            self._watch(other)
        found: dict[int, Upstream] = {}
        for slot in wanted:
            start, end = slot.data_interval_start, slot.data_interval_end
            interval = None if start is None or end is None else (start, end)
            upstreams = [one for dag_id in self._backfill.waits_for[slot.dag_id] for one in above[dag_id]]
            blocker = waits_or_fails(slot.date, interval, upstreams)
            if blocker is not None:
                found[slot.ordinal] = blocker
        return found

    def _watch(self, other: OtherSlot) -> None:
        is_foreign = other.state is SlotState.SKIPPED and not window.is_final(other.run_state)
        if is_foreign and not other.is_own:
            timer = TimerRow(f"{backfills.TIMER}:{self._backfill.id}:wait", backfills.TIMER, self._now + _FOREIGN_WAIT)
            set_timers(self._tx, [timer])

    def _give_up(self, slot: WaitingSlot, blocker: Upstream) -> None:
        reason = f"DAG {blocker.dag_id!r}, which it waits for, failed: run {blocker.run_id!r}"
        window.mark_slot(self._tx, self._backfill.id, slot.ordinal, SlotState.UPSTREAM_FAILED, reason)

    # --- one date ----------------------------------------------------------------------------------------------------

    def _decide(self, slot: WaitingSlot) -> None:
        version_id = self._version(slot.dag_id)
        tasks = self._backfill.tasks.get(slot.dag_id)
        rule = Rule(self._backfill.reprocess, self._backfill.makes_missing, tasks)
        there = window.lock_run_of(self._tx, slot)
        action, reason = decide(_existing(there), rule)
        if action is Action.CREATE:
            there = self._make(slot, version_id, tasks)
            if there is None:
                return
            action, reason = decide(_existing(there), rule)  # somebody was first
        if action is Action.RERUN and there is not None:
            self._run_again(slot, there, version_id, tasks)
            return
        pk, run_id = (None, None) if there is None else (there.pk, there.run_id)
        window.mark_slot(self._tx, self._backfill.id, slot.ordinal, SlotState.SKIPPED, reason, run_pk=pk, run_id=run_id)

    def _make(self, slot: WaitingSlot, version_id: int, tasks: Sequence[str] | None) -> RunRecord | None:
        """Make the run of a date. Returns the run that is in the way, when there is one."""
        new = NewRun(
            dag_id=slot.dag_id,
            run_id=self._free_run_id(slot),
            version_id=version_id,
            run_type=RunType.BACKFILL,
            triggered_by="backfill",
            triggering_user=self._backfill.created_by,
            run_after=slot.run_after,
            logical_date=slot.logical_date,
            data_interval_start=slot.data_interval_start,
            data_interval_end=slot.data_interval_end,
            partition_key=slot.partition_key,
            partition_date=slot.partition_date,
            conf=self._backfill.conf,
            backfill_id=self._backfill.id,
            task_subset=tasks,
        )
        try:
            pk = runs.insert_run(self._tx, new, self._now)
        except Conflict as conflict:
            there = window.lock_run_of(self._tx, slot)
            if there is None:
                raise _CannotGoOn(str(conflict)) from conflict
            return there
        window.mark_slot(self._tx, self._backfill.id, slot.ordinal, SlotState.MADE, run_pk=pk, run_id=new.run_id)
        self.made += 1
        return None

    def _free_run_id(self, slot: WaitingSlot) -> str:
        """A run of another date may have the name: one that was made by hand, or when the schedule was another."""
        taken = runs.find_run(self._tx, slot.dag_id, slot.run_id) is not None
        return f"{slot.run_id}__{self._backfill.id}" if taken else slot.run_id

    def _run_again(self, slot: WaitingSlot, run: RunRecord, version_id: int, tasks: Sequence[str] | None) -> None:
        is_newest = self._backfill.run_on_latest_version
        chosen = None if tasks is None else tuple(tasks)
        command = ClearTasks(Selection(chosen), version_id if is_newest else None, by=f"backfill {self._backfill.id}")
        window.ask_again(self._tx, self._backfill, slot.ordinal, run, command, self._backfill.conf, self._now)
        self.made += 1

    def _version(self, dag_id: str) -> int:
        """Return the newest version of a DAG, if it has all that is wanted of it."""
        if dag_id in self._versions:
            return self._versions[dag_id]
        dag = dags.find_dag(self._tx, dag_id)
        if dag is None or not dag.is_active or dag.version_id is None:
            raise _CannotGoOn(
                f"DAG {dag_id!r} is no longer defined by any file. Put the file back, then let the backfill go on."
            )
        wanted = self._backfill.tasks.get(dag_id, ())
        if wanted:
            known = {task.task_id for task in dags.load_spec(self._tx, dag.version_id).tasks}
            lacking = sorted(set(wanted) - known)
            if lacking:
                raise _CannotGoOn(
                    f"the newest version of DAG {dag_id!r} has no task {', '.join(map(repr, lacking))}. Put it back "
                    "and let the backfill go on, or cancel the backfill and create another."
                )
        self._versions[dag_id] = dag.version_id
        return dag.version_id


def _existing(run: RunRecord | None) -> ExistingRun | None:
    return None if run is None else ExistingRun(run.pk, run.run_id, run.state, run.task_subset)


def _standing(other: OtherSlot) -> Standing:
    if other.state is SlotState.UPSTREAM_FAILED:
        return Standing.FAILED
    if other.state is SlotState.WAITING or other.is_asked:
        return Standing.OPEN
    if other.run_state is RunState.FAILED:
        return Standing.FAILED
    return Standing.GOOD if window.is_final(other.run_state) else Standing.OPEN
