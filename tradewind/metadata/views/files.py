"""What is wrong with one DAG file? For the banner on the pages of its DAGs."""

from __future__ import annotations

from sqlalchemy import Connection, select

from tradewind.metadata.dag_files import ImportErrorRow
from tradewind.metadata.models import DagFile


def find_import_error(tx: Connection, path: str) -> ImportErrorRow | None:
    """Return the import error of a file, None when it has none."""
    columns = (DagFile.path, DagFile.error, DagFile.error_line, DagFile.traceback, DagFile.parsed_at)
    row = tx.execute(select(*columns).where(DagFile.path == path, DagFile.error.is_not(None))).one_or_none()
    return None if row is None else ImportErrorRow(*row)
