"""What stands for small helpers of Airflow that files still import? The least that keeps them working."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


class LoggingMixin:
    """Gives a class ``self.log``, whose lines go to the log of the attempt."""

    @property
    def log(self) -> logging.Logger:
        """The logger of this class."""
        return logging.getLogger(f"airflow.task.{type(self).__module__}.{type(self).__name__}")


def apply_defaults(function: Function) -> Function:
    """Return ``function`` as it is: operators apply ``default_args`` by themselves."""
    return function
