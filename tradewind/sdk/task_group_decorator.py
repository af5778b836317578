"""How does a function become a task group? ``@task_group``: its tasks are made inside the group when it is called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from tradewind.sdk.mapping import mapping_refused
from tradewind.sdk.task_group import TaskGroup


class TaskGroupFactory:
    """A decorated function; each call makes a group. Returns what the function returns, or the group."""

    def __init__(self, function: Callable[..., Any], settings: dict[str, Any]) -> None:
        self._function = function
        self._settings = settings
        functools.update_wrapper(self, function)

    def override(self, **settings: Any) -> TaskGroupFactory:
        """Return the same group maker with other arguments, e.g. another ``group_id``."""
        return TaskGroupFactory(self._function, {**self._settings, **settings})

    def partial(self, **_: Any) -> Any:
        """Refused: mapped groups do not exist yet."""
        raise mapping_refused(f"{self._function.__name__}.partial(...)")

    def expand(self, **_: Any) -> Any:
        """Refused: mapped groups do not exist yet."""
        raise mapping_refused(f"{self._function.__name__}.expand(...)")

    def expand_kwargs(self, *_: Any, **__: Any) -> Any:
        """Refused: mapped groups do not exist yet."""
        raise mapping_refused(f"{self._function.__name__}.expand_kwargs(...)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        settings = {"group_id": self._function.__name__, "add_suffix_on_collision": True, **self._settings}
        doc = inspect.getdoc(self._function)
        if doc and not settings.get("tooltip"):
            settings["tooltip"] = doc
        with TaskGroup(**settings) as group:
            result = self._function(*args, **kwargs)
        return group if result is None else result


@overload
def task_group(group_id: Callable[..., Any]) -> TaskGroupFactory: ...
@overload
def task_group(group_id: str | None = None, **settings: Any) -> Callable[[Callable[..., Any]], TaskGroupFactory]: ...
def task_group(group_id: Any = None, **settings: Any) -> Any:
    """Make a task group of a function: ``@task_group``, or ``@task_group(group_id=..., tooltip=...)``."""
    if callable(group_id):
        return TaskGroupFactory(group_id, {})
    if group_id is not None:
        settings["group_id"] = group_id
    return lambda function: TaskGroupFactory(function, settings)
