"""How does a Python function wait for something? ``PythonSensor``: it is called until it returns something true."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from tradewind.sdk import arguments
from tradewind.sdk.context_values import Context
from tradewind.sdk.operators.python import call_in
from tradewind.sdk.sensors.arguments import SensorArguments
from tradewind.sdk.sensors.base import BaseSensorOperator, PokeReturnValue


class PythonSensor(BaseSensorOperator):
    """Calls ``python_callable`` until what it returns is true.

    Args:
        python_callable: a function; a :class:`PokeReturnValue` from it gives the task an output.
        op_args, op_kwargs: its arguments; templates.
        templates_dict: templates, given to the function as ``templates_dict``.
    """

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Sequence[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        if not callable(python_callable):
            raise arguments.wrong(self.who, "python_callable", python_callable, "a function")
        self.python_callable = python_callable
        self.op_args: Any = op_args or []
        self.op_kwargs: Any = op_kwargs or {}
        self.templates_dict = templates_dict

    def poke(self, context: Context) -> PokeReturnValue:
        """Call the function once."""
        self.log.info("Poking callable: %s", self.python_callable)
        extra = {"templates_dict": self.templates_dict}
        answer = call_in(context, self.python_callable, self.op_args, self.op_kwargs, extra)
        return answer if isinstance(answer, PokeReturnValue) else PokeReturnValue(bool(answer))
