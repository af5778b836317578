"""What would a backfill do with each date? Dates of the schedule and the runs that are there in, slots out: pure.

The dry run, the creation, and each moment at which a date has its turn ask the same functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Final

from tradewind.errors import UsageError
from tradewind.model.backfills import Action, Reprocess, Slot
from tradewind.model.states import FINAL_RUN_STATES, RunState
from tradewind.timetables.between import PastRun

IN_FLIGHT: Final = "in flight"
ALREADY_EXISTS: Final = "already exists"


@dataclass(frozen=True, slots=True)
class ExistingRun:
    """A run that a date has already."""

    pk: int
    run_id: str
    state: RunState
    task_subset: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What somebody wants of the dates of one DAG.

    Attributes:
        makes_missing: whether a date without a run gets one.
        tasks: what is done of each run; None: all.
    """

    reprocess: Reprocess = Reprocess.NONE
    makes_missing: bool = True
    tasks: Sequence[str] | None = None


def decide(existing: ExistingRun | None, rule: Rule) -> tuple[Action, str]:
    """Return what becomes of a date, and why."""
    if existing is None:
        return (Action.CREATE, "") if rule.makes_missing else (Action.SKIP, "it has no run, and none is to be made")
    state = existing.state
    if state not in FINAL_RUN_STATES:
        return Action.SKIP, f"{IN_FLIGHT}: run {existing.run_id!r} is {state.value}"
    is_wanted = rule.reprocess is Reprocess.COMPLETED or (
        rule.reprocess is Reprocess.FAILED and state is RunState.FAILED
    )
    if not is_wanted:
        return Action.SKIP, f"{ALREADY_EXISTS}: run {existing.run_id!r} is {state.value}"
    if existing.task_subset is not None:
        lacking = sorted(set(rule.tasks or ()) - set(existing.task_subset))
        if lacking or rule.tasks is None:
            has = ", ".join(sorted(existing.task_subset))
            return Action.SKIP, f"run {existing.run_id!r} consists of some tasks only ({has}), and others are wanted"
    return Action.RERUN, f"run {existing.run_id!r} is {state.value}"


def plan_slots(
    dag_id: str, dates: Iterable[PastRun], existing: Mapping[datetime | str, ExistingRun], rule: Rule
) -> list[Slot]:
    """Return the slots of one DAG, in the order of its dates.

    Args:
        existing: by logical date; by the key of its partition, where the DAG has those.
    """
    return [_slot(dag_id, past, existing.get(_key(past)), rule) for past in dates]


def _key(past: PastRun) -> datetime | str:
    return past.run.logical_date if past.partition is None else past.partition.key


def _slot(dag_id: str, past: PastRun, existing: ExistingRun | None, rule: Rule) -> Slot:
    action, reason = decide(existing, rule)
    if past.is_excluded and action is Action.CREATE:
        action, reason = Action.SKIP, "the schedule of the DAG leaves that day out"
    is_dated = past.partition is None
    return Slot(
        dag_id=dag_id,
        logical_date=past.run.logical_date if is_dated else None,
        run_after=past.run.run_after,
        run_id=past.run_id if existing is None else existing.run_id,
        action=action,
        reason=reason,
        data_interval_start=past.run.interval.start if is_dated else None,
        data_interval_end=past.run.interval.end if is_dated else None,
        partition_key=None if past.partition is None else past.partition.key,
        partition_date=None if past.partition is None else past.partition.date,
        run_pk=None if existing is None else existing.pk,
    )


def dead_end(slots: Sequence[Slot], existing: Mapping[int, RunState]) -> Slot | None:
    """Return a date that is left as it is though its run failed, when later dates of the DAG are to be done.

    Args:
        slots: of one DAG, whose tasks depend on their past: those of the next date would wait for ever.
        existing: the states of the runs that are there, by key.
    """
    failed: Slot | None = None
    for slot in sorted(slots, key=lambda one: one.date):
        if slot.action is Action.SKIP:
            is_failed = slot.run_pk is not None and existing.get(slot.run_pk) is RunState.FAILED
            failed = slot if is_failed else None
        elif failed is not None:
            return failed
    return None


def in_turn(slots: Iterable[Slot], waits_for: Mapping[str, Sequence[str]], *, backwards: bool) -> list[Slot]:
    """Return the slots of all DAGs in the order of their turns: by time, and a DAG behind those that it waits for.

    Raises:
        UsageError: the DAGs wait for each other in a ring.
    """
    slots = list(slots)
    dag_ids = sorted({slot.dag_id for slot in slots} | set(waits_for))
    sorter = TopologicalSorter({dag_id: sorted(waits_for.get(dag_id, ())) for dag_id in dag_ids})
    try:
        place = {dag_id: number for number, dag_id in enumerate(sorter.static_order())}
    except CycleError as error:
        ring = " -> ".join(error.args[1])
        raise UsageError(
            f"The DAGs wait for each other in a ring: {ring}. Leave one of them out, or change --order."
        ) from None
    # Two stable sorts: time may run backwards, but never what stands within one instant.
    slots.sort(key=lambda slot: (place[slot.dag_id], slot.date))
    slots.sort(key=lambda slot: slot.run_after, reverse=backwards)
    return slots


class Standing(StrEnum):
    """How a date stands that others wait for."""

    OPEN = "open"  # nothing is decided yet
    GOOD = "good"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A date that others wait for, or its run."""

    dag_id: str
    date: datetime
    run_id: str
    standing: Standing


def waits_or_fails(
    date: datetime, interval: tuple[datetime, datetime] | None, upstreams: Iterable[Upstream]
) -> Upstream | None:
    """Return what keeps a date from having its turn: a run that failed, else one that has not ended; or None.

    Args:
        interval: the data that the date is about: all that happened above within it is meant, else the same instant.
    """
    meant = [one for one in upstreams if _belongs(one.date, date, interval)]
    failed = (one for one in meant if one.standing is Standing.FAILED)
    still_open = (one for one in meant if one.standing is Standing.OPEN)
    return next(failed, None) or next(still_open, None)


def _belongs(upstream: datetime, date: datetime, interval: tuple[datetime, datetime] | None) -> bool:
    return upstream == date or (interval is not None and interval[0] <= upstream < interval[1])
