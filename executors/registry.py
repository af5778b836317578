"""Which executors has an installation, and how is each made? By what ``[core] executor`` names."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import metadata
from typing import Final

from executors.base import Executor, ExecutorHost
from tradewind.config.executor_names import ExecutorName
from tradewind.errors import UsageError, did_you_mean

GROUP: Final = "tradewind.executors"
"""The entry points by which installed packages bring executors: name = ``module:make``."""

Make = Callable[[ExecutorHost], Executor]
"""What a name leads to: a class, or a function, that takes an :class:`ExecutorHost` and gives an executor."""

CELERY: Final = "CeleryExecutor"
BUILT_IN: Final[Mapping[str, str]] = {
    "LocalExecutor": "executors.local:make",
    CELERY: "executors.celery.executor:make",
}


def make_executors(host: ExecutorHost) -> dict[str, Executor]:
    """Make each executor of ``[core] executor``, the default first. Nothing is started.

    Args:
        host: its ``name`` is set for each.

    Raises:
        UsageError: one of them is not there, cannot be imported, or is no executor; says the mend.
    """
    return {named.name: make_executor(named, host) for named in host.config.core.executor}


def make_executor(named: ExecutorName, host: ExecutorHost) -> Executor:
    """Make one executor. Raises as :func:`make_executors`."""
    make = find(named)
    try:
        executor = make(replace(host, name=named.name))
    except TypeError as error:
        raise UsageError(
            f"Executor {named.name!r} ({named.target}) could not be made: {error}. It must be a class or a function "
            "that takes one ExecutorHost (see docs/executors.md)."
        ) from error
    missing = [name for name in _PARTS if not hasattr(executor, name)]
    if missing:
        raise UsageError(
            f"Executor {named.name!r} ({named.target}) has no {', '.join(missing)}: it is no executor. "
            "executors.base.Executor says what one must have; the conformance suite in docs/executors.md checks it."
        )
    if executor.name != named.name:
        raise UsageError(
            f"Executor {named.name!r} ({named.target}) calls itself {executor.name!r}. Its name must be the one that "
            "its ExecutorHost gives it."
        )
    return executor


_PARTS: Final = ("name", "supervisor_id", "start", "capacity", "submit", "cancel", "stop")


def find(named: ExecutorName) -> Make:
    """Return what makes an executor: a built-in one, an entry point, or what a dotted path leads to."""
    target = named.target
    if target in BUILT_IN:
        return _load(named, *BUILT_IN[target].split(":"))
    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    if target in points:
        module, _, attribute = points[target].value.partition(":")
        return _load(named, module.strip(), attribute.split("[")[0].strip())
    module, dot, attribute = target.rpartition(".")
    if dot:
        return _load(named, module, attribute)
    known = [*BUILT_IN, *points]
    raise UsageError(
        f"[core] executor names {target!r}, which is neither built in nor brought by an installed package."
        f"{did_you_mean(target, known)} There are {', '.join(sorted(known))}; one of your own is named by its dotted "
        "path, module.Class."
    )


def _load(named: ExecutorName, module: str, attribute: str) -> Make:
    try:
        found: Make = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UsageError(f"Executor {named.name!r} ({named.target}): {_missing(error, module)}") from error
    except AttributeError as error:
        raise UsageError(
            f"Executor {named.name!r}: the module {module} has no {attribute!r}. Correct [core] executor."
        ) from error
    return found


def _missing(error: ModuleNotFoundError, module: str) -> str:
    if (error.name or "").split(".")[0] in ("celery", "kombu"):
        return "the package celery is not installed. Install it: pip install 'tradewind[celery]'."
    if error.name is not None and f"{module}.".startswith(f"{error.name}."):
        return (
            f"there is no module {error.name}. Correct [core] executor, or install the package that has it where the "
            "scheduler runs; modules in the DAG folder and the plugins folder are not looked at."
        )
    return f"{module} imports {error.name}, which is not installed where the scheduler runs."
