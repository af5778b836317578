"""What stands on the DAG list? One page of DAGs with filters, and the newest runs of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, and_, column, exists, func, or_, select, text
from sqlalchemy.orm import aliased

from tradewind.metadata.models import Dag, DagFile, DagRun, DagTag
from tradewind.metadata.types import UtcDateTime
from tradewind.model.states import RunState

COUNT_CAP = 10_000
"""Counting ends here: nobody pages through more, and a count must not read a whole table."""


@dataclass(frozen=True, slots=True)
class DagFilter:
    """What the reader asked for; the empty filter shows every active DAG."""

    text: str = ""  # part of the id, the display name or the description
    tags: tuple[str, ...] = ()  # at least one of them
    owner: str = ""
    show: str = ""  # active (not paused), paused, running, failed (newest run), error (file); "" for all


@dataclass(frozen=True, slots=True)
class DagLine:
    """One line of the list."""

    dag_id: str
    display_name: str | None
    description: str | None
    is_paused: bool
    owners: str
    schedule_summary: str
    next_run_after: datetime | None
    has_import_error: bool
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunBar:
    """One run as a bar: its state and how long it took."""

    dag_id: str
    run_id: str
    state: RunState
    run_type: str
    run_after: datetime
    started_at: datetime | None
    ended_at: datetime | None


def list_dag_lines(tx: Connection, wanted: DagFilter, *, after: str, limit: int) -> list[DagLine]:
    """Return up to ``limit`` active DAGs whose id sorts behind ``after``, by id."""
    error = DagFile.error.is_not(None).label("has_import_error")
    query: Select[*tuple[Any, ...]] = (
        select(
            Dag.dag_id, Dag.display_name, Dag.description, Dag.is_paused, Dag.owners, Dag.schedule_summary,
            Dag.next_run_after, error,
        )
        .join_from(Dag, DagFile, DagFile.path == Dag.file_path, isouter=True)
        .where(Dag.dag_id > after)
        .order_by(Dag.dag_id)
        .limit(limit)
    )  # fmt: skip
    lines = [DagLine(*row) for row in tx.execute(_filtered(query, wanted))]
    tags = tags_of(tx, [line.dag_id for line in lines])
    return [replace(line, tags=tags.get(line.dag_id, ())) for line in lines]


def count_dag_lines(tx: Connection, wanted: DagFilter) -> int:
    """Return how many lines the filter leaves, or :data:`COUNT_CAP` when there are that many or more."""
    query: Select[*tuple[Any, ...]] = select(Dag.dag_id).join(DagFile, DagFile.path == Dag.file_path, isouter=True)
    inner = _filtered(query, wanted).limit(COUNT_CAP).subquery()
    return tx.execute(select(func.count()).select_from(inner)).scalar_one()


def tags_of(tx: Connection, dag_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the tags of these DAGs."""
    if not dag_ids:
        return {}
    found: dict[str, list[str]] = {}
    query = select(DagTag.dag_id, DagTag.name).where(DagTag.dag_id.in_(dag_ids)).order_by(DagTag.name)
    for dag_id, name in tx.execute(query):
        found.setdefault(dag_id, []).append(name)
    return {dag_id: tuple(names) for dag_id, names in found.items()}


def count_by_tag(tx: Connection, limit: int = 200) -> list[tuple[str, int]]:
    """Return the tags of active DAGs with how many carry them, the most common first."""
    query = (
        select(DagTag.name, func.count().label("dags"))
        .join(Dag, Dag.dag_id == DagTag.dag_id)
        .where(Dag.is_active)
        .group_by(DagTag.name)
        .order_by(func.count().desc(), DagTag.name)
        .limit(limit)
    )
    return [(row.name, row.dags) for row in tx.execute(query)]


def newest_runs(tx: Connection, dag_ids: Sequence[str], limit: int) -> dict[str, list[RunBar]]:
    """Return the newest ``limit`` runs of each DAG, the oldest of them first.

    One statement of small indexed parts: a window function over all runs of the DAGs would read them all.
    """
    bars: dict[str, list[RunBar]] = {dag_id: [] for dag_id in dag_ids}
    if not dag_ids:
        return bars
    part = (
        "SELECT * FROM (SELECT dag_id, run_id, state, run_type, run_after, started_at, ended_at FROM dag_run "
        "WHERE dag_id = :d{0} ORDER BY run_after DESC LIMIT :top) AS p{0}"
    )
    statement = text(" UNION ALL ".join(part.format(number) for number in range(len(dag_ids)))).columns(
        column("dag_id", String), column("run_id", String), column("state", String), column("run_type", String),
        column("run_after", UtcDateTime), column("started_at", UtcDateTime), column("ended_at", UtcDateTime),
    )  # fmt: skip
    values: dict[str, Any] = {f"d{number}": dag_id for number, dag_id in enumerate(dag_ids)}
    for row in tx.execute(statement, {**values, "top": limit}):
        bar = RunBar(row.dag_id, row.run_id, RunState(row.state), *row[3:])
        bars[bar.dag_id].append(bar)
    for runs in bars.values():
        runs.sort(key=lambda bar: bar.run_after)
    return bars


def _filtered(query: Select[*tuple[Any, ...]], wanted: DagFilter) -> Select[*tuple[Any, ...]]:
    query = query.where(Dag.is_active)
    if wanted.text:
        columns = (Dag.dag_id, Dag.display_name, Dag.description)
        query = query.where(or_(*(name.icontains(wanted.text, autoescape=True) for name in columns)))
    if wanted.tags:
        query = query.where(Dag.dag_id.in_(select(DagTag.dag_id).where(DagTag.name.in_(wanted.tags))))
    if wanted.owner:
        query = query.where(Dag.owners.icontains(wanted.owner, autoescape=True))
    condition = _shown(wanted.show)
    return query if condition is None else query.where(condition)


def _shown(show: str) -> ColumnElement[bool] | None:
    if show == "active":
        return ~Dag.is_paused
    if show == "paused":
        return Dag.is_paused == True  # noqa: E712  a bare column is no condition on both databases
    if show == "error":
        return DagFile.error.is_not(None)
    if show == "running":
        under_way = DagRun.state.in_([RunState.QUEUED, RunState.RUNNING])
        return exists().where(and_(DagRun.dag_id == Dag.dag_id, under_way))
    if show == "failed":
        newest = aliased(DagRun)
        state = (
            select(newest.state)
            .where(newest.dag_id == Dag.dag_id)
            .order_by(newest.run_after.desc())
            .limit(1)
            .scalar_subquery()
        )
        return state == RunState.FAILED
    return None
