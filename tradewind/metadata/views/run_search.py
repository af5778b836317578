"""Which runs and task instances does a client of the REST API look for? A page of them, and how many there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from tradewind.metadata.models import Attempt, DagRun, TaskInstance
from tradewind.metadata.models.core import LEAVING
from tradewind.metadata.views.runs import RUN_PAGE, TASK_LINE, RunPage, TaskLine
from tradewind.metadata.views.tasks import ATTEMPT_LINE, AttemptLine
from tradewind.model.states import RunState, RunType, TaskState

COUNT_CAP: Final = 100_000
"""Runs are counted up to here: counting all of millions would cost more than reading the page."""
INSTANTS: Final[Mapping[str, Any]] = {
    "run_after": DagRun.run_after,
    "logical_date": DagRun.logical_date,
    "start_date": DagRun.started_at,
    "end_date": DagRun.ended_at,
}
"""The instants of a run by which it can be looked for."""
ORDERS: Final = ("run_after", "id")
"""What runs can be ordered by, up, or down with ``-`` in front: that for which there is an index."""


@dataclass(frozen=True, slots=True)
class RunSearch:
    """What is looked for. Empty fields leave everything.

    Attributes:
        instants: bounds by name of :data:`INSTANTS` and of the comparison: gte, gt, lte, lt.
        order: one of :data:`ORDERS`, perhaps with ``-`` in front.
    """

    dag_id: str | None = None
    states: tuple[RunState, ...] = ()
    run_types: tuple[RunType, ...] = ()
    instants: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    order: str = "-run_after"


def search_runs(tx: Connection, wanted: RunSearch, *, offset: int, limit: int) -> list[RunPage]:
    """Return a page of the runs found."""
    columns = {"run_after": (DagRun.run_after, DagRun.id), "id": (DagRun.id,)}[wanted.order.removeprefix("-")]
    order = [column.desc() if wanted.order.startswith("-") else column.asc() for column in columns]
    query = _found(RUN_PAGE, wanted).order_by(*order).offset(offset).limit(limit)
    return [RunPage(*row) for row in tx.execute(query)]


def count_runs(tx: Connection, wanted: RunSearch) -> int:
    """Return how many runs are found, or :data:`COUNT_CAP` when there are that many or more."""
    inner = _found(select(DagRun.id), wanted).limit(COUNT_CAP).subquery()
    return tx.execute(select(func.count()).select_from(inner)).scalar_one()


def search_tasks(
    tx: Connection, run_pk: int, states: Collection[TaskState], *, offset: int, limit: int
) -> tuple[list[TaskLine], int]:
    """Return a page of a run's task instances by id, and how many there are in these states (none given: in any)."""
    conditions = [TaskInstance.run_pk == run_pk]
    if states:
        conditions.append(TaskInstance.state.in_(states))
    query = TASK_LINE.where(*conditions).order_by(TaskInstance.task_id, TaskInstance.map_index)
    total = tx.execute(select(func.count()).select_from(TaskInstance).where(*conditions)).scalar_one()
    return [TaskLine(*row) for row in tx.execute(query.offset(offset).limit(limit))], total


def find_task_lines(tx: Connection, run_pk: int, keys: Sequence[tuple[str, int]]) -> list[TaskLine]:
    """Return these task instances of a run, in this order; those that it has not are left out."""
    wanted = set(keys)
    found: dict[tuple[str, int], TaskLine] = {}
    task_ids = sorted({task_id for task_id, _ in wanted})
    for start in range(0, len(task_ids), 200):  # some databases take no more than a few hundred at once
        some = TaskInstance.task_id.in_(task_ids[start : start + 200])
        query = TASK_LINE.where(TaskInstance.run_pk == run_pk, some)
        for row in tx.execute(query):
            if (row[0], row[1]) in wanted:
                found[row[0], row[1]] = TaskLine(*row)
    return [found[key] for key in keys if key in found]


def newest_attempts(tx: Connection, run_pk: int, task_ids: Collection[str]) -> dict[tuple[str, int], AttemptLine]:
    """Return the newest attempt of each of these tasks that has any, by task id and map index."""
    query = (
        ATTEMPT_LINE.add_columns(TaskInstance.task_id, TaskInstance.map_index)
        .join(TaskInstance, TaskInstance.attempt_id == Attempt.id)
        .where(TaskInstance.run_pk == run_pk, TaskInstance.task_id.in_(set(task_ids)))
    )
    return {(row[-2], row[-1]): AttemptLine(str(row[0]), *row[1:-2]) for row in tx.execute(query)}


def _found(query: Select[*tuple[Any, ...]], wanted: RunSearch) -> Select[*tuple[Any, ...]]:
    query = query.where(DagRun.kind != LEAVING if wanted.dag_id is None else DagRun.dag_id == wanted.dag_id)
    if wanted.states:
        query = query.where(DagRun.state.in_(wanted.states))
    if wanted.run_types:
        query = query.where(DagRun.run_type.in_(wanted.run_types))
    for (name, comparison), at in wanted.instants.items():
        column = INSTANTS[name]
        query = query.where(
            {"gte": column >= at, "gt": column > at, "lte": column <= at, "lt": column < at}[comparison]
        )
    return query
