"""How do runs, task instances and errors look in the REST API? As in Airflow's client; times are ISO 8601 in UTC."""

from __future__ import annotations

import uuid
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from tradewind.metadata.dags import ImportErrorRow
from tradewind.metadata.views.runs import RunPage, TaskLine
from tradewind.metadata.views.tasks import AttemptLine
from tradewind.metadata.views.versions import VersionLine
from tradewind.metadata.waits import WaitLine
from tradewind.model.spec import TaskSpec
from webui.places import place_of

_IDS: Final = uuid.NAMESPACE_OID


def iso(at: datetime | None) -> str | None:
    """Return an instant as text."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def version_shape(version: VersionLine | None) -> dict[str, Any] | None:
    """Return a version of a DAG as ``DagVersionResponse``."""
    if version is None:
        return None
    return {
        "id": str(uuid.uuid5(_IDS, f"dag version {version.dag_id}/{version.number}")),
        "version_number": version.number,
        "dag_id": version.dag_id,
        "bundle_name": place_of(version.file_path).bundle,
        "bundle_version": None,
        "created_at": iso(version.created_at),
        "dag_display_name": version.dag_display_name,
        "bundle_url": None,
    }


def run_shape(run: RunPage, version: VersionLine | None) -> dict[str, Any]:
    """Return a run as ``DAGRunResponse``; ``version`` is the one that it runs."""
    return {
        "dag_run_id": run.run_id,
        "dag_id": run.dag_id,
        "dag_display_name": version.dag_display_name if version else run.dag_id,
        "logical_date": iso(run.logical_date),
        "queued_at": iso(run.queued_at),
        "start_date": iso(run.started_at),
        "end_date": iso(run.ended_at),
        "duration": _seconds(run.started_at, run.ended_at),
        "data_interval_start": iso(run.data_interval_start),
        "data_interval_end": iso(run.data_interval_end),
        "run_after": iso(run.run_after),
        "last_scheduling_decision": None,
        "run_type": run.run_type.value,
        "state": run.state.value,
        "triggered_by": run.triggered_by,
        "triggering_user_name": run.triggering_user,
        "conf": run.conf,
        "note": run.note,
        "dag_versions": [version_shape(version)] if version else [],
        "bundle_version": run.bundle,
        "partition_key": run.partition_key,
        "partition_date": iso(run.partition_date),
    }


def task_shape(
    run: RunPage,
    task: TaskLine,
    version: VersionLine | None,
    spec: TaskSpec,
    attempt: AttemptLine | None,
    wait: WaitLine | None = None,
) -> dict[str, Any]:
    """Return a task instance as ``TaskInstanceResponse``; ``spec`` is what the version of its run says of the task."""
    return {
        "id": str(uuid.uuid5(_IDS, f"{run.pk}/{task.task_id}/{task.map_index}")),
        "task_id": task.task_id,
        "task_display_name": spec.display_name or task.task_id,
        "dag_id": run.dag_id,
        "dag_display_name": version.dag_display_name if version else run.dag_id,
        "dag_run_id": run.run_id,
        "map_index": task.map_index,
        "logical_date": iso(run.logical_date),
        "run_after": iso(run.run_after),
        "start_date": iso(task.started_at),
        "end_date": iso(task.ended_at),
        "duration": _seconds(task.started_at, task.ended_at),
        "state": None if task.state.value == "none" else task.state.value,
        "try_number": task.try_number,
        "max_tries": task.max_tries,
        "hostname": attempt.hostname if attempt else None,
        "unixname": None,
        "pool": attempt.pool if attempt else spec.pool,
        "pool_slots": attempt.pool_slots if attempt else spec.pool_slots,
        "queue": attempt.queue if attempt else spec.queue,
        "priority_weight": spec.priority,
        "operator": spec.operator,
        "operator_name": spec.operator,
        "queued_when": iso(task.queued_at),
        "scheduled_when": iso(task.scheduled_at),
        "pid": attempt.pid if attempt else None,
        "executor": attempt.executor if attempt else spec.executor,
        "executor_config": "{}",
        "note": task.note,
        "rendered_map_index": None,
        "rendered_fields": (attempt.rendered or {}) if attempt else {},
        "trigger": None if wait is None else trigger_shape(wait),
        "triggerer_job": None,
        "dag_version": version_shape(version),
    }


def trigger_shape(wait: WaitLine) -> dict[str, Any]:
    """Return what a task waits for as ``TriggerResponse``. Its number is made from the id of the wait."""
    return {
        "id": wait.attempt_id.int & 0x7FFFFFFF,
        "classpath": wait.trigger,
        "kwargs": wait.kwargs or "{}",
        "created_date": iso(wait.created_at),
        "queue": wait.queue,
        "triggerer_id": None,
    }


def import_error_shape(error: ImportErrorRow) -> dict[str, Any]:
    """Return an import error as ``ImportErrorResponse``. Its number is made from the path, so that it stays."""
    place = place_of(error.path)
    digest = blake2b(error.path.encode("utf-8", "surrogateescape"), digest_size=6).digest()
    return {
        "import_error_id": int.from_bytes(digest),
        "timestamp": iso(error.parsed_at),
        "filename": place.relative,
        "bundle_name": place.bundle,
        "stack_trace": error.traceback or error.error,
    }


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
