"""What stands for ``airflow.utils.operator_helpers``? Functions are called with the part of the context they name."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from tradewind.sdk.signatures import signature_of

DEFAULT_FORMAT_PREFIX: Final = "airflow.ctx."
ENV_VAR_FORMAT_PREFIX: Final = "AIRFLOW_CTX_"
_VARIABLES: Final = ("dag_id", "task_id", "logical_date", "try_number", "dag_run_id", "dag_owner", "dag_email")
AIRFLOW_VAR_NAME_FORMAT_MAPPING: Final = {
    f"AIRFLOW_CONTEXT_{name.upper()}": {
        "default": f"{DEFAULT_FORMAT_PREFIX}{name}",
        "env_var_format": f"{ENV_VAR_FORMAT_PREFIX}{name.upper()}",
    }
    for name in _VARIABLES
}
"""What the variables are called that a command finds in its environment."""


def determine_kwargs(func: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of ``kwargs`` that ``func`` takes beside the positional ``args``.

    Raises:
        ValueError: an argument would be given twice.
    """
    parameters = list(signature_of(func).parameters.values())
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        taken = dict(kwargs)
    else:
        names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        taken = {name: value for name, value in kwargs.items() if name in names}
    by_position = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][: len(args)]
    twice = [name for name in by_position if name in taken]
    if twice:
        raise ValueError(
            f"The key {twice[0]!r} in args is part of the context, and would be given twice. Rename the parameter."
        )
    return taken


class KeywordParameters:
    """What of the context a function takes."""

    def __init__(self, kwargs: Mapping[str, Any]) -> None:
        self._kwargs = kwargs

    @classmethod
    def determine(cls, func: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> KeywordParameters:
        """Return what ``func`` takes of ``kwargs``; see :func:`determine_kwargs`."""
        return cls(determine_kwargs(func, args, kwargs))

    def unpacking(self) -> Mapping[str, Any]:
        """Return it as keyword arguments."""
        return self._kwargs


def make_kwargs_callable(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``func`` as a function that may be called with more keyword arguments than it names."""

    @functools.wraps(func)
    def called(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **determine_kwargs(func, args, kwargs))

    return called


def context_to_airflow_vars(context: Mapping[str, Any], in_env_var_format: bool = False) -> dict[str, str]:
    """Return who runs, as texts under fixed names.

    Args:
        context: of a task; may be incomplete.
        in_env_var_format: names like ``AIRFLOW_CTX_DAG_ID`` instead of ``airflow.ctx.dag_id``.
    """
    task, run, ti = context.get("task"), context.get("dag_run"), context.get("ti") or context.get("task_instance")
    owner, email = getattr(task, "owner", None), getattr(task, "email", None)
    logical_date = context.get("logical_date") or getattr(run, "logical_date", None)
    found = {
        "dag_email": email if isinstance(email, str) else ",".join(email or ()),
        "dag_owner": owner if isinstance(owner, str) else ",".join(owner or ()),
        "dag_id": getattr(ti, "dag_id", None),
        "task_id": getattr(ti, "task_id", None),
        "logical_date": logical_date.isoformat() if logical_date else None,
        "try_number": getattr(ti, "try_number", None),
        "dag_run_id": getattr(run, "run_id", None),
    }
    form = "env_var_format" if in_env_var_format else "default"
    names = {name: AIRFLOW_VAR_NAME_FORMAT_MAPPING[f"AIRFLOW_CONTEXT_{name.upper()}"][form] for name in _VARIABLES}
    return {names[name]: str(value) for name, value in found.items() if value not in (None, "")}


def is_async_callable(func: Any) -> bool:
    """Return whether calling ``func`` gives something to await."""
    inner = inspect.unwrap(func.func if isinstance(func, functools.partial) else func)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(getattr(type(inner), "__call__", None))  # noqa: B004  its code is looked at


def unwrap_partial(fn: Any) -> Any:
    """Return the function below ``functools.partial``."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def unwrap_callable(func: Any) -> Any:
    """Return the function below decorators and ``functools.partial``."""
    while True:
        inner = unwrap_partial(func)
        inner = getattr(inner, "__wrapped__", getattr(inner, "python_callable", inner))
        if inner is func:
            return func
        func = inner


class ExecutionCallableRunner:
    """Calls a function on behalf of a task, and remembers nothing of it."""

    def __init__(self, func: Callable[..., Any], *_: Any, **__: Any) -> None:
        self.func = func

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns."""
        return self.func(*args, **kwargs)


def get_parsing_context() -> Any:
    """Return for which DAG and task the file is being imported: here always for all of them.

    A file that skips DAGs it was not asked for keeps them all, which is what a warm process needs.
    """
    return AirflowParsingContext(
        os.environ.get("_AIRFLOW_PARSING_CONTEXT_DAG_ID"), os.environ.get("_AIRFLOW_PARSING_CONTEXT_TASK_ID")
    )


class AirflowParsingContext:
    """For which DAG and task a file is imported; None means all."""

    def __init__(self, dag_id: str | None, task_id: str | None) -> None:
        self.dag_id, self.task_id = dag_id, task_id
