"""What does ``task_instance_mutation_hook`` get? The first instance of a task, as it will be, before there is any.

Airflow calls the hook in its scheduler for every instance. Here it is asked once for each task, where the DAG file is
read, with an instance of the first try that belongs to no run yet; what it sets holds for all instances of the task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tradewind.sdk.operator import BaseOperator

_KEPT: Final = ("queue", "pool", "pool_slots", "executor")


class FirstInstance:
    """The first instance of ``task``. What a hook sets beside queue, pool, slots, weight and executor has no effect."""

    def __init__(self, task: BaseOperator) -> None:
        self.task = task
        self.task_id: str = task.task_id
        self.dag_id: str = task.dag_id
        self.operator: str = task.operator_name
        self.run_id: str | None = None
        self.dag_run: Any = None
        self.state: str | None = None
        self.map_index = -1
        self.try_number = 0
        self.max_tries: int = task.retries
        self.queue: str = task.queue
        self.pool: str = task.pool
        self.pool_slots: int = task.pool_slots
        self.priority_weight: int = task.priority_weight
        self.executor: str | None = task.executor
        self.executor_config: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<TaskInstance: {self.dag_id}.{self.task_id} (before its first run)>"


def mutate(task: BaseOperator, hooks: list[Callable[..., Any]]) -> None:
    """Let the hooks change the instances of ``task``: a weight that they set is taken as it is, whatever the rule."""
    instance = FirstInstance(task)
    for hook in hooks:
        hook(instance)
    for name in _KEPT:
        if getattr(instance, name) != getattr(task, name):
            setattr(task, name, getattr(instance, name))
    if instance.priority_weight != task.priority_weight:
        task.priority_weight = instance.priority_weight
        task.weight_rule = "absolute"
