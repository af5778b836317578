"""How are SQL statements run as a task? ``SQLExecuteQueryOperator``; ``BranchSQLOperator`` decides by a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from tradewind.sdk.exceptions import AirflowException, AirflowFailException
from tradewind.sdk.hooks.sql import fetch_all_handler, hook_for
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operators.branch import BranchMixIn

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

_YES, _NO = ("true", "y", "yes", "1", "on"), ("false", "n", "no", "0", "off")


class BaseSQLOperator(BaseOperator):
    """What all SQL operators share.

    Args:
        conn_id: the connection; it has the database and the login.
        database: in place of the one of the connection.
        hook_params: further arguments of the hook.
        retry_on_failure: False: a check that fails is not tried again.
    """

    conn_id_field = "conn_id"
    template_fields: Sequence[str] = ("conn_id", "database", "hook_params")

    def __init__(
        self,
        *,
        conn_id: str | None = None,
        database: str | None = None,
        hook_params: dict[str, Any] | None = None,
        retry_on_failure: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id: Any = conn_id
        self.database: Any = database
        self.hook_params: Any = hook_params or {}
        self.retry_on_failure = retry_on_failure

    def get_db_hook(self) -> Any:
        """Return what runs the statements.

        Raises:
            AirflowException: no connection is named, or there is none of that name.
        """
        if not self.conn_id:
            raise AirflowException(f"{self.who}: conn_id is not given. Name the connection of the database.")
        return hook_for(self.conn_id, self.database, self.hook_params)

    def fail(self, why: str) -> NoReturn:
        """Fail the task; for good when it is not to be tried again."""
        raise (AirflowException if self.retry_on_failure else AirflowFailException)(f"{self.who}: {why}")


class SQLExecuteQueryOperator(BaseSQLOperator):
    """Runs ``sql`` in one transaction; the rows of the last query are the task's output.

    Args:
        sql: a statement, a list of them, or the path of a template file that ends in ``.sql``.
        autocommit: each statement by itself.
        parameters: of each statement, as the database's driver has them.
        handler: takes the driver's cursor; what it returns is the output. All rows by default.
        split_statements: take a text apart at its semicolons; None: where the database takes one statement at a time.
        return_last: give the result of the last statement, not a list of all.
    """

    template_fields: Sequence[str] = ("sql", "parameters", *BaseSQLOperator.template_fields)
    template_ext: Sequence[str] = (".sql", ".json")
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}
    ui_color = "#cdaaed"

    def __init__(
        self,
        *,
        sql: str | list[str],
        autocommit: bool = False,
        parameters: Mapping[str, Any] | Iterable[Any] | None = None,
        handler: Callable[[Any], Any] | None = fetch_all_handler,
        output_processor: Callable[[list[Any], list[Any]], list[Any]] | None = None,
        split_statements: bool | None = None,
        return_last: bool = True,
        show_return_value_in_logs: bool = False,
        requires_result_fetch: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql: Any = sql
        self.autocommit = autocommit
        self.parameters: Any = parameters
        self.handler = handler
        self.output_processor = output_processor
        self.split_statements = split_statements
        self.return_last = return_last
        self.show_return_value_in_logs = show_return_value_in_logs
        self.requires_result_fetch = requires_result_fetch

    def execute(self, context: Context) -> Any:
        """Run the statements; return what the handler made of their rows."""
        hook = self.get_db_hook()
        split = {} if self.split_statements is None else {"split_statements": self.split_statements}
        output = hook.run(
            self.sql,
            autocommit=self.autocommit,
            parameters=self.parameters,
            handler=self.handler if self.do_xcom_push or self.requires_result_fetch else None,
            return_last=self.return_last,
            **split,
        )
        if self.show_return_value_in_logs:
            self.log.info("Output: %s", output)
        if not self.do_xcom_push:
            return None
        if self.output_processor is None:
            return output
        is_single = isinstance(self.sql, str) and (self.return_last or not self.split_statements)
        processed = self.output_processor([output] if is_single else output, hook.descriptions)
        return processed[-1] if is_single else processed


class SQLInsertRowsOperator(BaseSQLOperator):
    """Inserts ``rows`` into a table.

    Args:
        table_name: may have a schema before a dot.
        rows: lists of values, e.g. the output of a task.
        columns: in the order of the values; None: all, in the order of the table.
        preoperator, postoperator: statements to run before and after.
    """

    template_fields: Sequence[str] = (
        "table_name", "rows", "columns", "preoperator", "postoperator", *BaseSQLOperator.template_fields,
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        table_name: str,
        rows: Any = None,
        columns: Iterable[str] | None = None,
        preoperator: str | list[str] | None = None,
        postoperator: str | list[str] | None = None,
        insert_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table_name: Any = table_name
        self.rows: Any = rows
        self.columns: Any = None if columns is None else list(columns)
        self.preoperator: Any = preoperator
        self.postoperator: Any = postoperator
        self.insert_args = insert_args or {}

    def execute(self, context: Context) -> None:
        """Insert the rows."""
        hook = self.get_db_hook()
        if self.preoperator:
            hook.run(self.preoperator)
        hook.insert_rows(self.table_name, self.rows or [], target_fields=self.columns, **self.insert_args)
        if self.postoperator:
            hook.run(self.postoperator)


class BranchSQLOperator(BaseSQLOperator, BranchMixIn):
    """Follows one way when the first value that ``sql`` gives is true, another when it is not.

    Args:
        follow_task_ids_if_true, follow_task_ids_if_false: ids of tasks or groups, one or several.
    """

    inherits_from_skipmixin = True
    template_fields: Sequence[str] = ("sql", "parameters", *BaseSQLOperator.template_fields)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}
    ui_color = "#a22034"
    ui_fgcolor = "#F7F7F7"

    def __init__(
        self,
        *,
        sql: str,
        follow_task_ids_if_true: list[str] | str,
        follow_task_ids_if_false: list[str] | str,
        parameters: Iterable[Any] | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql: Any = sql
        self.parameters: Any = parameters
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false

    def execute(self, context: Context) -> Any:
        """Ask, choose, and skip the rest."""
        row = self.get_db_hook().get_first(self.sql, self.parameters)
        if row is None:
            raise AirflowException(f"{self.who}: the query gave no row, so there is nothing to decide by.")
        value = row[0] if isinstance(row, list | tuple) else row
        is_true = as_truth(value)
        if is_true is None:
            raise AirflowException(
                f"{self.who}: the query gave {value!r} ({type(value).__name__}), which is neither true nor false."
            )
        return self.do_branch(context, self.follow_task_ids_if_true if is_true else self.follow_task_ids_if_false)


def as_truth(value: Any) -> bool | None:
    """Return what a value of a database means as true or false; None: neither."""
    if isinstance(value, str):
        text = value.strip().lower()
        return True if text in _YES else False if text in _NO else None
    return bool(value) if isinstance(value, bool | int | Decimal) else None
