"""What should a process import before it forks tasks? All that a task may need, so that no child imports it again."""

from __future__ import annotations

from importlib import import_module
from typing import Final

MODULES: Final = (
    "tradewind.sdk.execution",
    "tradewind.sdk.loader",
    "tradewind.sdk.serialize",
    "tradewind.sdk.schedule",
    "tradewind.sdk.taskflow",
    "tradewind.sdk.task_group_decorator",
    "tradewind.sdk.dag_decorator",
    "tradewind.sdk.operators.bash",
    "tradewind.sdk.operators.empty",
    "tradewind.sdk.operators.python",
    "tradewind.sdk.param_schema",
    "tradewind.sdk.variable",
    "tradewind.sdk.assets.inlets",
    "tradewind.sdk.assets.outlets",
    "tradewind.compat",
    "jinja2.ext",
    "asyncio",
    "zoneinfo",
)


def preload() -> None:
    """Import everything that running a task can need. Takes about a third of a second of CPU; call it once."""
    for module in MODULES:
        import_module(module)
    import tradewind

    for name in tradewind.__all__:
        getattr(tradewind, name)
