"""Which decorated functions speak to other systems? ``@task.sql``, ``@task.docker``."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tradewind.sdk import arguments
from tradewind.sdk.context_values import Context
from tradewind.sdk.operators.docker import DockerOperator
from tradewind.sdk.operators.other_python import SERIALIZERS, plain_source
from tradewind.sdk.operators.python import call_in
from tradewind.sdk.operators.sql import SQLExecuteQueryOperator

if TYPE_CHECKING:
    from tradewind.sdk.context import Context as AnyContext


class SqlTask(SQLExecuteQueryOperator):
    """The task that a call of a ``@task.sql`` function makes: the function returns the statement, or a list of them."""

    template_fields: Sequence[str] = (*SQLExecuteQueryOperator.template_fields, "op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **SQLExecuteQueryOperator.template_fields_renderers,
        "op_args": "py",
        "op_kwargs": "py",
    }
    custom_operator_name = "@task.sql"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any],
        op_kwargs: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(sql="", **{**kwargs, "multiple_outputs": False})  # rows are one value
        self.python_callable = python_callable
        self.op_args: Any = op_args
        self.op_kwargs: Any = op_kwargs

    def execute(self, context: AnyContext) -> Any:
        """Call the function, render the statement that it returns, and run it."""
        statement = call_in(context, self.python_callable, self.op_args, self.op_kwargs)
        if not statement or not isinstance(statement, str | list):
            raise TypeError(f"{self.who}: the function must return a statement or a list of them, not {statement!r}.")
        one_by_one = [statement] if isinstance(statement, str) else statement
        rendered = [Context.of(context).render(self, one) for one in one_by_one]
        self.sql = rendered[0] if isinstance(statement, str) else rendered
        return super().execute(context)


_IN_CONTAINER: Final = """\
import base64, os
import {pickler} as _pickler

{source}

_given = _pickler.loads(base64.b64decode(os.environ["__TRADEWIND_ARGUMENTS"]))
_result = {name}(*_given["args"], **_given["kwargs"])
with open("{path}", "wb") as _file:
    _pickler.dump(_result, _file)
"""
_RESULT: Final = "/tmp/tradewind-result"


class DockerTask(DockerOperator):
    """The task that a call of a ``@task.docker`` function makes: a Python in the container runs the function.

    Args:
        python_command: that Python.
        serializer: ``pickle``, or ``cloudpickle`` or ``dill``, which both Pythons must have then.
        expect_airflow: taken for Airflow's sake; the image needs Python, and nothing of Airflow or Tradewind.
    """

    template_fields: Sequence[str] = (*DockerOperator.template_fields, "op_args", "op_kwargs")
    custom_operator_name = "@task.docker"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any],
        op_kwargs: Mapping[str, Any],
        python_command: str = "python3",
        serializer: str | None = None,
        expect_airflow: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(retrieve_output=True, retrieve_output_path=_RESULT, **kwargs)
        self.python_callable = python_callable
        self.op_args: Any = op_args
        self.op_kwargs: Any = op_kwargs
        self.python_command = python_command
        self.serializer: str = arguments.one_of(SERIALIZERS)(self.who, "serializer", serializer or "pickle")
        self.expect_airflow = expect_airflow

    def execute(self, context: AnyContext) -> Any:
        """Send the function along, run the container, and return what the function returns."""
        given = {"args": list(self.op_args), "kwargs": dict(self.op_kwargs)}
        pickled = base64.b64encode(import_module(self.serializer).dumps(given)).decode()
        script = _IN_CONTAINER.format(
            pickler=self.serializer,
            source=plain_source(self.python_callable),
            name=self.python_callable.__name__,
            path=_RESULT,
        )
        self._private_environment["__TRADEWIND_ARGUMENTS"] = pickled
        self.command = [self.python_command, "-c", script]
        return super().execute(context)
