"""What is wrong with one DAG file? For the banner on the pages of its DAGs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from tradewind.metadata.dag_files import ImportErrorRow
from tradewind.metadata.models import DagFile


def find_import_error(tx: Connection, path: str) -> ImportErrorRow | None:
    """Return the import error of a file, None when it has none."""
    columns = (DagFile.path, DagFile.error, DagFile.error_line, DagFile.traceback, DagFile.parsed_at)
    query: Select[*tuple[Any, ...]] = select(*columns).where(DagFile.path == path, DagFile.error.is_not(None))
    row = tx.execute(query).one_or_none()
    return None if row is None else ImportErrorRow(*row)
