"""Which decorated functions speak to other systems? ``@task.sql``, ``@task.docker``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tradewind.sdk.context_values import Context
from tradewind.sdk.operators.python import call, keyword_arguments
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
        full = Context.of(context).with_extra(self.op_kwargs)
        kwargs = keyword_arguments(self.python_callable, self.op_args, full, self.op_kwargs)
        statement = call(self.python_callable, self.op_args, kwargs)
        if not statement or not isinstance(statement, str | list):
            raise TypeError(f"{self.who}: the function must return a statement or a list of them, not {statement!r}.")
        self.sql = Context.of(context).render(self, statement)
        return super().execute(context)
