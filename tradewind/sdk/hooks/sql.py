"""How does a task speak SQL? ``DbApiHook``: statements over a connection to any database that SQLAlchemy knows.

Parameters are written as the driver of the database has them (``?`` for SQLite, ``%s`` for PostgreSQL and MySQL), since
statements go to the driver as they are, as in Airflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from tradewind.sdk.connection import BaseHook, Connection
from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

Parameters = Sequence[Any] | Mapping[str, Any] | None

DRIVERS: Final = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
"""What SQLAlchemy calls a type of connection, where it has another name, or another driver comes with us."""

_OWN_EXTRA: Final = ("sqlalchemy_url", "sqlalchemy_scheme", "sqlalchemy_query", "engine_kwargs")


def fetch_all_handler(cursor: Any) -> list[tuple[Any, ...]] | None:
    """Return all rows; None of a statement that has none, such as an INSERT."""
    return None if cursor.description is None else [tuple(row) for row in cursor.fetchall()]


def fetch_one_handler(cursor: Any) -> tuple[Any, ...] | None:
    """Return the first row; None when there is none."""
    row = None if cursor.description is None else cursor.fetchone()
    return None if row is None else tuple(row)


def return_single_query_results(sql: str | Iterable[str], return_last: bool, split_statements: bool | None) -> bool:
    """Return whether :meth:`DbApiHook.run` gives one result and not a list of them."""
    return isinstance(sql, str) and (return_last or not split_statements)


class DbApiHook(BaseHook):
    """Runs statements. The connection's type is a dialect of SQLAlchemy (``postgres``, ``sqlite``, ``mysql`` ...); its
    extra may hold ``sqlalchemy_url`` (the whole address), ``sqlalchemy_scheme`` (such as ``mysql+pymysql``) and
    ``sqlalchemy_query`` (a dict); other keys of it go into the query of the address.

    Attributes:
        descriptions: what the driver said of the columns of each statement that ran last.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "sql_default"
    conn_type = "sql"
    hook_name = "SQL"

    def __init__(self, conn_id: str | None = None, database: str | None = None, **kwargs: Any) -> None:
        """
        Args:
            database: in place of the one of the connection.
        """
        super().__init__()
        given = kwargs.pop(self.conn_name_attr, None)
        self.conn_id: str = conn_id or given or self.default_conn_name
        self.database = database or kwargs.pop("schema", None)
        self.log_sql = bool(kwargs.pop("log_sql", True))
        if kwargs:
            raise AirflowException(f"{type(self).__name__} has no argument {sorted(kwargs)[0]!r}. Remove it.")
        self.descriptions: list[Any] = []

    @property
    def last_description(self) -> Any:
        """What the driver said of the columns of the last statement."""
        return self.descriptions[-1] if self.descriptions else None

    # --- where ------------------------------------------------------------------------------------------------------

    @property
    def sqlalchemy_url(self) -> URL:
        """The address of the database.

        Raises:
            AirflowNotFoundException: there is no such connection.
            AirflowException: it cannot be read as an address.
        """
        # Late, as below: SQLAlchemy costs more than all the rest of a DAG file's imports.
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        found = self.get_connection(self.conn_id)
        try:
            url = make_url(found.extra_dejson["sqlalchemy_url"]) if _has_url(found) else _url_of(found)
        except (ArgumentError, ValueError) as error:
            raise AirflowException(
                f"Connection {self.conn_id!r} cannot be read as the address of a database: {error}."
            ) from None
        return url.set(database=self.database) if self.database else url

    def get_uri(self) -> str:
        """Return the address as a text, with the password in it."""
        return self.sqlalchemy_url.render_as_string(hide_password=False)

    def get_sqlalchemy_engine(self, engine_kwargs: Mapping[str, Any] | None = None) -> Engine:
        """Return an engine for the database, which keeps no connection open.

        Raises:
            AirflowException: SQLAlchemy does not know this kind of database, or its driver is not installed.
        """
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool

        url = self.sqlalchemy_url
        own = self.get_connection(self.conn_id).extra_dejson.get("engine_kwargs") or {}
        try:
            return create_engine(url, **{"poolclass": NullPool, **own, **(engine_kwargs or {})})
        except NoSuchModuleError:
            raise AirflowException(
                f"Connection {self.conn_id!r}: SQLAlchemy knows no database {url.drivername!r}. Install the package "
                'that brings it, or name one in the extra: {"sqlalchemy_scheme": "mysql+pymysql"}.'
            ) from None
        except ModuleNotFoundError as error:
            raise AirflowException(
                f"Connection {self.conn_id!r}: the driver {error.name!r} of {url.drivername!r} is not installed. "
                'Install it, or name another in the extra: {"sqlalchemy_scheme": "mysql+pymysql"}.'
            ) from None
        except (ArgumentError, TypeError) as error:
            raise AirflowException(f"Connection {self.conn_id!r}: {error}.") from None

    def get_conn(self) -> Any:
        """Return an open connection of the database's driver; the caller closes it."""
        return self.get_sqlalchemy_engine().raw_connection()

    # --- what -------------------------------------------------------------------------------------------------------

    def run(
        self,
        sql: str | Iterable[str],
        autocommit: bool = False,
        parameters: Parameters = None,
        handler: Callable[[Any], Any] | None = None,
        split_statements: bool | None = None,
        return_last: bool = True,
    ) -> Any:
        """Run one statement or several in one transaction; all or nothing, unless ``autocommit``.

        Args:
            parameters: of each statement.
            handler: takes the driver's cursor after each statement; what it returns is the result. None: no results.
            split_statements: take a text apart at its semicolons. None: where the database takes one at a time.
            return_last: give the result of the last statement, not a list of all.

        Raises:
            AirflowException: there is no statement.
            Exception: what the driver raises; nothing is kept then.
        """
        engine = self.get_sqlalchemy_engine()
        one_at_a_time = engine.dialect.name == "sqlite" if split_statements is None else split_statements
        statements = _statements(sql, one_at_a_time)
        self.descriptions = []
        results = []
        with _transaction(engine, autocommit) as connection:
            for statement in statements:
                with closing(connection.cursor()) as cursor:
                    self._execute(cursor, statement, parameters)
                    self.descriptions.append(cursor.description)
                    if handler is not None:
                        results.append(handler(cursor))
        if handler is None:
            return None
        return results[-1] if return_single_query_results(sql, return_last, one_at_a_time) else results

    def _execute(self, cursor: Any, statement: str, parameters: Parameters) -> None:
        if self.log_sql:
            self.log.info("Running statement: %s", statement)
        if parameters:
            cursor.execute(statement, parameters)
        else:
            cursor.execute(statement)  # so that a % in it is a %
        if cursor.rowcount >= 0:
            self.log.info("Rows affected: %s", cursor.rowcount)

    def get_records(self, sql: str | list[str], parameters: Parameters = None) -> Any:
        """Return all rows of a query, as tuples."""
        return self.run(sql, parameters=parameters, handler=fetch_all_handler)

    def get_first(self, sql: str | list[str], parameters: Parameters = None) -> Any:
        """Return the first row of a query as a tuple, or None."""
        return self.run(sql, parameters=parameters, handler=fetch_one_handler)

    def get_df(self, sql: str, parameters: Parameters = None, *, df_type: str = "pandas", **kwargs: Any) -> Any:
        """Return the rows of a query as a data frame of pandas, which must be installed.

        Raises:
            AirflowException: it is not, or another kind is asked for.
        """
        if df_type != "pandas":
            raise AirflowException(f"Data frames of {df_type!r} are not made here. Use df_type='pandas'.")
        try:
            import pandas as pd  # type: ignore[import-untyped, unused-ignore]
        except ModuleNotFoundError:
            raise AirflowException("get_df needs pandas. Install it: pip install pandas") from None
        rows = self.get_records(sql, parameters)
        return pd.DataFrame(rows, columns=[column[0] for column in self.last_description], **kwargs)

    get_pandas_df = get_df

    def insert_rows(
        self,
        table: str,
        rows: Iterable[Sequence[Any]],
        target_fields: Sequence[str] | None = None,
        commit_every: int = 1000,
        **kwargs: Any,
    ) -> None:
        """Insert rows into a table, so many in each transaction.

        Args:
            table: may have a schema before a dot; taken as it is, so never from outside.
            target_fields: columns, in the order of the values; None: all, in the order of the table.
            commit_every: rows to a transaction; 0: all in one.

        Raises:
            AirflowException: an argument that only Airflow's hooks have.
        """
        if any(kwargs.values()):
            raise AirflowException(
                f"insert_rows does not know {sorted(kwargs)[0]!r} here. Write the statement, and run it."
            )
        engine = self.get_sqlalchemy_engine()
        columns = f" ({', '.join(target_fields)})" if target_fields else ""
        for batch in _batches(rows, commit_every):
            marks = ", ".join([_mark(engine.dialect.paramstyle)] * len(batch[0]))
            statement = f"INSERT INTO {table}{columns} VALUES ({marks})"
            with _transaction(engine, autocommit=False) as connection, closing(connection.cursor()) as cursor:
                cursor.executemany(statement, [tuple(row) for row in batch])
            self.log.info("Inserted %s rows into %s", len(batch), table)

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the database answers, and a sentence about it."""
        try:
            self.get_first("SELECT 1")
        except Exception as error:  # whatever the driver raises
            return False, str(error)
        return True, "The database answers."


class SqliteHook(DbApiHook):
    """:class:`DbApiHook` with the names of Airflow's hook for SQLite."""

    conn_name_attr = "sqlite_conn_id"
    default_conn_name = "sqlite_default"
    conn_type = "sqlite"
    hook_name = "Sqlite"


class PostgresHook(DbApiHook):
    """:class:`DbApiHook` with the names of Airflow's hook for PostgreSQL."""

    conn_name_attr = "postgres_conn_id"
    default_conn_name = "postgres_default"
    conn_type = "postgres"
    hook_name = "Postgres"


def hook_for(conn_id: str, database: str | None = None, hook_params: Mapping[str, Any] | None = None) -> Any:
    """Return what runs statements over a connection: the hook of an installed provider package, else our own.

    Raises:
        AirflowNotFoundException: there is no such connection.
        AirflowException: the installed package's hook knows no SQL.
    """
    from tradewind.compat.providers import hook_paths

    found = BaseHook.get_connection(conn_id)
    if found.conn_type not in hook_paths():
        return DbApiHook(conn_id, database, **(hook_params or {}))
    hook = found.get_hook(hook_params=dict(hook_params or {}))
    if not hasattr(hook, "get_records"):
        raise AirflowException(f"Connection {conn_id!r} is of type {found.conn_type!r}, whose hook knows no SQL.")
    if database and hasattr(hook, "schema"):
        hook.schema = database
    return hook


def _has_url(connection: Connection) -> bool:
    return "sqlalchemy_url" in connection.extra_dejson


def _url_of(connection: Connection) -> URL:
    from sqlalchemy.engine import URL

    kind = (connection.conn_type or "").lower()
    if not kind:
        raise ValueError("it has no type")
    extra = connection.extra_dejson
    query = {str(name): str(value) for name, value in extra.items() if name not in _OWN_EXTRA}
    query |= {str(name): str(value) for name, value in (extra.get("sqlalchemy_query") or {}).items()}
    scheme = extra.get("sqlalchemy_scheme") or DRIVERS.get(kind, kind)
    if scheme.partition("+")[0] in ("sqlite", "duckdb"):  # a file, however the connection says it
        return URL.create(scheme, database=connection.host or connection.schema or ":memory:", query=query)
    return URL.create(
        scheme, connection.login, connection.password, connection.host, connection.port, connection.schema, query
    )


@contextmanager
def _transaction(engine: Engine, autocommit: bool) -> Iterator[Any]:
    """Give a connection of the driver; commit at the end of the block, or keep nothing when it raises."""
    with engine.connect() as outer:
        if autocommit:
            outer = outer.execution_options(isolation_level="AUTOCOMMIT")
        connection = outer.connection
        yield connection
        if not autocommit:
            connection.commit()


def _statements(sql: str | Iterable[str], split: bool) -> list[str]:
    texts = [sql] if isinstance(sql, str) else list(sql)
    found = [one for text in texts for one in (split_sql(text) if split else [text.strip()])]
    if not any(found):
        raise AirflowException("There is no SQL statement to run.")
    return [one for one in found if one]


def split_sql(text: str) -> list[str]:
    """Return the statements of a text, without the semicolons between them.

    Semicolons in quotes, in comments and between ``$$`` part nothing; those in the body of a trigger do.
    """
    found, start, place = [], 0, 0
    while place < len(text):
        end = _end_of_quote(text, place)
        if end is not None:
            place = end
        elif text[place] == ";":
            found.append(text[start:place])
            start = place = place + 1
        else:
            place += 1
    found.append(text[start:])
    return [one.strip() for one in found if _says_something(one)]


def _end_of_quote(text: str, place: int) -> int | None:
    """Return where the quote or comment ends that begins here; None: none does."""
    for begin, end in (("--", "\n"), ("/*", "*/"), ("'", "'"), ('"', '"'), ("`", "`")):
        if text.startswith(begin, place):
            found = text.find(end, place + len(begin))
            return len(text) if found < 0 else found + len(end)
    if text[place] == "$":
        tag_end = text.find("$", place + 1)
        tag = text[place : tag_end + 1]
        if tag_end > 0 and (tag == "$$" or tag[1:-1].isidentifier()):
            found = text.find(tag, tag_end + 1)
            return len(text) if found < 0 else found + len(tag)
    return None


def _says_something(statement: str) -> bool:
    place = 0
    while place < len(statement):
        if statement.startswith(("--", "/*"), place):
            place = _end_of_quote(statement, place) or len(statement)
        elif statement[place].isspace():
            place += 1
        else:
            return True
    return False


def _mark(style: str) -> str:
    marks = {"qmark": "?", "format": "%s", "pyformat": "%s"}
    if style not in marks:
        raise AirflowException(
            f"insert_rows does not know how this database marks values ({style}). Write the statement."
        )
    return marks[style]


def _batches(rows: Iterable[Sequence[Any]], size: int) -> Iterator[list[Sequence[Any]]]:
    batch: list[Sequence[Any]] = []
    for row in rows:
        batch.append(row)
        if size and len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
