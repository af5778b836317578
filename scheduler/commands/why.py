"""``tradewind why``: the reason that the scheduler itself has."""

from __future__ import annotations

from typing import Final

import click

from scheduler.commands.lookup import find_named_run
from scheduler.why import Reason, explain
from tradewind.metadata.opening import open_database
from tradewind.model.events import NO_MAP
from tradewind.terminal.output import emit, hanging, paint_state

COLUMNS: Final = ("dag_id", "run_id", "task_id", "map_index", "state", "reason")


def why(dag_id: str, logical_date_or_run_id: str | None, task_id: str | None, map_index: int, output: str) -> None:
    """Say why a DAG, a run or a task does not run."""
    with open_database() as db:
        run_id = logical_date_or_run_id
        if run_id is not None:
            with db.read() as tx:
                run_id = find_named_run(tx, dag_id, run_id).run_id
        reasons = explain(db, dag_id, run_id, task_id, map_index)
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
    """Say what a task waits for."""
    with open_database() as db:
        with db.read() as tx:
            run_id = find_named_run(tx, dag_id, logical_date_or_run_id).run_id
        reasons = explain(db, dag_id, run_id, task_id, map_index)
    click.echo(reasons[-1].text)


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
    }
