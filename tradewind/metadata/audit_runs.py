"""Statements of ``tradewind db verify``: every run, page by page, with its attempts."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, func, select

from tradewind.metadata import inbox
from tradewind.metadata.models import Attempt, DagRun, RunInbox
from tradewind.metadata.models.core import LEAVING
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
    """Return how many runs there are, without those that are being removed, whose log is no longer whole."""
    return tx.execute(select(func.count()).select_from(DagRun).where(DagRun.kind != LEAVING)).scalar_one()


def run_keys(tx: Connection, after: int, limit: int) -> list[int]:
    """Return the keys of the runs behind ``after``."""
    query = select(DagRun.id).where(DagRun.id > after, DagRun.kind != LEAVING)
    return list(tx.execute(query.order_by(DagRun.id).limit(limit)).scalars())


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


def foretold_ends(tx: Connection, run_pk: int) -> set[UUID]:
    """Return the attempts of which the inbox of a run says that they have ended."""
    payloads = tx.execute(
        select(RunInbox.payload).where(RunInbox.run_pk == run_pk, RunInbox.kind == inbox.ENDED)
    ).scalars()
    return {UUID(payload["attempt_id"]) for payload in payloads}
