"""Which decorated functions decide and wait? ``@task.branch``, ``@task.short_circuit``, ``@task.sensor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from tradewind.sdk.operators.branch import BranchPythonOperator
from tradewind.sdk.operators.short_circuit import ShortCircuitOperator
from tradewind.sdk.sensors.python import PythonSensor


class BranchTask(BranchPythonOperator):
    """The task that a call of a ``@task.branch`` function makes: the function returns what to follow."""

    custom_operator_name = "@task.branch"


class ShortCircuitTask(ShortCircuitOperator):
    """The task that a call of a ``@task.short_circuit`` function makes."""

    custom_operator_name = "@task.short_circuit"


class SensorTask(PythonSensor):
    """The task that a call of a ``@task.sensor`` function makes: the function looks once."""

    template_fields: Sequence[str] = ("op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"op_args": "py", "op_kwargs": "py"}
    shallow_copy_attrs: Sequence[str] = ("python_callable",)
    custom_operator_name = "@task.sensor"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "multiple_outputs": False})  # what a sensor found is one value
