"""How does a run come to be that somebody asks for, by hand or by another program?"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sqlalchemy import Connection

from tradewind.config import Config
from tradewind.errors import Conflict, UsageError, did_you_mean
from tradewind.metadata import dags, runs
from tradewind.metadata.database import Database, ring
from tradewind.metadata.runs import NewRun
from tradewind.model.spec import DagSpec
from tradewind.model.states import RunType
from tradewind.timetables import from_spec


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


def trigger_run(
    db: Database,
    config: Config,
    *,
    dag_id: str,
    run_id: str | None = None,
    logical_date: datetime | Unset | None = UNSET,
    conf: Mapping[str, Any] | None = None,
    note: str | None = None,
    triggered_by: str = "cli",
    user: str | None = None,
    now: datetime | None = None,
) -> RunSummary:
    """Create a run that somebody asked for, and wake the scheduler. A paused DAG runs exactly this run.

    Args:
        logical_date: an instant; None for a run without one; not given: now.
        conf: overrides the defaults of the DAG's params, and is validated by them.

    Raises:
        NotFound: no such DAG.
        Conflict: the DAG's file is gone, or there is a run with that id or that logical date.
        UsageError: ``conf`` does not fit the params, or ``run_id`` cannot be one.
    """
    with db.write() as tx:
        at = now or db.now()
        dag = dags.get_dag(tx, dag_id)
        if not dag.is_active or dag.version_id is None:
            raise Conflict(
                f"DAG {dag_id!r} is no longer defined by {dag.file_path!r}, so it cannot run. Put the file back first."
            )
        spec = dags.load_spec(tx, dag.version_id)
        given = dict(conf or {})
        validate_conf(spec, given)
        new = replace(
            _manual_run(spec, dag.version_id, at, logical_date),
            conf=given,
            note=note,
            triggered_by=triggered_by,
            triggering_user=user,
        )
        made = from_spec(spec.timetable).run_id(RunType.MANUAL, at, new.logical_date, unique=secrets.token_hex(4))
        new = replace(new, run_id=_free_run_id(tx, dag_id, made) if run_id is None else _checked_run_id(run_id))
        pk = runs.insert_run(tx, new, at)
        ring(tx, "run")
    return RunSummary(pk, dag_id, new.run_id, new.logical_date, new.run_after, dag.is_paused)


def _manual_run(spec: DagSpec, version_id: int, now: datetime, logical_date: datetime | Unset | None) -> NewRun:
    at = now if isinstance(logical_date, Unset) else logical_date
    interval = None if at is None else from_spec(spec.timetable).manual_interval(at)
    return NewRun(
        dag_id=spec.dag_id,
        run_id="",
        version_id=version_id,
        run_type=RunType.MANUAL,
        triggered_by="",
        run_after=now,
        logical_date=at,
        data_interval_start=interval.start if interval else None,
        data_interval_end=interval.end if interval else None,
    )


def _checked_run_id(run_id: str) -> str:
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

    for name, param in spec.params.items():
        if name not in conf and not param.has_default:
            known = did_you_mean(name, conf)
            raise UsageError(
                f"DAG {spec.dag_id!r} needs a value for param {name!r}, which has no default.{known} "
                f'Give it in the conf, e.g. {{"{name}": ...}}.'
            )
        value = conf.get(name, param.default)
        try:
            jsonschema.validate(value, dict(param.schema), format_checker=jsonschema.FormatChecker())
        except jsonschema.ValidationError as error:
            raise UsageError(
                f"Param {name!r} of DAG {spec.dag_id!r} cannot be {value!r}: {error.message}. "
                f"Its schema is {dict(param.schema)!r}."
            ) from None
