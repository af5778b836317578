"""How are functions of plugins found that want to be called? By the mark that ``hookimpl`` leaves, as pluggy does it.

Modules that were marked by pluggy itself (``pluggy.HookimplMarker("airflow")``) are understood as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class HookMarker:
    """``@hookimpl`` of one project: marks functions as those that want to be called."""

    def __init__(self, project_name: str) -> None:
        self.project_name = project_name
        self._attribute = f"{project_name}_impl"

    def __call__(self, function: Function | None = None, **options: Any) -> Any:
        """Mark a function. With options (``specname``, ``tryfirst``, ``trylast``), return a decorator that does."""

        def mark(marked: Function) -> Function:
            setattr(marked, self._attribute, options)
            return marked

        return mark if function is None else mark(function)

    def marked(self, owner: Any) -> dict[str, Callable[..., Any]]:
        """Return the functions of a module or object that are marked, by the hook that they are for."""
        found = {}
        for name in dir(owner):
            if name.startswith("__"):
                continue
            function = getattr(owner, name, None)
            options = getattr(function, self._attribute, None)
            if isinstance(options, Mapping) and callable(function):
                found[options.get("specname") or name] = function
        return found

    def in_order(self, owners: Iterable[Any], hook: str) -> Iterator[Callable[..., Any]]:
        """Yield what is to be called for a hook: the owner that came last goes first, as with pluggy."""
        functions = [f for owner in owners if (f := self.marked(owner).get(hook)) is not None]
        functions.reverse()
        yield from sorted(functions, key=self._rank)

    def _rank(self, function: Callable[..., Any]) -> int:
        options = getattr(function, self._attribute, {})
        return -1 if options.get("tryfirst") else 1 if options.get("trylast") else 0


def call_with(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """Call a function with those of the arguments that it names."""
    names = inspect.signature(function).parameters
    return function(**{name: value for name, value in given.items() if name in names})


listener: HookMarker = HookMarker("airflow")
policy: HookMarker = HookMarker("airflow.policy")
