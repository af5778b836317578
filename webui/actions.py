"""What can be done from the outside? Thin calls into the engine, each with its entry in the audit log.

The engine is imported when first needed: it brings libraries of many megabytes, and a web process that only shows
pages can do without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tradewind.metadata import audit
from tradewind.metadata.assets import record_event
from tradewind.metadata.dags import set_paused
from tradewind.metadata.views.asset_events import EventLine, EventSearch, list_events
from tradewind.model.events import NO_MAP
from tradewind.model.states import RunType
from webui.web import session, web

if TYPE_CHECKING:
    from scheduler.unpausing import Missed, Unpaused


@dataclass(frozen=True, slots=True)
class TriggerRequest:
    """A run that somebody asks for. ``has_logical_date`` False: now."""

    dag_id: str
    conf: Mapping[str, Any]
    run_id: str | None = None
    logical_date: datetime | None = None
    has_logical_date: bool = False
    note: str | None = None
    unpause: bool = False
    run_type: RunType = RunType.MANUAL
    partition_key: str | None = None


def actor() -> str:
    """Return the name of whoever asks."""
    login = session()
    return login.username if login else "nobody"


def pause_dag(dag_id: str, *, via: str = "ui") -> None:
    """Pause a DAG; runs that are under way go on."""
    at = datetime.now(UTC)
    with web().db.write() as tx:
        if set_paused(tx, dag_id, True, at):
            audit.note(tx, at, actor=actor(), via=via, action="dag.pause", dag_id=dag_id)


def foresee(dag_id: str) -> Missed:
    """Return the runs that come at once when a DAG is unpaused."""
    from scheduler import unpausing

    with web().db.read() as tx:
        return unpausing.foresee(tx, dag_id, datetime.now(UTC))


def unpause_dag(dag_id: str, *, skip_missed: bool = False, via: str = "ui") -> Unpaused:
    """Let a DAG run on its schedule again.

    Args:
        skip_missed: create none of the runs that are due already.
    """
    from scheduler import unpausing

    at = datetime.now(UTC)
    with web().db.write() as tx:
        done = unpausing.unpause(tx, dag_id, at, skip_missed=skip_missed)
        if done.has_changed:
            detail = {"left_out": done.missed.count} if skip_missed else None
            audit.note(tx, at, actor=actor(), via=via, action="dag.unpause", dag_id=dag_id, detail=detail)
    return done


def trigger(wanted: TriggerRequest, *, via: str = "ui") -> str:
    """Create the run and return its run id. Errors of the engine pass through: they say what is wrong."""
    from scheduler.runs import UNSET, trigger_run

    if wanted.unpause:
        unpause_dag(wanted.dag_id, via=via)
    made = trigger_run(
        web().db,
        web().config,
        dag_id=wanted.dag_id,
        run_id=wanted.run_id,
        logical_date=wanted.logical_date if wanted.has_logical_date else UNSET,
        conf=wanted.conf,
        note=wanted.note,
        run_type=wanted.run_type,
        partition_key=wanted.partition_key,
        triggered_by=via,
        user=actor(),
    )
    with web().db.write() as tx:
        at = datetime.now(UTC)
        detail = {"conf": dict(wanted.conf)} if wanted.conf else None
        audit.note(
            tx,
            at,
            actor=actor(),
            via=via,
            action="run.trigger",
            dag_id=wanted.dag_id,
            run_id=made.run_id,
            detail=detail,
        )
    return made.run_id


def add_asset_event(
    asset_id: int, extra: Mapping[str, Any], *, partition_key: str | None = None, via: str = "ui"
) -> EventLine:
    """Say that an asset was updated outside, and return the event."""
    at = datetime.now(UTC)
    with web().db.write() as tx:
        event_id = record_event(tx, asset_id, extra, at, partition_key=partition_key)
        (made,) = list_events(tx, EventSearch(event_id=event_id))
        audit.note(tx, at, actor=actor(), via=via, action="asset.event", detail={"asset": made.name, "event": event_id})
    return made


@dataclass(frozen=True, slots=True)
class Why:
    """Why a run and its tasks are as they are, in the words of the command line."""

    run: str
    tasks: Mapping[tuple[str, int], str]


def why(dag_id: str, run_id: str, task_id: str | None = None, map_index: int = NO_MAP) -> Why:
    """Return the reasons for a run and one of its tasks; for all its tasks when none is named."""
    from scheduler.why import explain

    reasons = explain(web().db, dag_id, run_id, task_id, map_index)
    tasks = {(reason.task_id, reason.map_index): reason.text for reason in reasons if reason.task_id is not None}
    return Why(next((reason.text for reason in reasons if reason.task_id is None), ""), tasks)
