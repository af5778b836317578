"""What stands for small helpers of Airflow that files still import? The least that keeps them working."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


def apply_defaults(function: Function) -> Function:
    """Return ``function`` as it is: operators apply ``default_args`` by themselves."""
    return function
