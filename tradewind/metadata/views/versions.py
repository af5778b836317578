"""What do clients of the REST API ask of DAG versions and their files? Several at a time, in one statement each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from tradewind.metadata.models import Dag, DagFile, DagRun, DagVersion
from tradewind.model.spec import DagSpec, decode_spec
from tradewind.model.states import RunState


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of a DAG."""

    id: int
    number: int
    dag_id: str
    dag_display_name: str
    file_path: str
    created_at: datetime


def find_versions(tx: Connection, version_ids: Collection[int]) -> dict[int, VersionLine]:
    """Return these versions by their ids."""
    version = DagVersion
    name = func.coalesce(Dag.display_name, Dag.dag_id)
    query = (
        select(version.id, version.number, version.dag_id, name, version.file_path, version.created_at)
        .join(Dag, Dag.dag_id == version.dag_id)
        .where(version.id.in_(set(version_ids)))
    )
    return {row[0]: VersionLine(*row) for row in tx.execute(query)}


def load_specs(tx: Connection, version_ids: Collection[int]) -> dict[int, DagSpec]:
    """Return what DAGs said at these versions."""
    query = select(DagVersion.id, DagVersion.spec).where(DagVersion.id.in_(set(version_ids)))
    return {version_id: decode_spec(spec) for version_id, spec in tx.execute(query)}


def parse_seconds(tx: Connection, paths: Collection[str]) -> dict[str, float]:
    """Return how long it took to read these DAG files the last time."""
    query = select(DagFile.path, DagFile.parse_seconds).where(DagFile.path.in_(set(paths)))
    return {row.path: row.parse_seconds for row in tx.execute(query)}


def find_version_id(tx: Connection, dag_id: str, number: int) -> int | None:
    """Return the id of a DAG's version with this number, None when there is none."""
    query = select(DagVersion.id).where(DagVersion.dag_id == dag_id, DagVersion.number == number)
    return tx.execute(query).scalar_one_or_none()


def count_running(tx: Connection, dag_id: str) -> int:
    """Return how many runs of a DAG are running."""
    query = select(func.count()).select_from(DagRun).where(DagRun.dag_id == dag_id, DagRun.state == RunState.RUNNING)
    return tx.execute(query).scalar_one()
