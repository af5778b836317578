"""Statements of ``tradewind db verify``: every run, page by page, with its attempts."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, func, select

from tradewind.metadata.models import Attempt, DagRun
from tradewind.model.states import AttemptState


class AttemptMark(NamedTuple):
    """What the check needs to know of an attempt."""

    id: UUID
    task_id: str
    map_index: int
    try_number: int
    part: int
    is_ended: bool


def count_runs(tx: Connection) -> int:
    """Return how many runs there are."""
    return tx.execute(select(func.count()).select_from(DagRun)).scalar_one()


def run_keys(tx: Connection, after: int, limit: int) -> list[int]:
    """Return the keys of the runs behind ``after``."""
    return list(tx.execute(select(DagRun.id).where(DagRun.id > after).order_by(DagRun.id).limit(limit)).scalars())


def attempts_of(tx: Connection, run_pk: int) -> list[AttemptMark]:
    """Return all attempts of a run."""
    rows = tx.execute(
        select(Attempt.id, Attempt.task_id, Attempt.map_index, Attempt.try_number, Attempt.part, Attempt.state).where(
            Attempt.run_pk == run_pk
        )
    )
    return [
        AttemptMark(r.id, r.task_id, r.map_index, r.try_number, r.part, r.state is AttemptState.ENDED) for r in rows
    ]
