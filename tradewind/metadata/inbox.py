"""Statements about the inbox: how anybody says something to a run, and how a scheduler reads it.

Senders touch neither the log nor a sequence number, so they contend neither with each other nor with the scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Connection, and_, delete, or_, select

from tradewind.metadata.database import ring
from tradewind.metadata.models import DagRun, RunInbox
from tradewind.metadata.models.core import LEAVING
from tradewind.metadata.upsert import insert_missing
from tradewind.model.commands import Command, TakeOver
from tradewind.model.orders import AttemptEnded, AttemptStarted, Fact, is_callback
from tradewind.model.states import RunState


@dataclass(frozen=True, slots=True)
class Message:
    """One row to be put into the inbox of a run. The same ``key`` twice is one row: the first."""

    run_pk: int
    key: str
    kind: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One row that waits to be folded."""

    id: int
    run_pk: int
    kind: str
    payload: Mapping[str, Any]


STARTED, ENDED = "attempt_started", "attempt_ended"
WAIT_OVER: Final = "wait_over"
"""An attempt need not wait any more; the payload names it, and the ``event`` or the ``failure``."""
CANCEL: Final = "cancel"
"""The run is no longer wanted; the payload says the ``reason``."""
COMMAND: Final = "command"
"""Somebody wants something of the run: a ``tradewind.model.commands.Command``."""
TAKE_OVER: Final = "take_over"
"""What the run takes over from the one that it replays; it lies there until the run starts."""
DEADLINE: Final = "deadline_missed"
"""A deadline of the run has passed; the payload goes into its log."""
CALLBACK: Final = "callback_ended"
"""An attempt has ended that makes a call of user code. It is nothing to the run, and anybody may take it."""
_KINDS: Final[Mapping[str, type[Fact]]] = {
    STARTED: AttemptStarted,
    ENDED: AttemptEnded,
    CALLBACK: AttemptEnded,
}
log = logging.getLogger(__name__)


def fact_message(fact: Fact) -> Message:
    """Return the message that carries what a supervisor says."""
    kind = STARTED if isinstance(fact, AttemptStarted) else CALLBACK if is_callback(fact.attempt_id) else ENDED
    return Message(fact.run_pk, f"{kind}:{fact.attempt_id}:{fact.fence}", kind, msgspec.to_builtins(fact))


def command_message(run_pk: int, request_id: UUID, command: Command) -> Message:
    """Return the message that carries a command; ``request_id`` is that of the wish.

    Said again while it waits, it is said once; said again after it was folded, it is a wish of its own.
    """
    return Message(run_pk, command_key(request_id), COMMAND, msgspec.to_builtins(command, str_keys=True))


def take_over_message(run_pk: int, taken: TakeOver) -> Message:
    """Return the message that tells a run, once it starts, what to take over."""
    return Message(run_pk, TAKE_OVER, TAKE_OVER, msgspec.to_builtins(taken, str_keys=True))


def read_take_over(tx: Connection, run_pk: int) -> tuple[int, TakeOver] | None:
    """Return what a run is to take over as it starts, behind the id of the row; or None."""
    query = select(RunInbox.id, RunInbox.payload).where(RunInbox.run_pk == run_pk, RunInbox.key == TAKE_OVER)
    row = tx.execute(query).first()
    return None if row is None else (row.id, msgspec.convert(row.payload, TakeOver))


def command_key(request_id: UUID) -> str:
    """Return the key of the messages that carry one wish: the same in each run."""
    return f"{COMMAND}:{request_id}"


def read_command(row: InboxRow) -> Command | None:
    """Return the command that a row carries; None, when it carries none, or one that makes no sense: that is logged."""
    if row.kind != COMMAND:
        return None
    try:
        found: Command = msgspec.convert(row.payload, Command)
    except msgspec.ValidationError as error:
        log.error("inbox row %d of run %d (%s) makes no sense and is dropped: %r", row.id, row.run_pk, row.kind, error)
        return None
    return found


def read_facts(rows: Sequence[InboxRow]) -> list[Fact]:
    """Return the facts that rows carry, in their order. A row that cannot be read is logged and left out.

    Rows that carry something else than a fact are left out, too.
    """
    facts: list[Fact] = []
    for row in rows:
        if row.kind in (WAIT_OVER, CANCEL, COMMAND, DEADLINE, TAKE_OVER):
            continue
        try:
            facts.append(msgspec.convert(row.payload, _KINDS[row.kind]))
        except (KeyError, msgspec.ValidationError) as error:
            log.error(
                "inbox row %d of run %d (%s) makes no sense and is dropped: %r", row.id, row.run_pk, row.kind, error
            )
    return facts


def send(tx: Connection, messages: Sequence[Message], now: datetime) -> None:
    """Put messages into inboxes and ring the doorbell. A message to a run that is gone is dropped."""
    if not messages:
        return
    wanted = select(DagRun.id).where(DagRun.id.in_({m.run_pk for m in messages}), DagRun.kind != LEAVING)
    alive = set(tx.execute(wanted).scalars())
    put(tx, [message for message in messages if message.run_pk in alive], now)


def put(tx: Connection, messages: Sequence[Message], now: datetime) -> None:
    """Put messages into inboxes of runs that the caller has seen, and ring the doorbell."""
    rows = [
        {"run_pk": m.run_pk, "key": m.key, "kind": m.kind, "payload": dict(m.payload), "created_at": now}
        for m in messages
    ]
    if rows:
        insert_missing(tx, RunInbox, rows)
        ring(tx, "inbox")


def read_inbox(tx: Connection, holder: UUID, limit: int) -> list[InboxRow]:
    """Return what waits for the runs that ``holder`` has claimed, the oldest first.

    Runs that have ended, or have not started, are held by nobody, and anybody folds what comes for them: the end of a
    process that was no longer wanted, which frees its slots; what people want of them.
    """
    query = (
        select(RunInbox.id, RunInbox.run_pk, RunInbox.kind, RunInbox.payload)
        .join(DagRun, DagRun.id == RunInbox.run_pk)
        .where(
            DagRun.kind != LEAVING,
            RunInbox.kind != TAKE_OVER,
            or_(
                DagRun.claimed_by == holder,
                and_(DagRun.claimed_by.is_(None), DagRun.state != RunState.RUNNING),
                RunInbox.kind == CALLBACK,
            ),
        )
        .order_by(RunInbox.id)
        .limit(limit)
    )
    return [InboxRow(*row) for row in tx.execute(query)]


def read_rows(tx: Connection, holder: UUID, pks: Sequence[int]) -> list[InboxRow]:
    """Return what waits for some runs, of those that ``holder`` has claimed and those that nobody need claim."""
    is_open = or_(DagRun.claimed_by == holder, and_(DagRun.claimed_by.is_(None), DagRun.state != RunState.RUNNING))
    query = (
        select(RunInbox.id, RunInbox.run_pk, RunInbox.kind, RunInbox.payload)
        .join(DagRun, DagRun.id == RunInbox.run_pk)
        .where(RunInbox.run_pk.in_(pks), is_open, RunInbox.kind.not_in((CALLBACK, TAKE_OVER)))
        .order_by(RunInbox.id)
    )
    return [InboxRow(*row) for row in tx.execute(query)]


def still_there(tx: Connection, ids: Sequence[int]) -> set[int]:
    """Return those of some rows that nobody has folded meanwhile."""
    return set(tx.execute(select(RunInbox.id).where(RunInbox.id.in_(ids))).scalars()) if ids else set()


def delete_rows(tx: Connection, ids: Sequence[int]) -> None:
    """Remove the rows that were folded."""
    if ids:
        tx.execute(delete(RunInbox).where(RunInbox.id.in_(ids)))
