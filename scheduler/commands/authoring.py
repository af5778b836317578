"""``tradewind dags test``, ``tasks test`` and ``tasks render``: try out a DAG file in this process."""

from __future__ import annotations

import logging
import os
from typing import Any, Final

import click

from scheduler.commands.local_dags import load_dag
from scheduler.commands.trial import make_order, require_map_index, resolve_run
from scheduler.dagtest import InProcessRun, run_dag_in_process
from scheduler.stored import Stored, TrialChannel
from scheduler.trial_waits import run_through
from tradewind.config import Config, load_config
from tradewind.model.orders import Outcome
from tradewind.model.states import RunState
from tradewind.sdk.context import build_context
from tradewind.sdk.memory_channel import RunMemory
from tradewind.sdk.rendered import shown_fields
from tradewind.sdk.templates import Renderer
from tradewind.terminal.logs import log_to_terminal
from tradewind.terminal.output import emit, emit_record, talk, to_json
from tradewind.xcom.policy import XComPolicy

RESULT_COLUMNS: Final = ("task_id", "state", "duration", "reason")


def test_dag(
    dag_id: str,
    logical_date: Any,
    conf: dict[str, Any] | None,
    dagfile_path: str | None,
    mark_success_pattern: str | None,
) -> None:
    """Run a DAG once in this process, without a scheduler."""
    config = load_config(os.environ)
    with Stored(config, talk) as source:
        dag = load_dag(config, dag_id, dagfile_path, source)
        _log(config)
        result = run_dag_in_process(dag, logical_date, conf, mark_success_pattern=mark_success_pattern, stored=source)
    _show(result)
    if result.state is not RunState.SUCCESS:
        raise click.exceptions.Exit(1)


def _show(result: InProcessRun) -> None:
    rows = [
        {
            "task_id": task_id,
            "state": state,
            "duration": result.durations.get(task_id),
            "reason": result.reasons.get(task_id),
        }
        for task_id, state in result.states.items()
    ]
    columns = [name for name in RESULT_COLUMNS if name != "reason" or result.reasons]
    click.echo()
    emit(rows, columns, "table", empty="The DAG has no tasks.")
    talk(f"\nRun {result.run_id}: {result.state.value}.")


def test_task(
    dag_id: str,
    task_id: str,
    logical_date_or_run_id: str | None,
    task_params: dict[str, Any] | None,
    env_vars: dict[str, Any] | None,
    dagfile_path: str | None,
    map_index: int,
) -> None:
    """Run one task in this process, whatever it depends on."""
    os.environ.update({name: str(value) for name, value in (env_vars or {}).items()})
    config = load_config(os.environ)
    with Stored(config, talk) as source:
        dag = load_dag(config, dag_id, dagfile_path, source)
        dag.get_task(task_id)  # an unknown one is refused before anything else
        require_map_index(dag, task_id, map_index)
        _log(config)
        run, date = resolve_run(source, dag_id, logical_date_or_run_id)
        order = make_order(dag, task_id, run, date, task_params or {}, map_index)
        channel = TrialChannel(order, RunMemory(), source, XComPolicy.from_config(config))
        result = run_through(dag, order, channel)
    for xcom in result.xcoms:
        if xcom.key == "return_value":
            click.echo(xcom.value)
    talk(f"Task {task_id}: {result.outcome.value}{f', {result.error}' if result.error else ''}.")
    if result.outcome is Outcome.FAILED:
        raise click.exceptions.Exit(1)


def render(
    dag_id: str, task_id: str, logical_date_or_run_id: str | None, dagfile_path: str | None, map_index: int, output: str
) -> None:
    """Print the template fields of a task as it would see them."""
    config = load_config(os.environ)
    with Stored(config, talk) as source:
        dag = load_dag(config, dag_id, dagfile_path, source)
        task = dag.get_task(task_id).for_attempt()
        require_map_index(dag, task_id, map_index)
        run, date = resolve_run(source, dag_id, logical_date_or_run_id)
        order = make_order(dag, task_id, run, date, {}, map_index)
        channel = TrialChannel(order, RunMemory(), source, XComPolicy.from_config(config))
        context = build_context(order, dag, task, channel)
        task = task.concrete(context)
        renderer = Renderer(task, context)
        renderer.read_files()
        renderer.render_fields()
    fields = shown_fields(task)
    if output != "table":
        emit_record(fields, output)
        return
    for name in task.template_fields:
        value = fields.get(name)
        click.echo(click.style(f"# {name}", bold=True))
        click.echo(value if isinstance(value, str) else to_json(value))
    if not task.template_fields:
        talk(f"Task {task_id} has no template fields.")


def _log(config: Config) -> None:
    """Show what tasks log; Ctrl-C and the debugger have the terminal to themselves otherwise."""
    log_to_terminal(config.logging.logging_level)
    logging.captureWarnings(True)
