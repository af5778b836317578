"""``tradewind why``: the reason that the scheduler itself has."""

from __future__ import annotations

from typing import Final

import click

from scheduler.commands.lookup import find_named_run
from scheduler.reasons.of_tasks import NEXT_TURN
from scheduler.why import Reason, explain
from tradewind.metadata.opening import open_database
from tradewind.model.events import NO_MAP
from tradewind.model.states import RunState, TaskState
from tradewind.terminal.output import emit, hanging, paint_state

COLUMNS: Final = ("dag_id", "run_id", "task_id", "map_index", "state", "reason", "more")


def why(
    dag_id: str,
    logical_date_or_run_id: str | None,
    task_id: str | None,
    map_index: int,
    limit: int,
    output: str,
) -> None:
    """Say why a DAG, a run or a task does not run."""
    with open_database() as db:
        run_id = logical_date_or_run_id
        if run_id is not None:
            with db.read() as tx:
                run_id = find_named_run(tx, dag_id, run_id).run_id
        reasons = explain(db, dag_id, run_id, task_id, map_index, limit=limit)
    if output != "table":
        emit([_row(reason) for reason in reasons], COLUMNS, output)
        return
    width = max(len(_name(reason)) for reason in reasons)
    state_width = max(len(reason.state) for reason in reasons)
    for reason in reasons:
        state = paint_state(reason.state, reason.state.ljust(state_width))
        text = hanging(reason.text, width + state_width + 4)
        click.echo(f"{_name(reason).ljust(width)}  {state}  {text}")


def failed_deps(dag_id: str, task_id: str, logical_date_or_run_id: str, map_index: int) -> None:
    """Say what a task waits for.

    In the form of Airflow's command: a line for each dependency that is not met.
    """
    with open_database() as db:
        with db.read() as tx:
            run_id = find_named_run(tx, dag_id, logical_date_or_run_id).run_id
        run, *tasks = explain(db, dag_id, run_id, task_id, map_index)
    met = all(_is_met(run, task) for task in tasks)
    click.echo("Task instance dependencies are all met." if met else "Task instance dependencies not met:")
    if met:
        return
    if run.state != RunState.RUNNING:
        click.echo(f"Dagrun Running: its run is {run.state}: {run.text}")
    for task in tasks:
        index = f"[{task.map_index}] " if len(tasks) > 1 else ""
        click.echo(f"{_dependency(task)}: {index}{task.text}")


def _is_met(run: Reason, task: Reason) -> bool:
    return run.state == RunState.RUNNING and task.state == TaskState.SCHEDULED and task.text == NEXT_TURN


def _dependency(task: Reason) -> str:
    """Return Airflow's name for what a task waits for; where it has none, one of ours."""
    if task.state == TaskState.UP_FOR_RETRY:
        return "Not In Retry Period"
    if task.state == TaskState.UP_FOR_RESCHEDULE:
        return "Ready To Reschedule"
    if task.state not in (TaskState.NONE, TaskState.SCHEDULED):
        return "Task Instance State"
    found = next((name for word, name in _DEPENDENCIES if word in task.text), None)
    return found or ("Trigger Rule" if task.state == TaskState.NONE else "Executor")


_DEPENDENCIES: Final = (
    ("is held", "Not Held"),
    ("depends on its past", "Previous Dagrun State"),
    ("decided not to run it", "Not Previously Skipped"),
    ("its run", "Dagrun Running"),
    ("is not part of this run", "Dagrun Running"),
    ("indexes", "Task Has Been Mapped"),
    ("max_active_tasks of the DAG", "Task Instance Slots Available"),
    ("max_active_tis_per", "Task Concurrency"),
    ("pool ", "Pool Slots Available"),
)


def _name(reason: Reason) -> str:
    """Return what the sentence is about: the newest part of its name is what the reader looks for."""
    if reason.task_id is not None:
        index = "" if reason.map_index == NO_MAP else f"[{reason.map_index}]"
        return f"  {reason.task_id}{index}"
    return f"run {reason.run_id}" if reason.run_id is not None else f"DAG {reason.dag_id}"


def _row(reason: Reason) -> dict[str, object]:
    return {
        "dag_id": reason.dag_id,
        "run_id": reason.run_id,
        "task_id": reason.task_id,
        "map_index": None if reason.task_id is None else reason.map_index,
        "state": reason.state,
        "reason": reason.text,
        "more": reason.more,
    }
