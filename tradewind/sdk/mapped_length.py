"""How many values does a task give to those who are expanded over its output? Counted where the values are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tradewind.sdk import defaults
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.mapping import mapped_groups

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.operator import BaseOperator


class UnmappableReturnValue(AirflowException, TypeError):
    """What a task returned cannot be expanded over, and another task is to be expanded over it."""


def length_given(dag: DAG, task: BaseOperator, value: Any, *, is_mapped: bool) -> int | None:
    """Return how many values ``value``, the returned value of ``task``, has; None when nobody is expanded over it.

    Args:
        value: None when it returned nothing, or does not leave what it returns.
        is_mapped: whether ``task`` is an index of a mapped task, whose value counts as one.

    Raises:
        UnmappableReturnValue: it has no elements, or too many; the task fails then, as in Airflow.
    """
    if not _is_mapped_over(dag, task):
        return None
    if is_mapped:
        return None if value is None else 1
    who = f"Task {task.task_id!r}, over whose output another task is expanded,"
    if value is None:
        raise UnmappableReturnValue(
            f"{who} returned nothing. Return a list or a dict, an empty one to skip that task; leave do_xcom_push on."
        )
    if isinstance(value, str | bytes | bytearray | range) or not isinstance(value, Sequence | dict):
        raise UnmappableReturnValue(
            f"{who} returned a {type(value).__name__}, which cannot be expanded over. Return a list or a dict."
        )
    limit = defaults.current().max_map_length
    if len(value) > limit:
        raise UnmappableReturnValue(
            f"{who} returned {len(value):,} values; at most {limit:,} are allowed. Return fewer, each for more work, "
            "or raise [core] max_map_length."
        )
    return len(value)


def _is_mapped_over(dag: DAG, task: BaseOperator) -> bool:
    """Return whether a task below, or an expanded group around one, is expanded over the output of ``task``."""
    for task_id in task.downstream_task_ids:
        below = dag.task_dict[task_id]
        inputs = [group.expand_input for group in mapped_groups(below.task_group)]
        if below.is_mapped:
            inputs.append(below.expand_input)
        for one in inputs:
            if one is not None and any(output.operator.task_id == task.task_id for output in one.outputs()):
                return True
    return False
