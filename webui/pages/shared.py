"""What do the pages about one DAG have in common? Its header, its spec, the run that is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradewind.errors import NotFound
from tradewind.metadata.dag_files import list_warnings
from tradewind.metadata.dags import DagRow, ImportErrorRow, get_dag
from tradewind.metadata.views.files import find_import_error
from tradewind.metadata.views.runs import RunPage, find_run_page
from tradewind.model.parsed import FileWarning
from tradewind.model.spec import DagSpec
from webui.web import web

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class DagHead:
    """The header of every page about a DAG."""

    dag: DagRow
    spec: DagSpec | None  # of the newest version
    import_error: ImportErrorRow | None
    warnings: list[FileWarning]  # of its file


def dag_head(tx: Connection, dag_id: str) -> DagHead:
    """Return the header. Raises :class:`NotFound` with the nearest name."""
    dag = get_dag(tx, dag_id)
    error = find_import_error(tx, dag.file_path) if dag.has_import_error else None
    warnings = list_warnings(tx, path=dag.file_path)
    return DagHead(dag, web().specs.get(tx, dag.version_id) if dag.version_id is not None else None, error, warnings)


def get_run(tx: Connection, dag_id: str, run_id: str) -> RunPage:
    """Return a run.

    Raises:
        NotFound: there is none.
    """
    run = find_run_page(tx, dag_id, run_id)
    if run is None:
        raise NotFound("Run", run_id, (), f"DAG {dag_id!r} has no run of that name; its runs page lists them.")
    return run
