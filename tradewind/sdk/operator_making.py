"""What happens around the ``__init__`` of an operator? Keyword arguments only, ``default_args``, a finish at the end.

Also: how an index of a mapped task is made without being put into the DAG a second time.
"""

from __future__ import annotations

import functools
from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from tradewind.sdk import arguments
from tradewind.sdk.current import current_dag, current_group
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.signatures import signature_of

if TYPE_CHECKING:
    from tradewind.sdk.operator import BaseOperator

_unmapping: ContextVar[tuple[type[BaseOperator], str] | None] = ContextVar("tradewind_unmapping", default=None)


@contextmanager
def unmapping(operator_class: type[BaseOperator], own_id: str) -> Iterator[None]:
    """Let the operator of this class and id that is made in the block be one index of a mapped task."""
    token = _unmapping.set((operator_class, own_id))
    try:
        yield
    finally:
        _unmapping.reset(token)


def is_being_unmapped(task: BaseOperator) -> bool:
    """Return whether ``task`` is an index of a mapped task, so that it belongs to the DAG without standing in it."""
    return _unmapping.get() == (type(task), task.own_id)


class ClassOnly:
    """A class method that an instance does not have."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __get__(self, task: BaseOperator | None, cls: type[BaseOperator]) -> Any:
        if task is not None:
            raise DagArgumentError(
                f"{task.who} is a task already; partial() begins a new one. Write {cls.__name__}.partial(...)."
            )
        return functools.partial(self._function, cls)


def _fills_defaults(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap one ``__init__`` of an operator class: keyword arguments only, and ``default_args`` filled in."""
    signature = signature_of(init)
    named = [
        name
        for name, parameter in signature.parameters.items()
        if name != "self" and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]

    passes_on = any(p.kind is p.VAR_KEYWORD or p.name == "default_args" for p in signature.parameters.values())

    @functools.wraps(init)
    def with_defaults(self: BaseOperator, *args: Any, **kwargs: Any) -> None:
        if args:
            raise DagArgumentError(
                f"{type(self).__name__} takes keyword arguments only, and got {args[0]!r} by position. "
                "Write task_id='...' and the name of each other argument."
            )
        defaults = default_args_for(kwargs)
        for name in named:
            if name not in kwargs and name in defaults:
                kwargs[name] = defaults[name]
        if defaults and passes_on:
            kwargs["default_args"] = defaults
        init(self, **kwargs)

    return with_defaults


def default_args_for(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that hold for a call: the DAG's, the groups' from outside in, the call's own."""
    dag = kwargs.get("dag") or current_dag()
    group = kwargs.get("task_group") or current_group(dag)
    merged: dict[str, Any] = {}
    if dag is not None:
        merged.update(dag.default_args)
    if group is not None:
        merged.update(group.merged_default_args)
    own = kwargs.get("default_args")
    if own is not None and not isinstance(own, Mapping):
        raise arguments.wrong(f"Task {kwargs.get('task_id')!r}", "default_args", own, "a dict")
    merged.update(own or {})
    return merged


class OperatorMeta(ABCMeta):
    """Finishes each new operator once the whole chain of ``__init__`` has run."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> OperatorMeta:
        cls = super().__new__(mcls, name, bases, namespace, **kwargs)
        if "__init__" in namespace:
            cls.__init__ = _fills_defaults(namespace["__init__"])  # type: ignore[misc]  # wrapped once, here
        return cls

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        task = super().__call__(*args, **kwargs)
        task.finish_init()
        return task
