"""What does a running task know? ``Context``: the names that templates and ``get_current_context()`` offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tradewind.sdk import macros
from tradewind.sdk.connection import ConnectionAccessor
from tradewind.sdk.context_names import CONTEXT_NAMES, LATER_NAMES
from tradewind.sdk.dag_run import DagRun
from tradewind.sdk.instants import pendulum_utc, stamps
from tradewind.sdk.task_instance import RunningTask
from tradewind.sdk.variable import VariableAccessor

if TYPE_CHECKING:
    from tradewind.model.orders import AttemptOrder
    from tradewind.sdk.channel import TaskChannel
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.operator import BaseOperator


class Context(dict[str, Any]):
    """Values by name; a dict, as in Airflow. Some are worked out only when first asked for."""

    def __init__(self, values: Mapping[str, Any], lazy: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__(values)
        self._lazy = dict(lazy)

    def __missing__(self, name: str) -> Any:
        if name in self._lazy:
            self[name] = value = self._lazy.pop(name)()
            return value
        raise KeyError(_missing(name))

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._lazy

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or ``default`` when there is no such name."""
        return self[name] if name in self else default  # noqa: SIM401  this is get() itself

    def names(self) -> frozenset[str]:
        """Return every name there is, worked out or not."""
        return frozenset(self.keys() | self._lazy.keys())

    def unasked(self) -> list[str]:
        """Return the names whose values were not asked for yet."""
        return list(self._lazy)

    def everything(self) -> dict[str, Any]:
        """Return all values; those that would have to be asked of the metadata DB are worked out now."""
        for name in list(self._lazy):
            self[name]
        return dict(self)

    def with_extra(self, values: Mapping[str, Any]) -> Context:
        """Return a copy with ``values`` over it."""
        return Context({**self, **values}, self._lazy)

    def render(self, task: BaseOperator, text: str) -> Any:
        """Return ``text`` rendered as a template of ``task``."""
        # Late: Jinja2 is needed only by tasks that have templates.
        from tradewind.sdk.templates import Renderer

        return Renderer(task, self).render_value(text)


def _missing(name: str) -> str:
    if name in LATER_NAMES:
        return f"{name} (it exists in Airflow and is not supported yet)"
    if name in CONTEXT_NAMES:
        return f"{name} (this run has no logical date, so it has no dates or intervals; use dag_run.run_after)"
    return name


def build_context(order: AttemptOrder, dag: DAG, task: BaseOperator, channel: TaskChannel) -> Context:
    """Return the context of one attempt.

    Raises:
        ParamValidationError: the run's conf does not fit the params of the DAG or the task.
    """
    run = DagRun(order)
    ti = RunningTask(order, task, run, channel)
    values: dict[str, Any] = {
        "dag": dag,
        "dag_run": run,
        "run_id": order.run_id,
        "task": task,
        "ti": ti,
        "task_instance": ti,
        "task_instance_key_str": _key(order),
        "params": _params(order, dag, task),
        "macros": macros,
        "conn": ConnectionAccessor(channel),
        "var": {"value": VariableAccessor(channel), "json": VariableAccessor(channel, as_json=True)},
        "inlets": getattr(task, "inlets", None) or [],
        "outlets": getattr(task, "outlets", None) or [],
        "map_index_template": None,
        "templates_dict": getattr(task, "templates_dict", None),
        "try_number": order.try_number,
    }
    if order.logical_date is not None:
        values.update(stamps(order.logical_date))
        values["data_interval_start"] = pendulum_utc(order.data_interval_start)
        values["data_interval_end"] = pendulum_utc(order.data_interval_end)
    context = Context(values, _previous(channel))
    ti.context = context
    return context


def _key(order: AttemptOrder) -> str:
    day = order.logical_date or order.run_after
    return f"{order.dag_id}__{order.task_id}__{day:%Y%m%d}"


def _params(order: AttemptOrder, dag: DAG, task: BaseOperator) -> dict[str, Any]:
    if not dag.params and not task.params:
        return dict(order.conf)
    merged = dag.params.__copy__()
    for name, param in task.params.declared().items():
        merged.declare(name, param)
    return merged.resolved_with(order.conf)


def _previous(channel: TaskChannel) -> dict[str, Callable[[], Any]]:
    """The names that describe the last successful run; one question answers them all."""
    answer: list[Any] = []

    def ask(attribute: str) -> Callable[[], datetime | None]:
        def value() -> datetime | None:
            if not answer:
                answer.append(channel.get_previous_success())
            return pendulum_utc(getattr(answer[0], attribute, None))

        return value

    return {
        "prev_data_interval_start_success": ask("data_interval_start"),
        "prev_data_interval_end_success": ask("data_interval_end"),
        "prev_start_date_success": ask("started_at"),
        "prev_end_date_success": ask("ended_at"),
    }
