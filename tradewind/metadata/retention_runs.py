"""Which runs are old, and how do they go? Statements of retention about runs and all that hangs on them.

A run goes as a whole, for its log is the truth that all the rest is made from. First it is put out of sight: one small
transaction turns up to some dozens of runs into *leaving* ones, which have no name, no date and no DAG any more, take
no message, and count for nothing. From then on nobody changes them, so that they can be written into an archive, and
their rows be deleted bit by bit, each transaction as small as one likes. Whoever is killed in between leaves leaving
runs, which the next one finishes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal_column,
    null,
    select,
    tuple_,
    union,
    update,
)
from sqlalchemy.orm import aliased

from tradewind.metadata.models import (
    AssetEventUse,
    Attempt,
    Backfill,
    BackfillSlot,
    Base,
    Callback,
    DagRun,
    Question,
    RunEvent,
    RunInbox,
    TaskInstance,
    Timer,
    TriggerWait,
    XCom,
)
from tradewind.metadata.models.core import LEAVING
from tradewind.metadata.types import JsonText
from tradewind.model.states import FINAL_RUN_STATES, AttemptState, RunState, RunType

CHILDREN: Final[tuple[type[Base], ...]] = (
    AssetEventUse, Callback, Question, TriggerWait, Timer, RunInbox, XCom, TaskInstance, Attempt, RunEvent,
)  # fmt: skip
"""What hangs on a run, by ``run_pk``. Each has an index that begins with it."""
ARCHIVED: Final = tuple(table.__tablename__ for table in (TaskInstance, Attempt, RunEvent, XCom, Question, Callback))
"""What of that is worth keeping."""
# Written out, since a database can use an index over some rows only when it sees that no others are meant.
_IS_LEAVING: Final = DagRun.kind == literal_column(f"'{LEAVING}'")
_IS_UNENDED: Final = Attempt.state != literal_column(f"'{AttemptState.ENDED.value}'")
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AUTOMATED: Final = (RunType.SCHEDULED, RunType.BACKFILL)


@dataclass(frozen=True, slots=True)
class LeavingRun:
    """A run that is out of sight, and what it was called.

    Attributes:
        archive: the folder that it is to be written into before its rows go; None: it is not kept.
        columns: what its row said before.
    """

    pk: int
    dag_id: str
    run_id: str
    archive: str | None
    columns: dict[str, Any]


def next_dag(tx: Connection, after: str) -> str | None:
    """Return the first DAG id behind ``after`` that has runs. One look-up in an index, however many runs there are."""
    return tx.execute(select(func.min(DagRun.dag_id)).where(DagRun.dag_id > after)).scalar_one()


def needed_runs(tx: Connection, dag_id: str, min_runs: int) -> list[int]:
    """Return the runs of a DAG that stay however old they are, whatever comes next.

    They are the newest ``min_runs``, at least one; the last that the schedule made, from which it goes on (see
    ``dag_schedule.last_tick``); and the last that succeeded, which tasks may ask for. Later ones may take their places;
    so this is asked once for a clean-up.
    """
    mine = select(DagRun.id).where(DagRun.dag_id == dag_id)
    dated = mine.where(DagRun.logical_date.is_not(None)).order_by(DagRun.logical_date.desc())
    queries = (
        mine.order_by(DagRun.run_after.desc(), DagRun.id.desc()).limit(max(1, min_runs)),
        dated.where(DagRun.run_type.in_(_AUTOMATED)).limit(1),
        dated.where(DagRun.state == RunState.SUCCESS).limit(1),
    )
    return sorted({pk for query in queries for pk in tx.execute(query).scalars()})


def followed_runs(tx: Connection, dag_id: str) -> list[int]:
    """Return the runs of a DAG right before those that are not over, whose tasks may look at what was done there."""
    is_unended = DagRun.state.in_([literal_column(f"'{state}'") for state in ("queued", "running")])
    mine = and_(DagRun.dag_id == dag_id, is_unended, DagRun.logical_date.is_not(None))
    followed = union(*(select(_before(is_own=is_own)).where(mine) for is_own in (False, True)))
    ended = aliased(DagRun)  # of thousands that wait one after the other, only the first follows one that has ended
    query = select(ended.id).where(ended.id.in_(followed), ended.ended_at.is_not(None))
    return sorted(tx.execute(query).scalars())


def _before(*, is_own: bool) -> Any:
    """The run with the next earlier logical date; ``is_own``: of those that nobody asked for by hand."""
    earlier = aliased(DagRun)
    query = select(earlier.id).where(earlier.dag_id == DagRun.dag_id, earlier.logical_date < DagRun.logical_date)
    if is_own:
        query = query.where(earlier.run_type != RunType.MANUAL)
    return query.order_by(earlier.logical_date.desc()).limit(1).correlate(DagRun).scalar_subquery()


def put_out_of_sight(
    tx: Connection, dag_id: str, before: datetime, *, needed: Sequence[int], limit: int, archive: str | None
) -> int:
    """Turn up to ``limit`` runs of a DAG that ended before ``before`` into leaving ones; return how many.

    Left alone are the ``needed`` ones (:func:`needed_runs`, :func:`followed_runs`), and those that are not free as
    :func:`_is_free` says.
    """
    found = _LEAVER.where(_is_old(dag_id, before), DagRun.id.not_in(needed), _is_free())
    found = found.order_by(DagRun.ended_at).limit(limit)
    return _leave(tx, found.with_for_update(skip_locked=True, of=DagRun), archive)


def put_run_out_of_sight(tx: Connection, run_pk: int) -> bool:
    """Turn one run into a leaving one, whatever its age; False when it is not free as :func:`_is_free` says.

    Nor is the last run that the schedule made, from which it goes on.
    """
    later = aliased(DagRun)
    newer = select(later.id).where(
        later.dag_id == DagRun.dag_id, later.run_type.in_(_AUTOMATED), later.logical_date > DagRun.logical_date
    )
    is_last = and_(DagRun.run_type.in_(_AUTOMATED), DagRun.logical_date.is_not(None), ~newer.exists())
    found = _LEAVER.where(DagRun.id == run_pk, _is_free(), ~is_last)
    return _leave(tx, found.with_for_update(of=DagRun), None) == 1


_LEAVER: Final[Select[*tuple[Any, ...]]] = select(
    DagRun.id, DagRun.dag_id, DagRun.run_id, DagRun.logical_date, DagRun.run_after, DagRun.conf, DagRun.next_seq
)


def _leave(tx: Connection, found: Select[*tuple[Any, ...]], archive: str | None) -> int:
    rows = tx.execute(found).all()
    said = [{"pk": row.id, "said": {**row._mapping, "archive": archive}} for row in rows]
    for one in said:
        del one["said"]["id"]
    if said:
        # The sequence number goes, too: who has read the run a moment ago can commit nothing to it.
        leaving = update(DagRun).where(DagRun.id == bindparam("pk"))
        name = cast(DagRun.id, String)
        values = {"kind": LEAVING, "dag_id": "", "run_id": name, "logical_date": null(), "run_after": _NEVER}
        tx.execute(leaving.values(**values, next_seq=0, conf=bindparam("said", type_=JsonText)), said)
    return len(said)


def _is_old(dag_id: str, before: datetime) -> ColumnElement[bool]:
    return and_(DagRun.dag_id == dag_id, DagRun.ended_at < before)


def _is_free() -> ColumnElement[bool]:
    """A run that nobody holds or waits for, to which nothing happens any more.

    Neither it nor a task of it is held; nobody wants anything of it; and no process or callback of it is under way, nor
    the backfill that it belongs to.
    """
    unended = select(Attempt.run_pk).where(_IS_UNENDED)
    held = exists().where(TaskInstance.run_pk == DagRun.id, TaskInstance.held.is_not(None))
    calls = exists().where(Callback.run_pk == DagRun.id, Callback.state.in_(("waiting", "running")))
    wanted = exists().where(RunInbox.run_pk == DagRun.id)
    is_open = and_(Backfill.id == BackfillSlot.backfill_id, Backfill.completed_at.is_(None))
    backfilled = select(BackfillSlot.ordinal).join(Backfill, is_open).where(BackfillSlot.run_pk == DagRun.id).exists()
    return and_(
        DagRun.state.in_(FINAL_RUN_STATES),
        DagRun.held.is_(None),
        ~held,
        ~wanted,
        ~calls,
        ~backfilled,
        DagRun.id.not_in(unended),
    )


def leaving_runs(tx: Connection, limit: int) -> list[LeavingRun]:
    """Return runs that are out of sight and not gone yet, the oldest first."""
    query = select(DagRun.__table__).where(_IS_LEAVING).order_by(DagRun.id).limit(limit)
    return [_leaving(dict(row._mapping)) for row in tx.execute(query)]


def _leaving(row: dict[str, Any]) -> LeavingRun:
    said = row["conf"]
    archive = said.pop("archive", None)
    columns = {**row, **said, "kind": "dag"}
    return LeavingRun(row["id"], columns["dag_id"], columns["run_id"], archive, columns)


def rows_of(tx: Connection, name: str, run_pk: int) -> Iterator[dict[str, Any]]:
    """Give what hangs on a run in one of :data:`ARCHIVED`, a few rows at a time."""
    table = Base.metadata.tables[name]
    query = select(table).where(table.c.run_pk == run_pk).execution_options(yield_per=1000)
    for row in tx.execute(query):
        yield dict(row._mapping)


def delete_rows(tx: Connection, pks: Sequence[int], limit: int, empty: set[str]) -> Counter[str]:
    """Delete up to ``limit`` rows of leaving runs, what hangs on them before they themselves. Return what went.

    When fewer than ``limit`` rows went, all of it is gone.

    Args:
        empty: tables that hold nothing of these runs any more, and so are not asked; what is found to be so is added.
    """
    gone: Counter[str] = Counter()
    for table in CHILDREN:
        name, left = table.__tablename__, limit - gone.total()
        if name in empty:
            continue
        if left <= 0:
            return gone
        gone[name] = delete_some(tx, table, table.__table__.c.run_pk.in_(pks), left)
        if gone[name] < left:
            empty.add(name)
    left = limit - gone.total()
    if left > 0:
        # The foreign keys would take along what came meanwhile: there is none, since leaving runs take no message.
        mine = and_(DagRun.id.in_(pks), _IS_LEAVING)
        gone[DagRun.__tablename__] = delete_some(tx, DagRun, mine, left)
    return +gone


def delete_some(tx: Connection, table: type[Base], condition: ColumnElement[bool], limit: int) -> int:
    """Delete up to ``limit`` rows for which ``condition`` holds; return how many."""
    place: ColumnElement[Any] = literal_column("rowid" if tx.dialect.name == "sqlite" else "ctid")
    some = select(place).select_from(table).where(condition).limit(limit)
    # PostgreSQL goes straight to the places of an array; over a subquery it might read the whole table.
    chosen = place.in_(some) if tx.dialect.name == "sqlite" else place == func.any(func.array(some.scalar_subquery()))
    return tx.execute(delete(table).where(chosen)).rowcount


# --- XComs of runs that stay ---------------------------------------------------------------------------------------


def runs_with_old_xcoms(
    tx: Connection, dag_id: str, before: datetime, *, needed: Sequence[int], after: int, limit: int
) -> list[tuple[int, str]]:
    """Return key and id of runs behind ``after`` that are old, and whose XComs nobody needs any more."""
    query = select(DagRun.id, DagRun.run_id).where(
        _is_old(dag_id, before),
        DagRun.id > after,
        DagRun.id.not_in(needed),
        _is_free(),
        exists().where(XCom.run_pk == DagRun.id),
    )
    return [(row.id, row.run_id) for row in tx.execute(query.order_by(DagRun.id).limit(limit))]


def delete_xcoms(tx: Connection, pks: Sequence[int], limit: int) -> int:
    """Delete up to ``limit`` XComs of these runs, but for those of runs that go on again; return how many."""
    ended = select(DagRun.id).where(DagRun.id.in_(pks), DagRun.state.in_(FINAL_RUN_STATES))
    return delete_some(tx, XCom, XCom.run_pk.in_(ended), limit)


def xcom_places(tx: Connection, pks: Sequence[int]) -> dict[int, list[str]]:
    """Return where the XComs of these runs live that do not live in the metadata DB, by the key of their run."""
    query = select(XCom.run_pk, XCom.location).where(XCom.run_pk.in_(pks), XCom.location.is_not(None))
    found: dict[int, list[str]] = {}
    for row in tx.execute(query):
        found.setdefault(row.run_pk, []).append(row.location or "")
    return found


def names_taken(tx: Connection, leaving: Sequence[LeavingRun]) -> set[tuple[str, str]]:
    """Return the names of leaving runs, DAG id and run id, that new runs have taken meanwhile."""
    names = tuple_(DagRun.dag_id, DagRun.run_id).in_([(run.dag_id, run.run_id) for run in leaving])
    return {(row.dag_id, row.run_id) for row in tx.execute(select(DagRun.dag_id, DagRun.run_id).where(names))}


# --- how many ------------------------------------------------------------------------------------------------------


def old_runs(
    tx: Connection, dag_id: str, before: datetime, needed: Sequence[int], limit: int | None = None
) -> list[int]:
    """Return the runs of a DAG that :func:`put_out_of_sight` would take; at most ``limit`` of them."""
    query = select(DagRun.id).where(_is_old(dag_id, before), DagRun.id.not_in(needed), _is_free())
    return list(tx.execute(query.order_by(DagRun.ended_at).limit(limit)).scalars())


def has_old_runs(tx: Connection, dag_id: str, before: datetime) -> bool:
    """Return whether a DAG has any run that ended before ``before``, needed or not. One look-up in an index."""
    first = tx.execute(select(func.min(DagRun.ended_at)).where(DagRun.dag_id == dag_id)).scalar_one()
    return first is not None and first < before


def count_rows(tx: Connection, pks: Sequence[int]) -> Counter[str]:
    """Return how many rows of which table hang on these runs."""
    counted: Counter[str] = Counter()
    for table in CHILDREN:
        query = select(func.count()).select_from(table).where(table.__table__.c.run_pk.in_(pks))
        counted[table.__tablename__] = int(tx.execute(query).scalar_one())
    return counted
