"""``tradewind tasks``: the tasks of a DAG, and how they stand in a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import click

from scheduler.commands.lookup import find_named_run
from tradewind.errors import NotFound
from tradewind.metadata.dags import get_dag, load_newest_spec, load_spec
from tradewind.metadata.opening import open_database
from tradewind.metadata.runs import list_task_instances
from tradewind.model.events import NO_MAP
from tradewind.model.states import FINAL_RUN_STATES
from tradewind.run.order import in_order
from tradewind.run.view import TaskView
from tradewind.terminal.output import emit, talk

COLUMNS: Final = ("dag_id", "logical_date", "task_id", "state", "start_date", "end_date", "try_number", "reason")
TABLE_COLUMNS: Final = ("task_id", "state", "start_date", "duration", "try_number", "reason")
LIST_COLUMNS: Final = ("task_id", "operator", "upstream", "trigger_rule", "retries", "pool", "owner")


def list_tasks(dag_id: str, output: str) -> None:
    """List the tasks of a DAG in the order in which they can run."""
    with open_database() as db, db.read() as tx:
        get_dag(tx, dag_id)
        _, spec = load_newest_spec(tx, dag_id)
    tasks = {task.task_id: task for task in spec.tasks}
    names = in_order(spec)
    if output == "table":
        for name in names:
            click.echo(name)
        return
    emit([{column: getattr(tasks[name], column) for column in LIST_COLUMNS} for name in names], LIST_COLUMNS, output)


def state(dag_id: str, task_id: str, logical_date_or_run_id: str, map_index: int) -> None:
    """Print the state of a task in a run."""
    with open_database() as db, db.read() as tx:
        run = find_named_run(tx, dag_id, logical_date_or_run_id)
        spec = load_spec(tx, run.version_id)
        instances = {(one.task_id, one.map_index): one for one in list_task_instances(tx, run.pk)}
    names = [task.task_id for task in spec.tasks]
    if task_id not in names:
        mend = f"`tradewind tasks list {dag_id}` shows its tasks."
        raise NotFound("Task", task_id, names, mend, within=f"of DAG {dag_id!r}")
    found = instances.get((task_id, map_index))
    if found is None and instances:
        indexes = ", ".join(str(index) for name, index in instances if name == task_id) or "none in this run"
        raise NotFound("Map index", str(map_index), (), f"There are: {indexes}.", within=f"of task {task_id!r}")
    click.echo("none" if found is None else found.state.value)
    if found is not None and found.reason:
        talk(found.reason)


def states_for_dag_run(dag_id: str, logical_date_or_run_id: str, output: str) -> None:
    """List the states of all tasks of a run."""
    with open_database() as db, db.read() as tx:
        run = find_named_run(tx, dag_id, logical_date_or_run_id)
        spec = load_spec(tx, run.version_id)
        instances = list_task_instances(tx, run.pk)
    rank = {name: number for number, name in enumerate(in_order(spec))}
    instances.sort(key=lambda one: (rank.get(one.task_id, len(rank)), one.task_id, one.map_index))
    rows = [{"dag_id": dag_id, "logical_date": run.logical_date, **_row(one)} for one in instances]
    columns = list(TABLE_COLUMNS if output == "table" else COLUMNS)
    if any(one.map_index != NO_MAP for one in instances):
        columns.insert(columns.index("task_id") + 1, "map_index")
    emit(rows, columns, output, empty=f"The run is {run.state}, and its tasks have not been made yet.")
    if run.state not in FINAL_RUN_STATES:
        talk(f"The run is {run.state}. `tradewind why {dag_id} {run.run_id}` says what it waits for.")


def _row(one: TaskView) -> dict[str, Any]:
    return {
        "task_id": one.task_id,
        "map_index": one.map_index,
        "state": one.state,
        "start_date": one.started_at,
        "end_date": one.ended_at,
        "duration": _duration(one),
        "try_number": one.try_number,
        "reason": one.reason,
    }


def _duration(one: TaskView) -> timedelta | None:
    if one.started_at is None or one.ended_at is None:
        return None
    return one.ended_at - one.started_at
