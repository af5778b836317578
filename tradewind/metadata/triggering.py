"""How does a run come to be that somebody asks for: a person, another program, a task of another run?"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sqlalchemy import Connection, delete

from tradewind.errors import Conflict, UsageError, did_you_mean
from tradewind.metadata import coming_runs, dags, runs, timers
from tradewind.metadata.database import ring
from tradewind.metadata.models import DagRun
from tradewind.metadata.runs import NewRun, RunRecord
from tradewind.metadata.timers import TimerRow
from tradewind.model.param_formats import FORMATS
from tradewind.model.spec import DagSpec
from tradewind.model.states import FINAL_RUN_STATES, RunType
from tradewind.run.task_choice import subset_of
from tradewind.timetables import DataInterval, NextRun, OwnCodeNeeded, Timetable, from_spec


class Unset(Enum):
    """Tells "not given" from None."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The run that was created."""

    pk: int
    dag_id: str
    run_id: str
    logical_date: datetime | None
    run_after: datetime
    is_dag_paused: bool


@dataclass(frozen=True, slots=True)
class WantedRun:
    """A run that is asked for.

    Attributes:
        run_id: None: one is made.
        logical_date: an instant; None for a run without one; not given: now.
        run_after: when it is due, and not started before; None: now.
        conf: overrides the defaults of the DAG's params, and is validated by them.
        tasks: the run consists of these only, named as in ``subset_of``; empty: of all.
    """

    dag_id: str
    run_id: str | None = None
    logical_date: datetime | Unset | None = UNSET
    run_after: datetime | None = None
    conf: Mapping[str, Any] | None = None
    note: str | None = None
    run_type: RunType = RunType.MANUAL
    triggered_by: str = "cli"
    user: str | None = None
    partition_key: str | None = None  # only for a DAG that knows partitions
    tasks: Sequence[str] = ()
    with_upstream: bool = False
    with_downstream: bool = False


def create_run(tx: Connection, wanted: WantedRun, now: datetime, foretold: NextRun | None = None) -> RunSummary:
    """Create a run that somebody asked for, and ring for the scheduler. A paused DAG runs exactly this run.

    Args:
        foretold: what a timetable that is the user's own code said of this run; None: it was not asked, and if need be
            the run is about the newest interval that it foretold and that is over.

    Raises:
        NotFound: no such DAG.
        Conflict: the DAG's file is gone, or there is a run with that id or that logical date.
        UsageError: ``conf`` does not fit the params, ``run_id`` cannot be one, or a name means no task.
    """
    dag = dags.get_dag(tx, wanted.dag_id)
    if not dag.is_active or dag.version_id is None:
        raise Conflict(
            f"DAG {dag.dag_id!r} is no longer defined by {dag.file_path!r}, so it cannot run. Put the file back first."
        )
    spec = dags.load_spec(tx, dag.version_id)
    given = dict(wanted.conf or {})
    validate_conf(spec, given)
    timetable = from_spec(spec.timetable)
    run_after = wanted.run_after or now
    at = now if isinstance(wanted.logical_date, Unset) else wanted.logical_date
    # As in Airflow: what a task triggers is about the time of the trigger, whatever its logical date.
    about = run_after if wanted.run_type is RunType.OPERATOR_TRIGGERED else at
    interval = None if at is None or about is None else _interval(tx, dag.dag_id, timetable, about, foretold)
    run_id = wanted.run_id
    if run_id is None:
        usual = timetable.run_id(wanted.run_type, run_after, at, unique=secrets.token_hex(4))
        run_id = _free_run_id(tx, dag.dag_id, (foretold.run_id if foretold else "") or usual)
    new = NewRun(
        dag_id=dag.dag_id,
        run_id=checked_run_id(run_id),
        version_id=dag.version_id,
        run_type=wanted.run_type,
        triggered_by=wanted.triggered_by,
        run_after=run_after,
        logical_date=at,
        data_interval_start=interval.start if interval else None,
        data_interval_end=interval.end if interval else None,
        conf=given,
        note=wanted.note,
        triggering_user=wanted.user,
        partition_key=_checked_partition(spec, wanted.partition_key),
        task_subset=_subset(spec, wanted),
    )
    pk = runs.insert_run(tx, new, now)
    if run_after > now:
        timers.set_timers(tx, [TimerRow(timers.start_key(pk), timers.START, run_after, dag_id=dag.dag_id)])
    ring(tx, "run")
    return RunSummary(pk, dag.dag_id, new.run_id, new.logical_date, new.run_after, dag.is_paused)


def _subset(spec: DagSpec, wanted: WantedRun) -> Sequence[str] | None:
    if not wanted.tasks:
        return None
    return subset_of(spec, wanted.tasks, with_upstream=wanted.with_upstream, with_downstream=wanted.with_downstream)


def _interval(
    tx: Connection, dag_id: str, timetable: Timetable, at: datetime, foretold: NextRun | None
) -> DataInterval:
    if foretold is not None:
        return foretold.interval
    try:
        return timetable.manual_interval(at)
    except OwnCodeNeeded:
        over = [run.interval for run in coming_runs.window_of(tx, dag_id) if run.interval.end <= at]
        return over[-1] if over else DataInterval.exact(at)


def find_twin(tx: Connection, wanted: WantedRun) -> RunRecord | None:
    """Return the run that is in the way of a wanted one: with its id, else with its logical date; or None."""
    if wanted.run_id is not None:
        found = runs.find_run(tx, wanted.dag_id, wanted.run_id)
        if found is not None:
            return found
    if wanted.logical_date is None or isinstance(wanted.logical_date, Unset):
        return None
    return runs.find_run_at(tx, wanted.dag_id, wanted.logical_date)


def run_again(tx: Connection, run: RunRecord, now: datetime) -> None:
    """Put a new run in the place of one that has ended: its names, dates and conf, the DAG as it is today.

    What the old one left, its log and its XComs, is gone.

    Raises:
        Conflict: it has not ended.
    """
    if run.state not in FINAL_RUN_STATES:
        raise Conflict(
            f"Run {run.run_id!r} of DAG {run.dag_id!r} is {run.state.value}, and only a run that has ended can be run "
            "again. Wait until it has."
        )
    version_id, _ = dags.load_newest_spec(tx, run.dag_id)
    tx.execute(delete(DagRun).where(DagRun.id == run.pk))
    shared = {name: getattr(run, name) for name in NewRun.__dataclass_fields__ if hasattr(run, name)}
    runs.insert_run(tx, replace(NewRun(**shared), version_id=version_id), now)
    ring(tx, "run")


def checked_run_id(run_id: str) -> str:
    """Return a run id that somebody chose.

    Raises:
        UsageError: it cannot be one.
    """
    if not run_id.strip() or len(run_id) > 250 or "/" in run_id or any(ord(c) < 32 for c in run_id):
        raise UsageError(
            f"The run id {run_id!r} cannot be used: it must have 1 to 250 characters, without '/' and control "
            "characters. Give another, or none to have one made."
        )
    return run_id


def _free_run_id(tx: Connection, dag_id: str, wanted: str) -> str:
    """Two triggers within one microsecond must not meet."""
    number, run_id = 1, wanted
    while runs.find_run(tx, dag_id, run_id) is not None:
        number += 1
        run_id = f"{wanted}_{number}"
    return run_id


def validate_conf(spec: DagSpec, conf: Mapping[str, Any]) -> None:
    """Check the conf of a run against the DAG's params.

    Raises:
        UsageError: a value does not fit, or a required one is missing; names the param, the value and the schema.
    """
    if not spec.params:
        return
    # Imported when first used: megabytes that only DAGs with params need.
    import jsonschema

    formats = jsonschema.FormatChecker(FORMATS)
    for name, param in spec.params.items():
        if name not in conf and not param.has_default:
            known = did_you_mean(name, conf)
            raise UsageError(
                f"DAG {spec.dag_id!r} needs a value for param {name!r}, which has no default.{known} "
                f'Give it in the conf, e.g. {{"{name}": ...}}.'
            )
        value = conf.get(name, param.default)
        try:
            jsonschema.validate(value, dict(param.schema), format_checker=formats)
        except jsonschema.ValidationError as error:
            raise UsageError(
                f"Param {name!r} of DAG {spec.dag_id!r} cannot be {value!r}: {error.message}. "
                f"Its schema is {dict(param.schema)!r}."
            ) from None


_PARTITIONED: Final = ("CronPartitionTimetable", "PartitionedAssetTimetable", "PartitionedAtRuntime")


def _checked_partition(spec: DagSpec, key: str | None) -> str | None:
    """Return the partition that a run is to be about, when its DAG knows partitions."""
    if key is None:
        return None
    if spec.timetable.kind not in _PARTITIONED:
        raise UsageError(
            f"DAG {spec.dag_id!r} knows no partitions, so no run of it is about {key!r}. Leave the partition out, or "
            f"give the DAG one of these schedules: {', '.join(_PARTITIONED)}."
        )
    if not key.strip() or len(key) > 250:
        raise UsageError(f"The partition key {key!r} cannot be used: it must have 1 to 250 characters.")
    return key
