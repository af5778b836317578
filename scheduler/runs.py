"""How does a run come to be that somebody asks for by hand, or through the REST API?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tradewind.config import Config
from tradewind.metadata import coming_runs
from tradewind.metadata.database import Database
from tradewind.metadata.triggering import UNSET, RunSummary, Unset, WantedRun, create_run, validate_conf
from tradewind.model.states import RunType
from tradewind.timetables import NextRun

__all__ = ["UNSET", "RunSummary", "Unset", "trigger_run", "validate_conf"]


def trigger_run(
    db: Database,
    config: Config,
    *,
    dag_id: str,
    run_id: str | None = None,
    logical_date: datetime | Unset | None = UNSET,
    conf: Mapping[str, Any] | None = None,
    note: str | None = None,
    run_type: RunType = RunType.MANUAL,
    partition_key: str | None = None,
    tasks: Sequence[str] = (),
    with_upstream: bool = False,
    with_downstream: bool = False,
    triggered_by: str = "cli",
    user: str | None = None,
    now: datetime | None = None,
) -> RunSummary:
    """Create a run that somebody asked for, and wake the scheduler. A paused DAG runs exactly this run.

    Args:
        logical_date: an instant; None for a run without one; not given: now.
        conf: overrides the defaults of the DAG's params, and is validated by them.
        partition_key: what part of an asset the run is about; only for a DAG that knows partitions.
        tasks: the run consists of these only: ids of tasks or groups, or patterns; and of what stands above and below
            them, when that is asked for. Empty: of all.

    Raises:
        NotFound: no such DAG.
        Conflict: the DAG's file is gone, or there is a run with that id or that logical date.
        UsageError: ``conf`` does not fit the params, ``run_id`` cannot be one, or a name means no task.
        DagError: the DAG's timetable is the user's own code, and does not say what the run is about.
    """
    wanted = WantedRun(
        dag_id, run_id, logical_date, conf=conf, note=note, run_type=run_type, triggered_by=triggered_by, user=user,
        partition_key=partition_key, tasks=tasks, with_upstream=with_upstream, with_downstream=with_downstream,
    )  # fmt: skip
    at = now or db.now()
    foretold = _ask_own_timetable(db, config, wanted, at)
    with db.write() as tx:
        return create_run(tx, wanted, at, foretold)


def _ask_own_timetable(db: Database, config: Config, wanted: WantedRun, now: datetime) -> NextRun | None:
    """Ask a timetable that is the user's own code, in a process that may run it, what the run is about. None: it is not
    to be asked. Not within a transaction: it may take seconds."""
    at = now if isinstance(wanted.logical_date, Unset) else wanted.logical_date
    if at is None:
        return None
    with db.read() as tx:
        asked = coming_runs.find_asked(tx, wanted.dag_id)
    if asked is None:
        return None
    # Imported when first used: few DAGs have such a timetable.
    from scheduler.dagfiles.foresight import ask_by_hand

    return ask_by_hand(config, db, asked, at, now)
