"""How do DAGs look in the REST API? As ``DAGResponse`` and ``DAGDetailsResponse`` of Airflow's client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import to_builtins

from tradewind.metadata.dags import DagRow
from tradewind.metadata.views.versions import VersionLine, count_running, find_versions, load_specs, parse_seconds
from tradewind.model.spec import DagSpec, TimetableSpec
from webui.api.shapes import iso, version_shape
from webui.places import Place, place_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

PARTITIONED: Final = frozenset({"CronPartitionTimetable", "PartitionedAssetTimetable"})
WITHOUT_RHYTHM: Final = frozenset(
    {
        "AssetTriggeredTimetable",
        "ContinuousTimetable",
        "NullTimetable",
        "OnceTimetable",
        "PartitionedAssetTimetable",
        "PartitionedAtRuntime",
    }
)


@dataclass(frozen=True, slots=True)
class FullDag:
    """A DAG with what its newest version says."""

    row: DagRow
    spec: DagSpec
    version: VersionLine | None
    place: Place
    parse_seconds: float | None


def full_dags(tx: Connection, rows: Sequence[DagRow]) -> list[FullDag]:
    """Return these DAGs with their newest versions."""
    ids = {row.version_id for row in rows if row.version_id is not None}
    specs, versions = load_specs(tx, ids), find_versions(tx, ids)
    seconds = parse_seconds(tx, {row.file_path for row in rows})
    return [
        FullDag(
            row,
            specs[row.version_id] if row.version_id else DagSpec(row.dag_id, TimetableSpec("NullTimetable"), ()),
            versions[row.version_id] if row.version_id else None,
            place_of(row.file_path),
            seconds.get(row.file_path),
        )
        for row in rows
    ]


def dag_shape(dag: FullDag) -> dict[str, Any]:
    """Return a DAG as ``DAGResponse``."""
    row, spec = dag.row, dag.spec
    name = row.display_name or row.dag_id
    is_periodic = spec.timetable.kind not in WITHOUT_RHYTHM
    limits = (limit for task in spec.tasks for limit in (task.max_active_tis_per_dag, task.max_active_tis_per_dagrun))
    return {
        "dag_id": row.dag_id,
        "dag_display_name": name,
        "is_paused": row.is_paused,
        "is_stale": not row.is_active,
        "last_parsed_time": iso(row.parsed_at),
        "last_parse_duration": dag.parse_seconds,
        "last_expired": None,
        "bundle_name": dag.place.bundle,
        "bundle_version": None,
        "relative_fileloc": dag.place.relative,
        "fileloc": dag.place.absolute,
        "file_token": row.file_path,
        "description": row.description,
        "timetable_summary": row.schedule_summary if row.schedule_summary not in ("", "None") else None,
        "timetable_description": spec.timetable.description or None,
        "timetable_partitioned": spec.timetable.kind in PARTITIONED,
        "timetable_periodic": is_periodic,
        "is_backfillable": is_periodic,
        "tags": [{"name": tag, "dag_id": row.dag_id, "dag_display_name": name} for tag in row.tags],
        "max_active_tasks": spec.max_active_tasks,
        "max_active_runs": row.max_active_runs,
        "max_consecutive_failed_dag_runs": spec.max_consecutive_failed_dag_runs,
        "has_task_concurrency_limits": any(limit is not None for limit in limits),
        "has_import_errors": row.has_import_error,
        "next_dagrun_logical_date": iso(row.next_logical_date),
        "next_dagrun_data_interval_start": iso(row.next_interval_start),
        "next_dagrun_data_interval_end": iso(row.next_interval_end),
        "next_dagrun_run_after": iso(row.next_run_after),
        "allowed_run_types": None,
        "owners": [owner.strip() for owner in row.owners.split(",") if owner.strip()],
    }


def dag_details_shape(tx: Connection, dag: FullDag) -> dict[str, Any]:
    """Return a DAG as ``DAGDetailsResponse``."""
    spec = dag.spec
    timeout = spec.dagrun_timeout_seconds
    return {
        **dag_shape(dag),
        "catchup": spec.catchup,
        "dag_run_timeout": None if timeout is None else to_builtins(timedelta(seconds=timeout)),
        "asset_expression": spec.timetable.args.get("condition"),
        "doc_md": spec.doc_md,
        "start_date": spec.start_date,
        "end_date": spec.end_date,
        "is_paused_upon_creation": spec.is_paused_upon_creation,
        "params": {
            name: {"value": param.default, "schema": param.schema, "description": param.description, "source": "dag"}
            for name, param in spec.params.items()
        },
        "render_template_as_native_obj": spec.render_template_as_native_obj,
        "template_search_path": None,
        "timezone": spec.timezone,
        "last_parsed": iso(dag.row.parsed_at),
        "default_args": None,
        "rerun_with_latest_version": None,
        "owner_links": spec.owner_links,
        "is_favorite": False,
        "active_runs_count": count_running(tx, dag.row.dag_id),
        "concurrency": spec.max_active_tasks,
        "latest_dag_version": version_shape(dag.version),
    }
