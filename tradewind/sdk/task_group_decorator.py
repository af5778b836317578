"""How does a function become a task group? ``@task_group``: its tasks are made inside the group when it is called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any, overload

from tradewind.sdk import arguments
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.expand_input import ArgumentDicts, ExpandInput, MappedArgument, ValueLists
from tradewind.sdk.mapped_group import MappedTaskGroup
from tradewind.sdk.mapping import check_dicts, check_distinct, check_function_names, check_values
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.task_group import TaskGroup


class TaskGroupFactory:
    """A decorated function; each call makes a group. Returns what the function returns, or the group."""

    def __init__(
        self, function: Callable[..., Any], settings: dict[str, Any], given: Mapping[str, Any] | None = None
    ) -> None:
        self._has_made_one = True  # no warning about one that was refused
        self._function = function
        self._settings = settings
        self._given = dict(given or {})
        self._place = arguments.calling_place()
        functools.update_wrapper(self, function)
        self._has_made_one = not self._given

    def override(self, **settings: Any) -> TaskGroupFactory:
        """Return the same group maker with other arguments, e.g. another ``group_id``."""
        self._has_made_one = True  # the other one takes over
        return TaskGroupFactory(self._function, {**self._settings, **settings}, self._given)

    def partial(self, **kwargs: Any) -> TaskGroupFactory:
        """Return the same group maker with arguments that are the same for each index of an expanded group."""
        self._has_made_one = True
        check_function_names(self._function, "partial", kwargs)
        check_distinct(self._who, "partial", self._given, kwargs)
        return TaskGroupFactory(self._function, self._settings, {**self._given, **kwargs})

    def expand(self, **mapped: Any) -> Any:
        """Make the group for each combination of these values: lists, dicts, or outputs of tasks.

        Raises:
            DagArgumentError: nothing to expand over, an unknown argument, a value without elements, one given twice.
        """
        self._has_made_one = True
        check_values(self._who, mapped)
        check_function_names(self._function, "expand", mapped)
        check_distinct(self._who, "expand", self._given, mapped)
        for name, value in mapped.items():
            if isinstance(value, MappedArgument):
                raise DagArgumentError(
                    f"{self._who}.expand(): {name} is an argument of the expanded group around it, so how many values "
                    "it has is not known in time. Expand the outer group over all combinations."
                )
        over = ValueLists(mapped)
        return self._made(over, {name: MappedArgument(over, name) for name in mapped})

    def expand_kwargs(self, kwargs: Any) -> Any:
        """Make the group for each dict of arguments: a list of dicts, or the output of a task that returns one.

        Raises:
            DagArgumentError: it is something else, or the function takes ``*args`` or ``**kwargs``.
        """
        self._has_made_one = True
        check_dicts(self._who, kwargs)
        parameters = signature_of(self._function).parameters.values()
        if any(parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) for parameter in parameters):
            raise DagArgumentError(
                f"{self._who}.expand_kwargs(): the function takes *args or **kwargs, so the names of its arguments are "
                "not known. Name them as parameters."
            )
        over = ArgumentDicts(kwargs)
        return self._made(over, {p.name: MappedArgument(over, p.name) for p in parameters if p.name not in self._given})

    @property
    def _who(self) -> str:
        return f"@task_group function {self._function.__name__}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._has_made_one = True
        if self._given:
            raise DagArgumentError(
                f"{self._who}: partial() begins an expanded group, so expand() or expand_kwargs() must follow. "
                "For a plain group give all arguments in the call."
            )
        return self._filled(TaskGroup(**self._group_settings()), args, kwargs)

    def _made(self, over: ExpandInput, stand_ins: Mapping[str, Any]) -> Any:
        return self._filled(MappedTaskGroup(over=over, **self._group_settings()), (), {**self._given, **stand_ins})

    def _group_settings(self) -> dict[str, Any]:
        settings = {"group_id": self._function.__name__, "add_suffix_on_collision": True, **self._settings}
        doc = inspect.getdoc(self._function)
        if doc and not settings.get("tooltip"):
            settings["tooltip"] = doc
        return settings

    def _filled(self, group: TaskGroup, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        with group:
            result = self._function(*args, **kwargs)
        return group if result is None else result

    def __del__(self) -> None:
        if not getattr(self, "_has_made_one", True):
            arguments.warn_late(self._place, f"{self._who} was never mapped: call expand() on what partial() returns")


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
