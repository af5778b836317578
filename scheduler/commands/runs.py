"""``tradewind dags trigger``, ``list-runs`` and ``state``: the runs of a DAG."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any, Final

import click

from scheduler.commands.lookup import find_named_run, user_name
from scheduler.runs import UNSET, Unset, trigger_run
from tradewind.config import load_config
from tradewind.errors import UsageError
from tradewind.metadata import audit, dags
from tradewind.metadata.opening import open_database
from tradewind.metadata.runs import RunRecord, find_run
from tradewind.metadata.runs import list_runs as read_runs
from tradewind.model.states import RunState, RunType
from tradewind.terminal.instants import parse_instant
from tradewind.terminal.output import counted, emit, talk

LIST_COLUMNS: Final = ("dag_id", "run_id", "state", "run_after", "logical_date", "start_date", "end_date")
LIST_TABLE: Final = ("run_id", "state", "logical_date", "start_date", "duration")
TRIGGER_COLUMNS: Final = (
    "conf", "dag_id", "dag_run_id", "data_interval_start", "data_interval_end", "end_date", "logical_date", "run_type",
    "start_date", "state", "triggering_user_name",
)  # fmt: skip


TRIGGER_TABLE: Final = ("dag_id", "dag_run_id", "logical_date", "state")


def trigger(
    dag_id: str,
    conf: dict[str, Any] | None,
    logical_date: str | None,
    run_id: str | None,
    note: str | None,
    tasks: tuple[str, ...],
    with_upstream: bool,
    with_downstream: bool,
    no_replace_microseconds: bool,
    output: str,
) -> None:
    """Start a run of a DAG."""
    config = load_config(os.environ)
    date = _logical_date(logical_date, no_replace_microseconds)
    if (with_upstream or with_downstream) and not tasks:
        raise UsageError("Above or below which tasks? Name them with --tasks.")
    user = user_name()
    with open_database(config) as db:
        made = trigger_run(
            db,
            config,
            dag_id=dag_id,
            run_id=run_id,
            logical_date=date,
            conf=conf,
            note=note,
            tasks=tasks,
            with_upstream=with_upstream,
            with_downstream=with_downstream,
            triggered_by="cli",
            user=user,
        )
        with db.write() as tx:
            audit.note(tx, db.now(), actor=user, via="cli", action="run.trigger", dag_id=dag_id, run_id=made.run_id)
            run = find_run(tx, dag_id, made.run_id)
    assert run is not None
    if made.is_dag_paused:
        talk(f"DAG {dag_id} is paused: this run runs all the same, scheduled ones do not.")
    if run.task_subset is not None:
        talk(f"It consists of {counted(len(run.task_subset), 'task')}: {', '.join(run.task_subset)}.")
    emit([_trigger_row(run)], TRIGGER_TABLE if output == "table" else TRIGGER_COLUMNS, output)


def _logical_date(given: str | None, keep_microseconds: bool) -> datetime | Unset | None:
    if given is None:
        return UNSET
    if given.strip().lower() == "none":
        return None
    found = parse_instant(given)
    if found is None:
        raise UsageError(f"--logical-date {given!r} is not a date or a time. Write it like 2026-01-31T02:00:00+00:00.")
    return found if keep_microseconds else found.replace(microsecond=0)


def _trigger_row(run: RunRecord) -> dict[str, Any]:
    return {
        "conf": dict(run.conf),
        "dag_id": run.dag_id,
        "dag_run_id": run.run_id,
        "data_interval_start": run.data_interval_start,
        "data_interval_end": run.data_interval_end,
        "end_date": run.ended_at,
        "logical_date": run.logical_date,
        "run_type": run.run_type,
        "start_date": run.started_at,
        "state": run.state,
        "triggering_user_name": run.triggering_user,
    }


def list_runs(
    dag_id: str,
    state: str | None,
    start_date: datetime | None,
    end_date: datetime | None,
    no_backfill: bool,
    limit: int,
    output: str,
) -> None:
    """List the runs of a DAG, newest first."""
    states = [RunState(state)] if state else []
    with open_database() as db, db.read() as tx:
        dags.get_dag(tx, dag_id)
        # One more than wanted tells whether there are others.
        found = read_runs(tx, dag_id=dag_id, states=states, after=start_date, before=end_date, limit=limit + 1)
    shown = [run for run in found[:limit] if not (no_backfill and run.run_type == RunType.BACKFILL)]
    rows = [
        {
            "dag_id": run.dag_id,
            "run_id": run.run_id,
            "state": run.state,
            "run_after": run.run_after,
            "logical_date": run.logical_date,
            "start_date": run.started_at,
            "end_date": run.ended_at,
            "duration": run.ended_at - run.started_at if run.started_at and run.ended_at else None,
        }
        for run in shown
    ]
    is_filtered = bool(states or start_date or end_date or no_backfill)
    if is_filtered:
        empty = f"DAG {dag_id} has no such runs."
    else:
        empty = f"DAG {dag_id} has not run yet. Start a run with `tradewind dags trigger {dag_id}`."
    emit(rows, LIST_TABLE if output == "table" else LIST_COLUMNS, output, empty=empty)
    if len(found) > limit:
        talk(f"These are the newest {limit}; more with --limit.")


def state(dag_id: str, logical_date_or_run_id: str) -> None:
    """Print the state of a run."""
    with open_database() as db, db.read() as tx:
        run = find_named_run(tx, dag_id, logical_date_or_run_id)
    click.echo(run.state.value)
    if run.reason:
        talk(run.reason)
