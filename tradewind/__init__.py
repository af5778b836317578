"""What does a DAG file import? Everything by name from here; each name is loaded when it is first asked for.

``from tradewind import DAG, task`` is what a DAG file begins with, so it must cost next to nothing: pendulum, Jinja2,
jsonschema and msgspec are loaded when a task runs or a DAG is serialised, not here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

__version__ = "0.1.0"

_WHERE: Final[dict[str, str]] = {
    "BaseHook": "tradewind.sdk.connection",
    "BaseOperator": "tradewind.sdk.operator",
    "BashOperator": "tradewind.sdk.operators.bash",
    "Connection": "tradewind.sdk.connection",
    "Context": "tradewind.sdk.context",
    "DAG": "tradewind.sdk.dag",
    "EmptyOperator": "tradewind.sdk.operators.empty",
    "Key": "tradewind.sdk.limits",
    "Label": "tradewind.sdk.edges",
    "Param": "tradewind.sdk.params",
    "ParamsDict": "tradewind.sdk.params",
    "PythonOperator": "tradewind.sdk.operators.python",
    "Rate": "tradewind.sdk.limits",
    "RetryAfter": "tradewind.sdk.exceptions",
    "TaskGroup": "tradewind.sdk.task_group",
    "TriggerRule": "tradewind.sdk.rules",
    "Variable": "tradewind.sdk.variable",
    "WeightRule": "tradewind.sdk.rules",
    "XComArg": "tradewind.sdk.xcom_arg",
    "chain": "tradewind.sdk.edges",
    "chain_linear": "tradewind.sdk.edges",
    "cross_downstream": "tradewind.sdk.edges",
    "dag": "tradewind.sdk.dag_decorator",
    "get_current_context": "tradewind.sdk.current",
    "literal": "tradewind.sdk.literals",
    "macros": "tradewind.sdk.macros",
    "setup": "tradewind.sdk.taskflow",
    "task": "tradewind.sdk.taskflow",
    "task_group": "tradewind.sdk.task_group_decorator",
    "teardown": "tradewind.sdk.taskflow",
}

__all__ = ["__version__", *sorted(_WHERE)]

if TYPE_CHECKING:
    from tradewind.sdk import macros as macros
    from tradewind.sdk.connection import BaseHook as BaseHook
    from tradewind.sdk.connection import Connection as Connection
    from tradewind.sdk.context import Context as Context
    from tradewind.sdk.current import get_current_context as get_current_context
    from tradewind.sdk.dag import DAG as DAG
    from tradewind.sdk.dag_decorator import dag as dag
    from tradewind.sdk.edges import Label as Label
    from tradewind.sdk.edges import chain as chain
    from tradewind.sdk.edges import chain_linear as chain_linear
    from tradewind.sdk.edges import cross_downstream as cross_downstream
    from tradewind.sdk.exceptions import RetryAfter as RetryAfter
    from tradewind.sdk.limits import Key as Key
    from tradewind.sdk.limits import Rate as Rate
    from tradewind.sdk.literals import literal as literal
    from tradewind.sdk.operator import BaseOperator as BaseOperator
    from tradewind.sdk.operators.bash import BashOperator as BashOperator
    from tradewind.sdk.operators.empty import EmptyOperator as EmptyOperator
    from tradewind.sdk.operators.python import PythonOperator as PythonOperator
    from tradewind.sdk.params import Param as Param
    from tradewind.sdk.params import ParamsDict as ParamsDict
    from tradewind.sdk.rules import TriggerRule as TriggerRule
    from tradewind.sdk.rules import WeightRule as WeightRule
    from tradewind.sdk.task_group import TaskGroup as TaskGroup
    from tradewind.sdk.task_group_decorator import task_group as task_group
    from tradewind.sdk.taskflow import setup as setup
    from tradewind.sdk.taskflow import task as task
    from tradewind.sdk.taskflow import teardown as teardown
    from tradewind.sdk.variable import Variable as Variable
    from tradewind.sdk.xcom_arg import XComArg as XComArg


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562), and keep it."""
    if name not in _WHERE:
        raise AttributeError(f"module 'tradewind' has no attribute {name!r}")
    module = import_module(_WHERE[name])
    value = module if name == "macros" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Offer the public names to completion, loaded or not."""
    return sorted({*globals(), *_WHERE})
