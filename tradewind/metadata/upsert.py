"""How is a row written that may be there already? ``INSERT ... ON CONFLICT``, in the words of the database at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Row
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import InstrumentedAttribute

from tradewind.metadata.models import Base


def upsert(tx: Connection, table: type[Base], key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Write ``values`` into the row with this key, which is made when it is not there."""
    tx.execute(_upsert(tx.dialect.name, table, tuple(key), tuple(values)), {**key, **values})


def upsert_rows(tx: Connection, table: type[Base], key: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that may be there already. All have the same columns, those of ``key`` among them."""
    if rows:
        columns = tuple(name for name in rows[0] if name not in key)
        tx.execute(_upsert(tx.dialect.name, table, tuple(key), columns), [dict(row) for row in rows])


def insert_missing(tx: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose keys are not there yet; leave the others as they are. All rows have the same columns."""
    if rows:
        tx.execute(_insert_missing(tx.dialect.name, table), [dict(row) for row in rows])


def insert_missing_returning(
    tx: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]], *columns: InstrumentedAttribute[Any]
) -> Sequence[Row[Any]]:
    """Insert the rows that break no unique key, and return columns of those, in no order. All rows have the same
    columns."""
    if not rows:
        return ()
    return tx.execute(_insert_missing_returning(tx.dialect.name, table, columns), [dict(row) for row in rows]).all()


# Built once: for the small rows that are written here, building a statement costs more than running it.


@cache
def _upsert(dialect: str, table: type[Base], key: tuple[str, ...], columns: tuple[str, ...]) -> Executable:
    statement = (postgres_insert if dialect == "postgresql" else sqlite_insert)(table)
    given = {name: statement.excluded[name] for name in columns}
    return statement.on_conflict_do_update(index_elements=list(key), set_=given)


@cache
def _insert_missing(dialect: str, table: type[Base]) -> Executable:
    return (postgres_insert if dialect == "postgresql" else sqlite_insert)(table).on_conflict_do_nothing()


@cache
def _insert_missing_returning(
    dialect: str, table: type[Base], columns: tuple[InstrumentedAttribute[Any], ...]
) -> Executable:
    statement = (postgres_insert if dialect == "postgresql" else sqlite_insert)(table)
    return statement.on_conflict_do_nothing().returning(*columns)
