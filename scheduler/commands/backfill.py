"""``tradewind backfill``: make runs of the past, see how far they have come, and end them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from scheduler.backfill.create import cancel_backfill, pause_backfill, plan_backfill, store_plan, unpause_backfill
from scheduler.commands.lookup import user_name
from tradewind.config import load_config
from tradewind.errors import UsageError
from tradewind.metadata import backfills
from tradewind.metadata.backfills import BackfillCounts, BackfillRecord, SlotRecord
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database
from tradewind.metadata.processes import list_processes
from tradewind.model.backfills import Action, BackfillPlan, Only, Reprocess, Slot, SlotState, WantedBackfill
from tradewind.terminal.options import confirm
from tradewind.terminal.output import counted, emit, emit_record, talk

TABLE: Final = ("id", "dag_id", "state", "from_date", "to_date", "done", "failed", "total", "created_at")
COLUMNS: Final = (
    "id", "dag_id", "state", "from_date", "to_date", "dag_run_conf", "is_paused", "reprocess_behavior",
    "max_active_runs", "run_backwards", "run_on_latest_version", "tasks", "waits_for", "created_at", "created_by",
    "updated_at", "cancelled_at", "completed_at", "reason", "total", "waiting", "queued", "running", "success",
    "failed", "skipped", "upstream_failed", "cancelled",
)  # fmt: skip
PLAN_COLUMNS: Final = (
    "dag_id", "logical_date", "partition_key", "partition_date", "action", "run_id", "data_interval_start",
    "data_interval_end", "run_after", "reason",
)  # fmt: skip
SLOT_COLUMNS: Final = (
    "ordinal", "dag_id", "logical_date", "partition_key", "partition_date", "run_id", "state", "run_after",
    "start_date", "end_date", "duration", "reason",
)  # fmt: skip


def create(
    dag_ids: tuple[str, ...],
    from_date: datetime,
    to_date: datetime,
    conf: dict[str, Any] | None,
    run_backwards: bool,
    max_active_runs: int | None,
    reprocess_behavior: str | None,
    run_on_latest_version: bool,
    only: str | None,
    tasks: tuple[str, ...],
    with_upstream: bool,
    with_downstream: bool,
    orders: tuple[str, ...],
    dry_run: bool,
    wait: bool,
    output: str,
) -> None:
    """Make the runs of a span of dates."""
    wanted = WantedBackfill(
        dag_ids=dag_ids,
        from_date=from_date,
        to_date=to_date,
        conf=conf,
        reprocess=None if reprocess_behavior is None else Reprocess(reprocess_behavior),
        only=None if only is None else Only(only),
        max_active_runs=max_active_runs,
        run_backwards=run_backwards,
        run_on_latest_version=run_on_latest_version,
        tasks=tasks,
        with_upstream=with_upstream,
        with_downstream=with_downstream,
        order=[[name.strip() for name in order.split(",") if name.strip()] for order in orders],
    )
    make(wanted, dry_run=dry_run, must_wait=wait, output=output)


def make(wanted: WantedBackfill, *, dry_run: bool, must_wait: bool, output: str) -> None:
    """Show what a backfill would do, or create it, and say what comes of it."""
    if dry_run and must_wait:
        raise UsageError("--dry-run changes nothing, so there is nothing to --wait for. Leave one of them out.")
    config = load_config(os.environ)
    with open_database(config) as db:
        plan = plan_backfill(db, config, wanted)
        if dry_run:
            _show_plan(plan, output)
            return
        made = store_plan(db, plan, user=user_name())
        for note in plan.notes:
            talk(note)
        counts = _counts(db, made)
        is_alive = _has_scheduler(db)
        if not must_wait or output != "table":
            emit([_row(made, counts)], TABLE if output == "table" else COLUMNS, output)
        talk(f"Backfill {made.id}: {_summary(plan)}.")
        if not is_alive:
            talk("No scheduler is running: nothing happens until one does (`tradewind scheduler`).")
        elif not must_wait:
            talk(f"See how far it is with `tradewind backfill show {made.id}`.")
        if must_wait:
            _wait(db, made.id)


def list_backfills(dag_id: str | None, only_open: bool, limit: int, output: str) -> None:
    """List backfills, the newest first."""
    with open_database() as db:
        with db.read() as tx:
            found = backfills.list_backfills(tx, dag_id=dag_id, only_open=only_open, limit=limit)
            total = backfills.count_backfills(tx, dag_id=dag_id, only_open=only_open)
        rows = [_row(record, _counts(db, record)) for record in found]
    empty = "There are no such backfills." if dag_id or only_open else "There are no backfills yet."
    emit(rows, TABLE if output == "table" else COLUMNS, output, empty=empty)
    if total > limit:
        talk(f"These are the newest {limit} of {total:,}; more with --limit.")


def show(backfill_id: int, limit: int, offset: int, output: str) -> None:
    """Show how far a backfill has come, date by date."""
    with open_database() as db:
        with db.read() as tx:
            record = backfills.get_backfill(tx, backfill_id)
            counts = backfills.count_slots(tx, backfill_id)
            slots = backfills.list_slots(tx, backfill_id, limit=limit, offset=offset)
        is_stuck = record.completed_at is None and not _has_scheduler(db)
    rows = [_slot_row(slot) for slot in slots]
    if output in ("json", "yaml"):
        emit_record({**_row(record, counts), "dates": [{name: row.get(name) for name in SLOT_COLUMNS} for row in rows]},
                    output)  # fmt: skip
        return
    talk(_headline(record, counts))
    if record.reason:
        talk(f"{record.reason[0].upper()}{record.reason[1:]}")
    if is_stuck:
        talk("No scheduler is running: nothing happens until one does (`tradewind scheduler`).")
    emit(rows, SLOT_COLUMNS if output == "plain" else _used(rows, SLOT_COLUMNS, hidden=("run_after",)), output)
    if offset + len(slots) < counts.total:
        first, last = offset + 1, offset + len(slots)
        talk(f"Dates {first:,} to {last:,} of {counts.total:,}; more with --limit and --offset.")


def wait(backfill_id: int) -> None:
    """Wait until a backfill is over, with a progress bar."""
    with open_database() as db:
        with db.read() as tx:
            record = backfills.get_backfill(tx, backfill_id)
        if record.completed_at is None and not _has_scheduler(db):
            talk("No scheduler is running: nothing happens until one does (`tradewind scheduler`).")
        _wait(db, backfill_id)


def pause(backfill_id: int, output: str) -> None:
    """Start no more runs of a backfill."""
    with open_database() as db:
        record = pause_backfill(db, backfill_id, user=user_name())
        counts = _counts(db, record)
    emit([_row(record, counts)], TABLE if output == "table" else COLUMNS, output)
    talk(f"Runs that are under way go on ({counts.running}); `tradewind backfill unpause {backfill_id}` goes on.")


def unpause(backfill_id: int, output: str) -> None:
    """Let a paused backfill go on."""
    with open_database() as db:
        record = unpause_backfill(db, backfill_id, user=user_name())
        counts = _counts(db, record)
    emit([_row(record, counts)], TABLE if output == "table" else COLUMNS, output)


def cancel(backfill_id: int, stop_running: bool, yes: bool, output: str) -> None:
    """End a backfill before it is through."""
    with open_database() as db:
        with db.read() as tx:
            record = backfills.get_backfill(tx, backfill_id)
            counts = backfills.count_slots(tx, backfill_id)
        if record.completed_at is None:
            running = "ended" if stop_running else "left to go on"
            what = f"{counts.waiting} dates are not done, {counts.queued} queued runs fail"
            confirm(f"Cancel backfill {backfill_id}? {what}, {counts.running} running ones are {running}.", yes)
        record = cancel_backfill(db, backfill_id, user=user_name(), stop_running=stop_running)
        counts = _counts(db, record)
    emit([_row(record, counts)], TABLE if output == "table" else COLUMNS, output)


def _wait(db: Database, backfill_id: int) -> None:
    # Imported when first used: rich costs as much as the rest of a small command.
    from scheduler.commands.backfill_wait import follow

    follow(db, backfill_id)


def _counts(db: Database, record: BackfillRecord) -> BackfillCounts:
    with db.read() as tx:
        return backfills.count_slots(tx, record.id)


def _has_scheduler(db: Database) -> bool:
    now = db.now()
    with db.read() as tx:
        return bool(list_processes(tx, kind="scheduler", alive_at=now))


# --- rows and sentences ----------------------------------------------------------------------------------------------


def _row(record: BackfillRecord, counts: BackfillCounts) -> dict[str, Any]:
    return {
        "id": record.id,
        "dag_id": ", ".join(record.dag_ids),
        "state": record.state,
        "from_date": record.from_date,
        "to_date": record.to_date,
        "dag_run_conf": dict(record.conf or {}),
        "is_paused": record.is_paused,
        "reprocess_behavior": record.reprocess.value,
        "max_active_runs": record.max_active_runs,
        "run_backwards": record.run_backwards,
        "run_on_latest_version": record.run_on_latest_version,
        "tasks": dict(record.tasks),
        "waits_for": dict(record.waits_for),
        "created_at": record.created_at,
        "created_by": record.created_by,
        "updated_at": record.updated_at,
        "cancelled_at": record.cancelled_at,
        "completed_at": record.completed_at,
        "reason": record.reason,
        "total": counts.total,
        "done": counts.done,
        "waiting": counts.waiting,
        "queued": counts.queued,
        "running": counts.running,
        "success": counts.success,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "upstream_failed": counts.upstream_failed,
        "cancelled": counts.cancelled,
    }


def _slot_row(slot: SlotRecord) -> dict[str, Any]:
    is_made = slot.state is SlotState.MADE
    state = (slot.run_state.value if slot.run_state else "gone") if is_made else slot.state.value
    if is_made and slot.is_asked:
        state = "queued"
    is_over = is_made and slot.run_started_at and slot.run_ended_at and not slot.is_asked
    return {
        "ordinal": slot.ordinal,
        "dag_id": slot.dag_id,
        "logical_date": slot.logical_date,
        "partition_key": slot.partition_key,
        "partition_date": slot.partition_date,
        "run_id": slot.run_id,
        "state": state,
        "run_after": slot.run_after,
        "start_date": slot.run_started_at if is_made else None,
        "end_date": slot.run_ended_at if is_made else None,
        "duration": slot.run_ended_at - slot.run_started_at if is_over else None,  # type: ignore[operator]
        "reason": slot.reason or (slot.run_reason if is_made else None),
    }


def _show_plan(plan: BackfillPlan, output: str) -> None:
    rows = [_plan_row(slot) for slot in plan.slots]
    hidden = ("data_interval_start", "data_interval_end", "run_after")
    columns = PLAN_COLUMNS if output != "table" else _used(rows, PLAN_COLUMNS, hidden=hidden)
    emit(rows, columns, output, empty="No date of the schedule lies within the span.")
    for dag_id, tasks in plan.tasks.items():
        talk(f"Of DAG {dag_id} only {counted(len(tasks), 'task')}: {', '.join(tasks)}.")
    for dag_id, others in plan.waits_for.items():
        talk(f"DAG {dag_id} waits for {', '.join(others)}, date by date.")
    for note in plan.notes:
        talk(note)
    talk(f"Dry run, nothing is changed: {_summary(plan)}.")


def _plan_row(slot: Slot) -> dict[str, Any]:
    return {name: getattr(slot, name) for name in PLAN_COLUMNS} | {"action": slot.action.value}


def _used(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], hidden: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that say something: people need not see that nothing is partitioned."""
    dag_ids = {row["dag_id"] for row in rows}
    quiet = {name for name in columns if not any(row.get(name) for row in rows)} | set(hidden)
    if len(dag_ids) == 1:
        quiet.add("dag_id")
    return tuple(name for name in columns if name not in quiet)


def _summary(plan: BackfillPlan) -> str:
    made, again, skipped = (plan.count(action) for action in (Action.CREATE, Action.RERUN, Action.SKIP))
    return f"{counted(len(plan.slots), 'date')}, {made:,} to create, {again:,} to do again, {skipped:,} skipped"


def _headline(record: BackfillRecord, counts: BackfillCounts) -> str:
    parts = {
        "waiting": counts.waiting, "queued": counts.queued, "running": counts.running, "success": counts.success,
        "failed": counts.failed, "skipped": counts.skipped, "upstream_failed": counts.upstream_failed,
        "cancelled": counts.cancelled, "deleted since": counts.gone,
    }  # fmt: skip
    said = ", ".join(f"{number:,} {name}" for name, number in parts.items() if number) or "none"
    dags = ", ".join(record.dag_ids)
    return f"Backfill {record.id} of {dags} is {record.state}: {counted(counts.total, 'date')}, {said}."
