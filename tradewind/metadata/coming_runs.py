"""Which runs has a timetable of the user's own foretold, and who still waits for an answer?

Its code runs in parse processes only. A scheduler that needs the next run of such a DAG looks into the window that was
stored, and says that it wants more when it gets to the end; whoever reads DAG files asks, and stores the answer. An
answer about another version, or about what follows another run than the last, is thrown away and asked for again. All
of it may be lost at any moment, and is then wanted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from tradewind.metadata.models import ComingRuns, Dag, DagSource, DagVersion
from tradewind.metadata.source_text import encode_source
from tradewind.metadata.upsert import upsert
from tradewind.model.spec import decode_spec
from tradewind.timetables import DataInterval, NextRun, from_spec, needs_own_code

WINDOW: Final = 64
"""How many runs are asked for at once."""
_FEW: Final = WINDOW // 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """A DAG whose own timetable is to be asked.

    Attributes:
        path: of its file, as it is called in the metadata DB.
        source: what the file said at this version.
    """

    dag_id: str
    version_id: int
    path: str
    source: bytes


@dataclass(frozen=True, slots=True)
class Foretold:
    """What an own timetable said.

    Attributes:
        runs: the coming ones, in their order.
        is_last: nothing follows the last of them.
        error: what went wrong instead; then there are no runs.
    """

    runs: Sequence[NextRun] = ()
    is_last: bool = True
    error: str | None = None


def find_following(
    tx: Connection, dag_id: str, last: DataInterval | None, *, catchup: bool, now: datetime
) -> NextRun | None:
    """Return the run that follows the one about ``last`` (None: the first). None: there is none, or nobody knows yet.

    Without catchup, runs that were missed are passed over but for the newest.
    """
    row = _row(tx, dag_id)
    if row is None or row.version_id != row.newest:
        want(tx, dag_id, now)
        return None
    runs = [_decoded(one) for one in row.runs]
    after = [DataInterval(row.after_start, row.after_end) if row.after_start else None, *(r.interval for r in runs)]
    if row.error is not None or last not in after:
        want(tx, dag_id, now)
        return None
    coming = runs[after.index(last) :]
    if len(coming) < min(_FEW, len(runs) or 1) and not row.is_last:
        want(tx, dag_id, now)
    missed = [run for run in coming if run.run_after <= now]
    return missed[-1] if missed and not catchup else next(iter(coming), None)


def run_id_of(tx: Connection, dag_id: str, interval: DataInterval) -> str:
    """Return the name that the timetable gives to the run about ``interval``; empty when it did not say."""
    row = _row(tx, dag_id)
    runs = [] if row is None else [_decoded(one) for one in row.runs]
    return next((run.run_id for run in runs if run.interval == interval), "")


def window_of(tx: Connection, dag_id: str) -> list[NextRun]:
    """Return all runs that are foretold, those that were made among them."""
    row = _row(tx, dag_id)
    return [] if row is None else [_decoded(one) for one in row.runs]


def is_known_to_end(tx: Connection, dag_id: str) -> bool:
    """Return whether nothing follows the runs that are foretold for the newest version."""
    row = _row(tx, dag_id)
    return row is not None and row.version_id == row.newest and row.error is None and bool(row.is_last)


def error_of(tx: Connection, dag_id: str) -> str | None:
    """Return what the newest version's timetable said instead of runs, if it did."""
    row = _row(tx, dag_id)
    return row.error if row is not None and row.version_id == row.newest else None


def want(tx: Connection, dag_id: str, now: datetime) -> None:
    """Say that more runs of a DAG are wanted; saying it again changes nothing."""
    waiting = update(ComingRuns).where(ComingRuns.dag_id == dag_id)
    if tx.execute(waiting.where(ComingRuns.wanted_at.is_(None)).values(wanted_at=now)).rowcount:
        return
    if _row(tx, dag_id) is None:
        nothing: dict[str, Any] = {"version_id": None, "after_start": None, "after_end": None, "error": None}
        upsert(tx, ComingRuns, {"dag_id": dag_id}, {**nothing, "runs": [], "is_last": False, "wanted_at": now})


def find_asked(tx: Connection, dag_id: str) -> Wanted | None:
    """Return what is needed to ask the timetable of an active DAG; None when it is none of the user's own."""
    row = tx.execute(
        select(DagVersion.id, DagVersion.file_path, DagSource.source, DagVersion.spec)
        .join(Dag, Dag.version_id == DagVersion.id)
        .join(DagSource, DagSource.digest == DagVersion.source_digest)
        .where(Dag.dag_id == dag_id, Dag.is_active)
    ).one_or_none()
    if row is None or not needs_own_code(from_spec(decode_spec(row.spec).timetable)):
        return None
    return Wanted(dag_id, row.id, row.file_path, encode_source(row.source))


def list_wanted(tx: Connection, limit: int) -> list[Wanted]:
    """Return up to ``limit`` DAGs whose timetables are to be asked, those that wait longest first."""
    query = (
        select(Dag.dag_id, DagVersion.id, DagVersion.file_path, DagSource.source)
        .join(ComingRuns, ComingRuns.dag_id == Dag.dag_id)
        .join(DagVersion, DagVersion.id == Dag.version_id)
        .join(DagSource, DagSource.digest == DagVersion.source_digest)
        .where(ComingRuns.wanted_at.is_not(None), Dag.is_active)
        .order_by(ComingRuns.wanted_at, Dag.dag_id)
        .limit(limit)
    )
    return [Wanted(row[0], row[1], row[2], encode_source(row[3])) for row in tx.execute(query)]


def store(tx: Connection, dag_id: str, version_id: int, last: DataInterval | None, foretold: Foretold) -> None:
    """Store what the timetable of a version said about the runs that follow ``last``; nobody waits any more.

    The caller holds the lock of the DAG row, and has made sure that both are still the newest.
    """
    values = {
        "version_id": version_id,
        "after_start": last and last.start,
        "after_end": last and last.end,
        "runs": [_encoded(run) for run in foretold.runs],
        "is_last": foretold.is_last,
        "error": foretold.error,
        "wanted_at": None,
    }
    upsert(tx, ComingRuns, {"dag_id": dag_id}, values)


def _row(tx: Connection, dag_id: str) -> Row[Any] | None:
    columns = (
        ComingRuns.version_id, ComingRuns.after_start, ComingRuns.after_end, ComingRuns.runs, ComingRuns.is_last,
        ComingRuns.error, Dag.version_id.label("newest"),
    )  # fmt: skip
    return tx.execute(
        select(*columns).join(Dag, Dag.dag_id == ComingRuns.dag_id).where(Dag.dag_id == dag_id)
    ).one_or_none()


def _encoded(run: NextRun) -> dict[str, Any]:
    start, end = run.interval
    return {"at": run.run_after.isoformat(), "start": start.isoformat(), "end": end.isoformat(), "run_id": run.run_id}


def _decoded(data: dict[str, Any]) -> NextRun:
    due, start, end = (datetime.fromisoformat(data[name]) for name in ("at", "start", "end"))
    return NextRun(due, start, DataInterval(start, end), data["run_id"])
