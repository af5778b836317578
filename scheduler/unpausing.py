"""Which runs will come at once when a paused DAG goes on? Said beforehand, made or left out as somebody wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from tradewind.metadata import dag_schedule, dags
from tradewind.metadata.dag_schedule import missed_runs
from tradewind.model.spec import DagSpec
from tradewind.timetables import DataInterval, NextRun

MOST: Final = 10_000
"""Further runs are not counted: whoever has so many wants to know that, and not how many they are."""


@dataclass(frozen=True, slots=True)
class Missed:
    """The runs of a DAG that are due already, and will be created as soon as it is not paused.

    Attributes:
        first, last: the first and the last of those that were counted: logical dates.
        is_all: False: there are more than were counted, or nobody can know yet.
        may_leave_out: the DAG's overlap= may leave out some of them.
        following: when the next run after these is due; None: none, or nobody knows.
    """

    dag_id: str
    count: int
    first: datetime | None
    last: datetime | None
    is_all: bool
    may_leave_out: bool
    following: datetime | None

    def __str__(self) -> str:
        """In words, of which ``unpause`` says that they will be so."""
        if not self.count:
            due = f"; the next is due at {self.following.isoformat()}" if self.following else ""
            return f"no run will be created now{due}"
        about = "" if self.is_all else "more than "
        most = "at most " if self.may_leave_out else ""
        assert self.first is not None
        assert self.last is not None
        if self.count == 1:
            return f"{most}{about}1 run will be created, for {self.first.isoformat()}"
        span = f"from {self.first.isoformat()} to {self.last.isoformat()}"
        return f"{most}{about}{self.count:,} runs will be created, {span}{'' if self.is_all else ' and on'}"


@dataclass(frozen=True, slots=True)
class Unpaused:
    """What became of one DAG.

    Attributes:
        has_changed: False: it was not paused.
        missed: the runs that come at once, or were left out.
    """

    dag_id: str
    has_changed: bool
    missed: Missed


def foresee(tx: Connection, dag_id: str, now: datetime) -> Missed:
    """Return the runs that come at once when a DAG is unpaused. Changes nothing that counts.

    Raises:
        NotFound: there is no such DAG.
    """
    dag = dags.get_dag(tx, dag_id)
    if not dag.is_active or dag.version_id is None:
        return Missed(dag_id, 0, None, None, True, False, None)
    return _told(tx, dags.load_spec(tx, dag.version_id), now)[0]


def unpause(tx: Connection, dag_id: str, now: datetime, *, skip_missed: bool = False) -> Unpaused:
    """Let a DAG go on.

    Args:
        skip_missed: create none of the runs that are due already; the schedule goes on with the next.

    Raises:
        NotFound: there is no such DAG.
    """
    dag = dags.get_dag(tx, dag_id)
    if not dag.is_paused:
        return Unpaused(dag_id, False, Missed(dag_id, 0, None, None, True, False, None))
    spec = None if dag.version_id is None or not dag.is_active else dags.load_spec(tx, dag.version_id)
    if spec is None:
        missed = foresee(tx, dag_id, now)
    elif skip_missed:
        missed = _pass_over_all(tx, spec, now)
    else:
        missed = _told(tx, spec, now)[0]
    return Unpaused(dag_id, dags.set_paused(tx, dag_id, False, now), missed)


def _told(tx: Connection, spec: DagSpec, now: datetime) -> tuple[Missed, Sequence[NextRun]]:
    found = missed_runs(tx, spec, now, MOST)
    runs = found.runs
    missed = Missed(
        dag_id=spec.dag_id,
        count=len(runs),
        first=runs[0].logical_date if runs else None,
        last=runs[-1].logical_date if runs else None,
        is_all=found.is_all,
        may_leave_out=len(runs) > 1 and spec.policy.overlap in ("skip", "buffer_one"),
        following=found.following.run_after if found.following else None,
    )
    return missed, runs


def _pass_over_all(tx: Connection, spec: DagSpec, now: datetime) -> Missed:
    """Note for all runs that are due that none is made. Returns what was left out."""
    first, runs = _told(tx, spec, now)
    missed, count, last = first, 0, None
    while runs and runs[-1].logical_date != last:  # @continuous has another one due as soon as one was passed over
        count, last = count + len(runs), runs[-1].logical_date
        interval = runs[-1].interval
        dag_schedule.pass_over(tx, spec.dag_id, DataInterval(interval.start, interval.end), runs[-1].run_after)
        missed, runs = _told(tx, spec, now)
        if spec.timetable.kind == "ContinuousTimetable":
            break
    return Missed(spec.dag_id, count, first.first, last, True, False, missed.following)
