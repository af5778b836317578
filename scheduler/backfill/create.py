"""How does a backfill come to be, and how is it steered? Behind the command line, the REST API and the UI alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from scheduler.backfill.choice import choose_tasks, find_waits, tasks_on_past
from scheduler.backfill.slots import ExistingRun, Rule, dead_end, in_turn, plan_slots
from tradewind.config import Config
from tradewind.errors import Conflict, UsageError
from tradewind.metadata import audit, backfills, coming_runs, dags, inbox, runs
from tradewind.metadata import backfill_window as window
from tradewind.metadata.backfills import BackfillRecord
from tradewind.metadata.database import Database
from tradewind.metadata.inbox import Message
from tradewind.metadata.runs import RunRecord
from tradewind.metadata.triggering import validate_conf
from tradewind.model.backfills import BackfillPlan, Only, Reprocess, Slot, WantedBackfill
from tradewind.model.spec import DagSpec
from tradewind.model.states import RunState
from tradewind.timetables import OwnCodeNeeded, from_spec, is_excluded
from tradewind.timetables.between import PastRun, is_periodic, runs_between
from tradewind.timetables.zones import zone_of

MAX_ACTIVE_RUNS: Final = 1_000


def plan_backfill(db: Database, config: Config, wanted: WantedBackfill, now: datetime | None = None) -> BackfillPlan:
    """Return what a backfill would do, date by date; nothing is changed.

    Raises:
        NotFound: no such DAG.
        UsageError: what is wanted makes no sense for these DAGs; says the mend.
        Conflict: a DAG's file is gone.
        DagError: the DAG's timetable is the user's own code, and gave no answer.
    """
    at = now or db.now()
    wanted = _checked(wanted, at)
    with db.read() as tx:
        found = [_read(tx, dag_id, wanted) for dag_id in wanted.dag_ids]
    dates = {dag.spec.dag_id: _dates(db, config, dag, wanted, at) for dag in found}
    waits_for = find_waits([dag.spec for dag in found], wanted.order)
    slots: list[Slot] = []
    with db.read() as tx:
        for dag in found:
            slots.extend(_slots(tx, dag, dates[dag.spec.dag_id], wanted))
    return BackfillPlan(
        wanted=wanted,
        slots=tuple(in_turn(slots, waits_for, backwards=wanted.run_backwards)),
        waits_for=waits_for,
        tasks={dag.spec.dag_id: dag.tasks for dag in found if dag.tasks is not None},
        notes=tuple(_notes(found, wanted, at)),
    )


def create_backfill(
    db: Database, config: Config, wanted: WantedBackfill, *, user: str, via: str = "cli", now: datetime | None = None
) -> BackfillRecord:
    """Create a backfill: the dates that :func:`plan_backfill` finds. The schedulers make its runs.

    Raises:
        Conflict: a backfill of one of the DAGs is under way, or a DAG's file is gone.
        NotFound, UsageError, DagError: as of :func:`plan_backfill`; also when no date lies within the span.
    """
    with db.read() as tx:
        _refuse_second(tx, wanted.dag_ids)  # before the work of planning; it is asked again behind the lock
    return store_plan(db, plan_backfill(db, config, wanted, now), user=user, via=via, now=now)


def store_plan(
    db: Database, plan: BackfillPlan, *, user: str, via: str = "cli", now: datetime | None = None
) -> BackfillRecord:
    """Create the backfill that was planned. Runs that came meanwhile are seen when a date has its turn.

    Raises:
        Conflict: a backfill of one of the DAGs is under way.
        UsageError: no date lies within the span.
    """
    wanted = plan.wanted
    if not plan.slots:
        raise UsageError(
            f"No runs to create for {_named(wanted.dag_ids)}: no date of the schedule lies from "
            f"{wanted.from_date.isoformat()} to {wanted.to_date.isoformat()}, or none that is due already. "
            "Widen --from-date and --to-date."
        )
    at = now or db.now()
    with db.write() as tx:
        for dag_id in sorted(wanted.dag_ids):
            runs.lock_dag(tx, dag_id)
        _refuse_second(tx, wanted.dag_ids)
        backfill_id = backfills.insert_backfill(tx, plan, user, at)
        for dag_id in wanted.dag_ids:
            detail = {"backfill": backfill_id, "dates": sum(slot.dag_id == dag_id for slot in plan.slots)}
            audit.note(tx, at, actor=user, via=via, action="backfill.create", dag_id=dag_id, detail=detail)
        return backfills.get_backfill(tx, backfill_id)


def pause_backfill(db: Database, backfill_id: int, *, user: str, via: str = "cli") -> BackfillRecord:
    """Start nothing new of a backfill; what runs goes on.

    Raises:
        NotFound: there is none with that id.
        Conflict: it is over.
    """
    return _set_paused(db, backfill_id, True, user, via)


def unpause_backfill(db: Database, backfill_id: int, *, user: str, via: str = "cli") -> BackfillRecord:
    """Let a paused backfill go on.

    Raises:
        NotFound: there is none with that id.
        Conflict: it is over.
    """
    return _set_paused(db, backfill_id, False, user, via)


def _set_paused(db: Database, backfill_id: int, paused: bool, user: str, via: str) -> BackfillRecord:
    now = db.now()
    with db.write() as tx:
        record = _get_open(tx, backfill_id)
        if record.is_paused != paused:
            backfills.set_paused(tx, backfill_id, paused, now)
            _note(tx, record, now, user, via, "backfill.pause" if paused else "backfill.unpause")
        return backfills.get_backfill(tx, backfill_id)


def cancel_backfill(
    db: Database, backfill_id: int, *, user: str, via: str = "cli", stop_running: bool = False
) -> BackfillRecord:
    """End a backfill: no more runs are made, those that are queued fail with a reason, those that run go on.

    Args:
        stop_running: end those that run as well. It may be asked for later, too, while some still run.

    Raises:
        NotFound: there is none with that id.
        Conflict: it is over.
    """
    now = db.now()
    reason = f"backfill {backfill_id} was cancelled by {user}"
    with db.write() as tx:
        record = backfills.get_backfill(tx, backfill_id, lock=True)
        if record.completed_at is not None or (record.cancelled_at is not None and not stop_running):
            raise _over(record)
        if record.cancelled_at is None:
            window.cancel_dates(tx, backfill_id, reason, now)
        unwanted = (RunState.QUEUED, RunState.RUNNING) if stop_running else (RunState.QUEUED,)
        active = backfills.active_runs(tx, backfill_id)
        ends = [Message(pk, f"{inbox.CANCEL}:backfill", inbox.CANCEL, {"reason": reason}) for pk, state in active
                if state in unwanted]  # fmt: skip
        inbox.send(tx, ends, now)
        _note(tx, record, now, user, via, "backfill.cancel", {"stopped_runs": len(ends)})
        backfills.wake(tx, backfill_id, now)
        return backfills.get_backfill(tx, backfill_id)


def _get_open(tx: Connection, backfill_id: int) -> BackfillRecord:
    record = backfills.get_backfill(tx, backfill_id, lock=True)
    if not record.is_open:
        raise _over(record)
    return record


def _over(record: BackfillRecord) -> Conflict:
    if record.completed_at is None:
        return Conflict(
            f"Backfill {record.id} is cancelled already, and makes no more runs. Those that still run can be ended "
            f"with `tradewind backfill cancel {record.id} --stop-running`."
        )
    return Conflict(
        f"Backfill {record.id} is over: {record.state}. Create another with `tradewind backfill create`; "
        "--only failed does the dates again whose runs failed."
    )


def _note(
    tx: Connection,
    record: BackfillRecord,
    now: datetime,
    user: str,
    via: str,
    action: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    for dag_id in record.dag_ids:
        said = {"backfill": record.id, **(detail or {})}
        audit.note(tx, now, actor=user, via=via, action=action, dag_id=dag_id, detail=said)


# --- the plan --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Dag:
    """What is known of one DAG, and what is to be done of it."""

    spec: DagSpec
    version_id: int
    is_paused: bool
    tasks: tuple[str, ...] | None
    asked: coming_runs.Wanted | None  # its timetable is the user's own code


def _checked(wanted: WantedBackfill, now: datetime) -> WantedBackfill:
    """Return what is wanted without loose ends, or say why it makes no sense."""
    dag_ids = tuple(dict.fromkeys(wanted.dag_ids))
    if not dag_ids:
        raise UsageError("A backfill needs a DAG. Name it with --dag-id.")
    if wanted.from_date > wanted.to_date:
        raise UsageError(
            f"--from-date ({wanted.from_date.isoformat()}) must not be after --to-date ({wanted.to_date.isoformat()})."
        )
    if wanted.from_date > now:
        raise UsageError(
            f"A backfill is about the past, and --from-date ({wanted.from_date.isoformat()}) lies in the future."
        )
    if wanted.max_active_runs is not None and not 1 <= wanted.max_active_runs <= MAX_ACTIVE_RUNS:
        raise UsageError(f"--max-active-runs {wanted.max_active_runs} is not between 1 and {MAX_ACTIVE_RUNS:,}.")
    if not wanted.tasks and (wanted.with_upstream or wanted.with_downstream):
        raise UsageError("--with-upstream and --with-downstream say more about --tasks, which is not given.")
    return replace(wanted, dag_ids=dag_ids, reprocess=_reprocess(wanted))


def _reprocess(wanted: WantedBackfill) -> Reprocess:
    if wanted.only is None:
        return wanted.reprocess or Reprocess.NONE
    meant = Reprocess.NONE if wanted.only is Only.MISSING else Reprocess.FAILED
    if wanted.reprocess not in (None, meant):
        raise UsageError(
            f"--only {wanted.only.value} and --reprocess-behavior {wanted.reprocess.value} contradict each other. "
            "Give one of them."
        )
    return meant


def _read(tx: Connection, dag_id: str, wanted: WantedBackfill) -> _Dag:
    row = dags.get_dag(tx, dag_id)
    if not row.is_active or row.version_id is None:
        raise Conflict(
            f"DAG {dag_id!r} is no longer defined by {row.file_path!r}, so it cannot run. Put the file back first."
        )
    spec = dags.load_spec(tx, row.version_id)
    if not is_periodic(from_spec(spec.timetable)):
        raise UsageError(_no_dates(spec))
    validate_conf(spec, wanted.conf or {})
    tasks = choose_tasks(spec, wanted.tasks, with_upstream=wanted.with_upstream, with_downstream=wanted.with_downstream)
    on_past = tasks_on_past(spec, tasks)
    if wanted.run_backwards and on_past:
        raise UsageError(
            f"DAG {dag_id!r} cannot be filled backwards: task {on_past[0]!r} depends on its past, so each date waits "
            "for the one before it. Leave --run-backwards out."
        )
    return _Dag(spec, row.version_id, row.is_paused, tasks, coming_runs.find_asked(tx, dag_id))


def _no_dates(spec: DagSpec) -> str:
    schedule = spec.timetable.summary or "None"
    if spec.timetable.args.get("condition") is not None:
        return (
            f"DAG {spec.dag_id!r} is run for assets, not by the clock, so there are no dates to fill. Backfill the "
            "DAGs that update these assets: its runs follow by themselves."
        )
    return (
        f"DAG {spec.dag_id!r} has the schedule {schedule}, which says no dates to fill. Give it one that does "
        f'(schedule="@daily", say), or start single runs: `tradewind dags trigger {spec.dag_id} --logical-date DATE`.'
    )


def _dates(db: Database, config: Config, dag: _Dag, wanted: WantedBackfill, now: datetime) -> list[PastRun]:
    spec = dag.spec
    if dag.asked is None:
        try:
            return runs_between(spec, from_spec(spec.timetable), wanted.from_date, wanted.to_date, now)
        except OwnCodeNeeded as error:
            raise Conflict(f"DAG {spec.dag_id!r} changed meanwhile. Try again.") from error
    # Imported when first used: few DAGs have such a timetable.
    from scheduler.dagfiles.foresight import ask_between

    zone = zone_of(spec.timezone)
    return [
        PastRun(run, run.run_id, None, is_excluded(spec.policy.excluded, run.run_after.astimezone(zone).date()))
        for run in ask_between(config, db, dag.asked, wanted.from_date, wanted.to_date, now)
    ]


def _slots(tx: Connection, dag: _Dag, dates: Sequence[PastRun], wanted: WantedBackfill) -> list[Slot]:
    spec = dag.spec
    moments = [past.run.logical_date for past in dates if past.partition is None]
    keys = [past.partition.key for past in dates if past.partition is not None]
    there = window.runs_of_dates(tx, spec.dag_id, moments, keys)
    rule = Rule(wanted.reprocess or Reprocess.NONE, wanted.only is not Only.FAILED, dag.tasks)
    slots = plan_slots(spec.dag_id, dates, {date: _existing(run) for date, run in there.items()}, rule)
    on_past = tasks_on_past(spec, dag.tasks)
    stuck = dead_end(slots, {run.pk: run.state for run in there.values()}) if on_past else None
    if stuck is not None:
        raise UsageError(
            f"Task {on_past[0]!r} of DAG {spec.dag_id!r} depends on its past, and run {stuck.run_id!r} failed: what "
            "comes behind it would wait for ever. Have it done again with --reprocess-behavior failed, or begin behind "
            "it with --from-date."
        )
    return slots


def _existing(run: RunRecord) -> ExistingRun:
    return ExistingRun(run.pk, run.run_id, run.state, run.task_subset)


def _notes(found: Sequence[_Dag], wanted: WantedBackfill, now: datetime) -> list[str]:
    notes = [
        f"DAG {dag.spec.dag_id} is paused: the backfill runs all the same, its scheduled runs do not."
        for dag in found
        if dag.is_paused
    ]
    if wanted.to_date > now:
        notes.append("Dates that are not due yet are left out.")
    return notes


def _refuse_second(tx: Connection, dag_ids: Sequence[str]) -> None:
    other = backfills.open_backfill_of(tx, dag_ids)
    if other is not None:
        shared = [dag_id for dag_id in other.dag_ids if dag_id in dag_ids]
        raise Conflict(
            f"Backfill {other.id} of {_named(shared)} is {other.state}; a DAG has one backfill at a time. "
            f"Wait for it (`tradewind backfill show {other.id}`), or end it (`tradewind backfill cancel {other.id}`)."
        )


def _named(dag_ids: Sequence[str]) -> str:
    return f"DAG {dag_ids[0]!r}" if len(dag_ids) == 1 else f"DAGs {', '.join(map(repr, dag_ids))}"
