"""How do things look in the REST API? As the models of Airflow's client expect them; times are ISO 8601 in UTC."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from tradewind.metadata.dags import DagRow, ImportErrorRow
from tradewind.metadata.views.runs import RunLine, RunPage, TaskLine
from tradewind.metadata.views.tasks import AttemptLine


def iso(at: datetime | None) -> str | None:
    """Return an instant as text."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def dag_shape(dag: DagRow) -> dict[str, Any]:
    """Return a DAG as ``DAGResponse``."""
    return {
        "dag_id": dag.dag_id,
        "dag_display_name": dag.display_name or dag.dag_id,
        "is_paused": dag.is_paused,
        "is_stale": not dag.is_active,
        "last_parsed_time": iso(dag.parsed_at),
        "last_parse_duration": None,
        "last_expired": None,
        "bundle_name": "dags-folder",
        "bundle_version": None,
        "relative_fileloc": dag.file_path,
        "fileloc": dag.file_path,
        "file_token": dag.file_path,
        "description": dag.description,
        "timetable_summary": dag.schedule_summary,
        "timetable_description": dag.schedule_summary,
        "timetable_partitioned": False,
        "timetable_periodic": dag.next_run_after is not None,
        "is_backfillable": True,
        "tags": [
            {"name": name, "dag_id": dag.dag_id, "dag_display_name": dag.display_name or dag.dag_id}
            for name in dag.tags
        ],
        "max_active_tasks": 16,
        "max_active_runs": dag.max_active_runs,
        "max_consecutive_failed_dag_runs": 0,
        "has_task_concurrency_limits": False,
        "has_import_errors": dag.has_import_error,
        "next_dagrun_logical_date": iso(dag.next_logical_date),
        "next_dagrun_data_interval_start": iso(dag.next_interval_start),
        "next_dagrun_data_interval_end": iso(dag.next_interval_end),
        "next_dagrun_run_after": iso(dag.next_run_after),
        "allowed_run_types": None,
        "owners": [owner.strip() for owner in dag.owners.split(",") if owner.strip()],
    }


def run_shape(run: RunPage) -> dict[str, Any]:
    """Return a run as ``DAGRunResponse``."""
    return {
        **run_line_shape(run),
        "data_interval_start": iso(run.data_interval_start),
        "data_interval_end": iso(run.data_interval_end),
        "triggered_by": run.triggered_by,
        "conf": run.conf,
    }


def run_line_shape(run: RunPage | RunLine) -> dict[str, Any]:
    """Return what a list of runs knows of a run."""
    length = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else None
    return {
        "dag_run_id": run.run_id,
        "dag_id": run.dag_id,
        "dag_display_name": run.dag_id,
        "logical_date": iso(run.logical_date),
        "queued_at": iso(run.queued_at),
        "start_date": iso(run.started_at),
        "end_date": iso(run.ended_at),
        "duration": length,
        "run_after": iso(run.run_after),
        "last_scheduling_decision": None,
        "run_type": run.run_type.value,
        "state": run.state.value,
        "triggering_user_name": run.triggering_user,
        "note": run.note,
        "dag_versions": [],
        "bundle_version": None,
    }


def task_shape(run: RunPage, task: TaskLine, attempt: AttemptLine | None = None) -> dict[str, Any]:
    """Return a task instance as ``TaskInstanceResponse``."""
    length = (task.ended_at - task.started_at).total_seconds() if task.ended_at and task.started_at else None
    name = f"{run.pk}/{task.task_id}/{task.map_index}"
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "task_id": task.task_id,
        "task_display_name": task.task_id,
        "dag_id": run.dag_id,
        "dag_display_name": run.dag_id,
        "dag_run_id": run.run_id,
        "map_index": task.map_index,
        "logical_date": iso(run.logical_date),
        "run_after": iso(run.run_after),
        "start_date": iso(task.started_at),
        "end_date": iso(task.ended_at),
        "duration": length,
        "state": None if task.state.value == "none" else task.state.value,
        "try_number": task.try_number,
        "max_tries": task.max_tries,
        "hostname": attempt.hostname if attempt else None,
        "unixname": None,
        "pool": attempt.pool if attempt else "default_pool",
        "pool_slots": attempt.pool_slots if attempt else 1,
        "queue": attempt.queue if attempt else None,
        "priority_weight": None,
        "operator": None,
        "queued_when": iso(task.queued_at),
        "scheduled_when": iso(task.scheduled_at),
        "pid": attempt.pid if attempt else None,
        "executor": attempt.executor if attempt else None,
        "executor_config": "{}",
        "note": task.note,
        "rendered_map_index": None,
        "rendered_fields": (attempt.rendered or {}) if attempt else {},
        "trigger": None,
        "triggerer_job": None,
        "dag_version": None,
    }


def import_error_shape(number: int, error: ImportErrorRow) -> dict[str, Any]:
    """Return an import error as ``ImportErrorResponse``."""
    return {
        "import_error_id": number,
        "timestamp": iso(error.parsed_at),
        "filename": error.path,
        "bundle_name": "dags-folder",
        "stack_trace": error.traceback or error.error,
    }
