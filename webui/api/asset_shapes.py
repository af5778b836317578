"""How do assets and their events look in the REST API? As in Airflow's client; times are ISO 8601 in UTC."""

from __future__ import annotations

from typing import Any

from tradewind.metadata.views.asset_events import EventLine, QueuedLine
from tradewind.metadata.views.assets import AliasLine, AssetLine, Use
from webui.api.shapes import iso


def asset_shape(line: AssetLine) -> dict[str, Any]:
    """Return an asset as ``AssetResponse``."""
    event = {"id": line.last_event_id, "timestamp": iso(line.last_event_at)} if line.last_event_id else None
    return {
        "id": line.id,
        "name": line.name,
        "uri": line.uri,
        "group": line.group,
        "extra": line.extra,
        "created_at": iso(line.created_at),
        "updated_at": iso(line.updated_at),
        "scheduled_dags": [_dag_use(use) for use in line.consumers],
        "producing_tasks": [_task_use(use) for use in line.producers],
        "consuming_tasks": [_task_use(use) for use in line.readers],
        "aliases": [alias_shape(alias) for alias in line.aliases],
        "watchers": [
            {"name": one.name, "trigger_id": one.id, "created_date": iso(one.created_at)} for one in line.watchers
        ],
        "last_asset_event": event,
    }


def alias_shape(line: AliasLine) -> dict[str, Any]:
    """Return an alias as ``AssetAliasResponse``."""
    return {"id": line.id, "name": line.name, "group": line.group}


def event_shape(line: EventLine) -> dict[str, Any]:
    """Return an event as ``AssetEventResponse``."""
    return {
        "id": line.id,
        "asset_id": line.asset_id,
        "uri": line.uri,
        "name": line.name,
        "group": line.group,
        "extra": line.extra,
        "source_task_id": line.source_task_id,
        "source_dag_id": line.source_dag_id,
        "source_run_id": line.source_run_id,
        "source_map_index": line.source_map_index,
        "created_dagruns": [
            {
                "run_id": run.run_id,
                "dag_id": run.dag_id,
                "logical_date": iso(run.logical_date),
                "start_date": iso(run.started_at or run.run_after),
                "end_date": iso(run.ended_at),
                "state": run.state,
                "data_interval_start": None,
                "data_interval_end": None,
                "partition_key": run.partition_key,
                "triggering": run.is_triggering,
            }
            for run in line.created_runs
        ],
        "timestamp": iso(line.at),
        "partition_key": line.partition_key,
    }


def queued_shape(line: QueuedLine) -> dict[str, Any]:
    """Return what waits to be used as ``QueuedEventResponse``."""
    return {
        "dag_id": line.dag_id,
        "asset_id": line.asset_id,
        "created_at": iso(line.created_at),
        "dag_display_name": line.dag_display_name,
    }


def _dag_use(use: Use) -> dict[str, Any]:
    return {"dag_id": use.dag_id, "created_at": iso(use.created_at), "updated_at": iso(use.created_at)}


def _task_use(use: Use) -> dict[str, Any]:
    return {"task_id": use.task_id, **_dag_use(use)}
