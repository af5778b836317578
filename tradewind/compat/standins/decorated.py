"""What stands for ``DecoratedOperator`` and ``task_decorator_factory``? Decorators of providers: ``@task.docker``."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.task_group import TaskGroup
from tradewind.sdk.taskflow import TaskFactory, free_task_id


class DecoratedOperator(BaseOperator):
    """Keeps a decorated function and its arguments, for an operator class that stands behind it among the bases.

    Args:
        python_callable: the decorated function.
        task_id: of the task.
        op_args, op_kwargs: the arguments of the call; templates.
        kwargs_to_upstream: further arguments for the next class.
    """

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"op_args": "py", "op_kwargs": "py"}
    shallow_copy_attrs: Sequence[str] = ("python_callable",)

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        task_id: str,
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        kwargs_to_upstream: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(task_id=task_id, **(kwargs_to_upstream or {}), **kwargs)
        self.python_callable = python_callable
        self.op_args: Any = op_args if op_args is not None else ()
        self.op_kwargs: Any = op_kwargs if op_kwargs is not None else {}
        self.templates_dict: Any = getattr(self, "templates_dict", None)

    def get_python_source(self) -> str:
        """Return the source of the function without its decorators, as it would stand at the top of a file."""
        lines = textwrap.dedent(inspect.getsource(self.python_callable)).splitlines(keepends=True)
        start = next(i for i, line in enumerate(lines) if line.startswith(("def ", "async def ")))
        return "".join(lines[start:])

    def _handle_output(self, return_value: Any) -> Any:
        return return_value


DecoratedMappedOperator = DecoratedOperator
Task = TaskFactory


def task_decorator_factory(
    python_callable: Callable[..., Any] | None = None,
    *,
    multiple_outputs: bool | None = None,
    decorated_operator_class: type[Any],
    **kwargs: Any,
) -> Any:
    """Return a task maker for a function, or a decorator when there is no function yet.

    Raises:
        DagArgumentError: what is decorated is no function.
    """
    if multiple_outputs is not None:
        kwargs["multiple_outputs"] = multiple_outputs
    if python_callable is None:
        return lambda function: task_decorator_factory(
            function, decorated_operator_class=decorated_operator_class, **kwargs
        )
    if not callable(python_callable) or inspect.isclass(python_callable):
        word = getattr(decorated_operator_class, "custom_operator_name", "@task")
        raise DagArgumentError(f"{word} turns functions into tasks, and got {python_callable!r}. Decorate a function.")
    return TaskFactory(python_callable, decorated_operator_class, kwargs)


def get_unique_task_id(task_id: str, dag: DAG | None = None, task_group: TaskGroup | None = None) -> str:
    """Return ``task_id``, or one with a number behind it when it is taken."""
    return free_task_id(task_id, dag, task_group)


def result(maker: Any) -> Any:
    """Mark the task whose output is what the DAG is for. It changes nothing here: the output is an XCom as any other.

    Raises:
        TypeError: what is decorated is no ``@task`` function.
    """
    if not isinstance(maker, TaskFactory):
        raise TypeError(f"@result stands above @task, and got {maker!r}. Write @result, then @task below it.")
    return maker
