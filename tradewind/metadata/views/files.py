"""What is wrong with DAG files? One of them, for the banner on the pages of its DAGs, or a page of all that are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from tradewind.metadata.dag_files import ImportErrorRow
from tradewind.metadata.models import DagFile

_ERRORS: Select[*tuple[Any, ...]] = select(
    DagFile.path, DagFile.error, DagFile.error_line, DagFile.traceback, DagFile.parsed_at
).where(DagFile.error.is_not(None))


def find_import_error(tx: Connection, path: str) -> ImportErrorRow | None:
    """Return the import error of a file, None when it has none."""
    row = tx.execute(_ERRORS.where(DagFile.path == path)).one_or_none()
    return None if row is None else ImportErrorRow(*row)


def page_of_import_errors(tx: Connection, *, offset: int, limit: int) -> list[ImportErrorRow]:
    """Return a page of the files with an import error, by path."""
    return [ImportErrorRow(*row) for row in tx.execute(_ERRORS.order_by(DagFile.path).offset(offset).limit(limit))]
