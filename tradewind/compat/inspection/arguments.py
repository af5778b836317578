"""Which arguments of a call are unknown, refused, or have no effect? By the tables that the classes themselves use."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from tradewind.errors import did_you_mean
from tradewind.sdk import dag_arguments, operator_arguments
from tradewind.sdk.dag import DAG
from tradewind.sdk.dag_decorator import dag as dag_decorator
from tradewind.sdk.exceptions import IgnoredArgumentWarning, NotSupportedYet
from tradewind.sdk.operator import BaseOperator

_AIRFLOW_TOO = "Airflow 3 ignores it as well"
_OLD = frozenset({"provide_context"})
"""Arguments of Airflow 2 that are taken with a warning where they stand."""


def complaints(called: Any, given: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return argument, what is wrong and the mend, for each argument of a call that will not do what it says.

    Args:
        called: the class or decorator.
        given: names of keyword arguments; those that are given None should be left out.
    """
    table, known, who = _table(called)
    if table is None:
        return []
    found: list[tuple[str, str, str]] = []
    for name in given:
        if name not in known:
            if name not in _OLD:
                hint = did_you_mean(name, known).strip()
                found.append((name, f"{who} has no argument {name!r}", hint or "Remove it."))
        elif name in table:
            verdict = _verdict(table[name].check, name)
            if verdict:
                what, _, mend = verdict.partition(": ")
                found.append((name, f"{who}: {what}", mend or "Remove it."))
    return found


def _table(called: Any) -> tuple[Mapping[str, Any] | None, frozenset[str], str]:
    if called is DAG or called is dag_decorator:
        names = {"dag_id", *dag_arguments.ARGUMENTS, *dag_arguments.RENAMED}
        return dag_arguments.ARGUMENTS, frozenset(names), "DAG"
    if isinstance(called, type) and issubclass(called, BaseOperator):
        return operator_arguments.ARGUMENTS, _known(called), called.__name__
    return None, frozenset(), ""


@cache
def _known(cls: type[BaseOperator]) -> frozenset[str]:
    names = {"task_id", "dag", "task_group", "default_args", *operator_arguments.ARGUMENTS}
    for base in cls.__mro__:
        if "__init__" in vars(base) and issubclass(base, BaseOperator):
            names.update(inspect.signature(base.__init__).parameters)
    return frozenset(names)


class _AnyValue:
    """Stands for a value that is not known; what a check says with this in it is about the value."""

    def __repr__(self) -> str:
        return _ANY


_ANY = "<any value>"


def _verdict(check: Any, name: str) -> str:
    """Return what the check of an argument says to any value at all: refused, or without effect."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check("", name, _AnyValue())
        except NotSupportedYet as error:
            said = str(error).removeprefix(": ")
            return said.replace(f"{name} is not supported yet.", f"{name} is not supported:", 1)
        except Exception:  # it looks at the value, so it is obeyed
            return ""
    for one in caught:
        said = str(one.message)
        if issubclass(one.category, IgnoredArgumentWarning) and _AIRFLOW_TOO not in said and _ANY not in said:
            return said.removeprefix(": ")
    return ""
