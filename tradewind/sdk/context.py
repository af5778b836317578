"""What does a running task know? ``Context``: the names that templates and ``get_current_context()`` offer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tradewind.sdk import macros
from tradewind.sdk.assets.context import asset_names
from tradewind.sdk.connection import ConnectionAccessor
from tradewind.sdk.context_values import Context as Context
from tradewind.sdk.dag_run import DagRun
from tradewind.sdk.instants import pendulum_utc, stamps
from tradewind.sdk.task_instance import RunningTask
from tradewind.sdk.variable import VariableAccessor

if TYPE_CHECKING:
    from tradewind.model.orders import AttemptOrder
    from tradewind.sdk.channel import TaskChannel
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.operator import BaseOperator


def build_context(order: AttemptOrder, dag: DAG, task: BaseOperator, channel: TaskChannel) -> Context:
    """Return the context of one attempt.

    ``task`` is a copy made for this attempt: its params get the values of the run, as in Airflow.

    Raises:
        ParamValidationError: the run's conf does not fit the params of the DAG or the task.
    """
    params = params_of(order.conf, dag, task)
    task.params = task.params.__copy__()
    for name in order.conf.keys() & task.params.keys():
        task.params[name] = params[name]
    run = DagRun(order)
    ti = RunningTask(order, task, run, channel)
    values: dict[str, Any] = {
        **_of_run(order, dag, run, channel),
        "task": task,
        "ti": ti,
        "task_instance": ti,
        "task_instance_key_str": _key(order),
        "params": params,
        "inlets": getattr(task, "inlets", None) or [],
        "outlets": getattr(task, "outlets", None) or [],
        "map_index_template": task.map_index_template,
        "templates_dict": getattr(task, "templates_dict", None),
        "try_number": order.try_number,
        "task_reschedule_count": order.part,
    }
    context = Context(values)
    context.work_out_later({**_previous(order, channel), **asset_names(order, channel, context)})
    ti.context = context
    return context


def build_run_context(order: AttemptOrder, dag: DAG, channel: TaskChannel) -> Context:
    """Return the context of a run as a whole: what :func:`build_context` gives, without the names of a task."""
    values = _of_run(order, dag, DagRun(order), channel)
    values["params"] = dag.params.resolved_with(order.conf) if dag.params else dict(order.conf)
    return Context(values, _previous(order, channel))


def _of_run(order: AttemptOrder, dag: DAG, run: DagRun, channel: TaskChannel) -> dict[str, Any]:
    values: dict[str, Any] = {
        "dag": dag,
        "dag_run": run,
        "run_id": order.run_id,
        "partition_key": order.partition_key,
        "partition_date": pendulum_utc(order.partition_date),
        "macros": macros,
        "conn": ConnectionAccessor(channel),
        "var": {"value": VariableAccessor(channel), "json": VariableAccessor(channel, as_json=True)},
    }
    if order.logical_date is not None:
        values.update(stamps(order.logical_date))
        values["data_interval_start"] = pendulum_utc(order.data_interval_start)
        values["data_interval_end"] = pendulum_utc(order.data_interval_end)
    return values


def _key(order: AttemptOrder) -> str:
    of_run = order.run_id if order.logical_date is None else f"{order.logical_date:%Y%m%d}"
    return f"{order.dag_id}__{order.task_id}__{of_run}"


def params_of(conf: dict[str, Any], dag: DAG, task: BaseOperator) -> dict[str, Any]:
    """Return the params as ``task`` sees them: its own over those of the DAG, and the conf of the run over both.

    Raises:
        ParamValidationError: a value does not fit.
    """
    if not dag.params and not task.params:
        return dict(conf)
    merged = dag.params.__copy__()
    for name, param in task.params.declared().items():
        merged.declare(name, param)
    return merged.resolved_with(conf)


def _previous(order: AttemptOrder, channel: TaskChannel) -> dict[str, Callable[[], Any]]:
    """The names that describe the last successful run; one question answers them all.

    Those of its data exist only when this run has a logical date.
    """
    answer: list[Any] = []

    def ask(attribute: str) -> Callable[[], datetime | None]:
        def value() -> datetime | None:
            if not answer:
                answer.append(channel.get_previous_success())
            return pendulum_utc(getattr(answer[0], attribute, None))

        return value

    names = {"prev_start_date_success": ask("started_at"), "prev_end_date_success": ask("ended_at")}
    if order.logical_date is not None:
        names["prev_data_interval_start_success"] = ask("data_interval_start")
        names["prev_data_interval_end_success"] = ask("data_interval_end")
    return names
