"""Is there something in a database yet? ``SqlSensor``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.hooks.sql import hook_for
from tradewind.sdk.sensors.base import BaseSensorOperator

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


def _first(row: Any) -> Any:
    return row[0]


class SqlSensor(BaseSensorOperator):
    """Waits until ``sql`` gives a row whose first value is true, or is what ``success`` wants.

    Args:
        success, failure: take the value; the first says that the waiting is over, the second that the task fails.
        selector: takes the first row and gives the value.
        fail_on_empty: fail when there is no row, instead of waiting.
    """

    template_fields: Sequence[str] = ("sql", "hook_params", "parameters")
    template_ext: Sequence[str] = (".hql", ".sql")
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}
    ui_color = "#7c7287"

    def __init__(
        self,
        *,
        conn_id: str,
        sql: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        success: Callable[[Any], bool] | None = None,
        failure: Callable[[Any], bool] | None = None,
        selector: Callable[[Any], Any] = _first,
        fail_on_empty: bool = False,
        hook_params: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.sql: Any = sql
        self.parameters: Any = parameters
        self.success, self.failure, self.selector = success, failure, selector
        self.fail_on_empty = fail_on_empty
        self.hook_params: Any = hook_params

    def poke(self, context: Context) -> bool:
        """Ask once."""
        rows = hook_for(self.conn_id, None, self.hook_params).get_records(self.sql, self.parameters)
        if not rows:
            if self.fail_on_empty:
                raise AirflowException(f"{self.who}: the query gave no row, and fail_on_empty is on.")
            return False
        value = self.selector(rows[0])
        if self.failure is not None and self.failure(value):
            raise AirflowException(f"{self.who}: failure says that {value!r} is wrong.")
        return bool(value) if self.success is None else bool(self.success(value))
