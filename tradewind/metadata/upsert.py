"""How is a row written that may be there already? ``INSERT ... ON CONFLICT``, in the words of the database at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tradewind.metadata.models import Base

_BATCH: Final = 500
"""Rows of one statement: both databases bound the number of its parameters."""


def upsert(tx: Connection, table: type[Base], key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Write ``values`` into the row with this key, which is made when it is not there."""
    statement = (postgres_insert if tx.dialect.name == "postgresql" else sqlite_insert)(table)
    row = statement.values(**key, **values)
    tx.execute(row.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def insert_missing(tx: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose keys are not there yet; leave the others as they are."""
    statement = (postgres_insert if tx.dialect.name == "postgresql" else sqlite_insert)(table)
    for start in range(0, len(rows), _BATCH):
        batch = [dict(row) for row in rows[start : start + _BATCH]]
        tx.execute(statement.values(batch).on_conflict_do_nothing())
