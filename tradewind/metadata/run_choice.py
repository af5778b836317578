"""Which runs does somebody mean? Found by name, date, partition and state, page by page; never all at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, insert, literal, or_, select, update

from tradewind.errors import NotFound, UsageError
from tradewind.metadata import dags
from tradewind.metadata.models import AssetEventUse, Dag, DagRun, RunInbox, TaskInstance, XCom
from tradewind.metadata.runs import RunRecord, find_run, get_runs, list_runs
from tradewind.model.states import RunState, TaskState
from tradewind.run.task_choice import read_regex
from tradewind.run.view import TaskKey, TaskView

RECENT: Final = 200
"""So many of a DAG's newest runs are looked through for the nearest name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChoice:
    """Some runs of some DAGs. All that is given must hold; with nothing but DAGs it is all their runs.

    Attributes:
        run_ids: exactly these.
        past, future: also the runs of the same DAG with an earlier (later) logical date than the ones named.
        after, before: bounds on the logical date, both inclusive; runs without one are outside.
        partition_key: runs about this part of an asset.
        partition_after, partition_before: bounds on the partition's date, both inclusive.
        states: only runs in one of these states; empty: in any.
        task_states: only runs that have a task instance in one of these states; empty: whatever they have.
    """

    dag_ids: Sequence[str]
    run_ids: Sequence[str] = ()
    past: bool = False
    future: bool = False
    after: datetime | None = None
    before: datetime | None = None
    partition_key: str | None = None
    partition_after: datetime | None = None
    partition_before: datetime | None = None
    states: Sequence[RunState] = ()
    task_states: Sequence[TaskState] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of runs ended; the next begins behind it."""

    dag_id: str
    run_after: datetime
    pk: int


def match_dags(tx: Connection, pattern: str) -> list[str]:
    """Return the ids of all DAGs in which a regular expression is found, in order.

    Raises:
        UsageError: it cannot be read.
        NotFound: no DAG matches.
    """
    wanted = read_regex(pattern)
    found = [
        dag_id for dag_id in tx.execute(select(Dag.dag_id).order_by(Dag.dag_id)).scalars() if wanted.search(dag_id)
    ]
    if not found:
        raise NotFound("A DAG that matches", pattern, mend="`tradewind dags list --all` shows all DAGs.")
    return found


def resolve(tx: Connection, choice: RunChoice) -> RunChoice:
    """Check the names of a choice, and turn "earlier" and "later" into dates.

    Raises:
        NotFound: there is no such DAG, or no such run.
        UsageError: earlier or later than what? No run is named, or one that has no logical date.
    """
    for dag_id in choice.dag_ids:
        dags.get_dag(tx, dag_id)
    named = [_named_run(tx, choice, run_id) for run_id in choice.run_ids]
    if not (choice.past or choice.future):
        return choice
    if not named:
        raise UsageError("Earlier and later runs are those before and after one that is named. Name a run.")
    dates = [run.logical_date for run in named]
    if any(date is None for date in dates):
        without = next(run.run_id for run in named if run.logical_date is None)
        raise UsageError(f"Run {without!r} has no logical date, so no run is earlier or later. Name the runs instead.")
    known = [date for date in dates if date is not None]
    after = None if choice.past else max(filter(None, (choice.after, min(known))))
    before = None if choice.future else min(filter(None, (choice.before, max(known))))
    return replace(
        choice, run_ids=(), past=False, future=False, after=after or choice.after, before=before or choice.before
    )


def _named_run(tx: Connection, choice: RunChoice, run_id: str) -> RunRecord:
    found = [run for dag_id in choice.dag_ids if (run := find_run(tx, dag_id, run_id)) is not None]
    if found:
        return found[0]
    known = [run.run_id for dag_id in choice.dag_ids[:1] for run in list_runs(tx, dag_id=dag_id, limit=RECENT)]
    if len(choice.dag_ids) != 1:
        raise NotFound("Run", run_id, known, within=f"of these {len(choice.dag_ids)} DAGs")
    mend = f"`tradewind dags list-runs {choice.dag_ids[0]}` shows its runs." if known else "It has not run yet."
    raise NotFound("Run", run_id, known, mend, within=f"of DAG {choice.dag_ids[0]!r}")


def count_runs(tx: Connection, choice: RunChoice) -> int:
    """Return how many runs are chosen."""
    return tx.execute(select(func.count()).select_from(DagRun).where(_is_chosen(choice))).scalar_one()


def list_versions(tx: Connection, choice: RunChoice) -> list[int]:
    """Return the versions that the chosen runs have, the newest first."""
    query = select(DagRun.version_id).where(_is_chosen(choice)).distinct().order_by(DagRun.version_id.desc())
    return list(tx.execute(query).scalars())


def list_page(tx: Connection, choice: RunChoice, behind: Place | None, limit: int) -> list[RunRecord]:
    """Return the next of the chosen runs: by DAG, then the oldest first."""
    query = select(DagRun.id).where(_is_chosen(choice))
    if behind is not None:
        later = or_(
            DagRun.run_after > behind.run_after, and_(DagRun.run_after == behind.run_after, DagRun.id > behind.pk)
        )
        query = query.where(or_(DagRun.dag_id > behind.dag_id, and_(DagRun.dag_id == behind.dag_id, later)))
    pks = list(tx.execute(query.order_by(DagRun.dag_id, DagRun.run_after, DagRun.id).limit(limit)).scalars())
    by_pk = {run.pk: run for run in get_runs(tx, pks)}
    return [by_pk[pk] for pk in pks if pk in by_pk]


def _is_chosen(choice: RunChoice) -> ColumnElement[bool]:
    wanted: list[ColumnElement[bool]] = [DagRun.dag_id.in_(choice.dag_ids)]
    if choice.run_ids:
        wanted.append(DagRun.run_id.in_(choice.run_ids))
    if choice.after is not None:
        wanted.append(DagRun.logical_date >= choice.after)
    if choice.before is not None:
        wanted.append(DagRun.logical_date <= choice.before)
    if choice.partition_key is not None:
        wanted.append(DagRun.partition_key == choice.partition_key)
    if choice.partition_after is not None:
        wanted.append(DagRun.partition_date >= choice.partition_after)
    if choice.partition_before is not None:
        wanted.append(DagRun.partition_date <= choice.partition_before)
    if choice.states:
        wanted.append(DagRun.state.in_(choice.states))
    if choice.task_states:
        has_one = exists().where(TaskInstance.run_pk == DagRun.id, TaskInstance.state.in_(choice.task_states))
        wanted.append(has_one)
    return and_(*wanted)


_TASK_COLUMNS: Final = tuple(getattr(TaskInstance, field.name) for field in fields(TaskView))


def count_tasks(tx: Connection, pks: Sequence[int]) -> dict[int, int]:
    """Return how many task instances some runs have."""
    query = select(TaskInstance.run_pk, func.count()).where(TaskInstance.run_pk.in_(pks)).group_by(TaskInstance.run_pk)
    return {row[0]: row[1] for row in tx.execute(query)}


def load_tasks(tx: Connection, pks: Sequence[int]) -> dict[int, list[TaskView]]:
    """Return all task instances of some runs."""
    found: dict[int, list[TaskView]] = {pk: [] for pk in pks}
    query = select(TaskInstance.run_pk, *_TASK_COLUMNS).where(TaskInstance.run_pk.in_(pks))
    for row in tx.execute(query.order_by(TaskInstance.run_pk, TaskInstance.task_id, TaskInstance.map_index)):
        found[row[0]].append(TaskView(*row[1:]))
    return found


def still_waiting(tx: Connection, pks: Sequence[int], key: str) -> list[int]:
    """Return those of some runs in whose inbox a message with this key still lies."""
    query = select(RunInbox.run_pk).where(RunInbox.run_pk.in_(pks), RunInbox.key == key)
    return list(tx.execute(query).scalars())


def count_states(tx: Connection, pks: Sequence[int]) -> dict[RunState, int]:
    """Return how many of some runs are in which state."""
    query = select(DagRun.state, func.count()).where(DagRun.id.in_(pks)).group_by(DagRun.state)
    return {row[0]: row[1] for row in tx.execute(query)}


def set_run_notes(tx: Connection, pks: Sequence[int], note: str | None) -> None:
    """Put a remark on runs, in place of the one they have; None takes it away."""
    tx.execute(update(DagRun).where(DagRun.id.in_(pks)).values(note=note))


def set_task_notes(tx: Connection, keys: Sequence[tuple[int, TaskKey]], note: str | None) -> None:
    """Put a remark on task instances, in place of the one they have; None takes it away."""
    rows = [{"b_pk": pk, "b_task": task_id, "b_index": map_index, "v_note": note} for pk, (task_id, map_index) in keys]
    if rows:
        tx.execute(_SET_TASK_NOTE, rows)


def copy_xcoms(tx: Connection, from_pk: int, to_pk: int, keys: Collection[TaskKey], now: datetime) -> None:
    """Give a run the XComs that some task instances have in another."""
    rows = [
        {"b_from": from_pk, "v_to": to_pk, "v_now": now, "b_task": task_id, "b_first": first, "b_last": last}
        for task_id, first, last in _ranges(keys)
    ]
    if rows:
        tx.execute(_COPY_XCOMS, rows)


def copy_asset_events(tx: Connection, from_pk: int, to_pk: int) -> None:
    """Tell the tasks of a run of the same asset events as those of another."""
    events = select(literal(to_pk), AssetEventUse.event_id).where(AssetEventUse.run_pk == from_pk)
    tx.execute(insert(AssetEventUse).from_select(["run_pk", "event_id"], events))


def _ranges(keys: Collection[TaskKey]) -> Iterator[tuple[str, int, int]]:
    """Give runs of consecutive map indexes: task, first, last."""
    first: TaskKey | None = None
    last = 0
    for task_id, map_index in sorted(keys):
        if first is not None and first[0] == task_id and map_index == last + 1:
            last = map_index
            continue
        if first is not None:
            yield *first, last
        first, last = (task_id, map_index), map_index
    if first is not None:
        yield *first, last


_COPY_XCOMS: Final = insert(XCom).from_select(
    ["run_pk", "task_id", "map_index", "key", "value", "location", "size_bytes", "created_at"],
    select(
        bindparam("v_to", type_=XCom.run_pk.type),
        XCom.task_id,
        XCom.map_index,
        XCom.key,
        XCom.value,
        XCom.location,
        XCom.size_bytes,
        bindparam("v_now", type_=XCom.created_at.type),
    ).where(
        XCom.run_pk == bindparam("b_from"),
        XCom.task_id == bindparam("b_task"),
        XCom.map_index.between(bindparam("b_first"), bindparam("b_last")),
    ),
)
_TASK: Final = TaskInstance.__table__
_SET_TASK_NOTE: Final = (
    update(_TASK)  # type: ignore[arg-type]  # of the mapped class it would be the table
    .where(
        TaskInstance.run_pk == bindparam("b_pk"),
        TaskInstance.task_id == bindparam("b_task"),
        TaskInstance.map_index == bindparam("b_index"),
    )
    .values(note=bindparam("v_note"))
)
