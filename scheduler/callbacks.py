"""How does a scheduler have calls of user code made? It starts those that wait, and closes those that have ended.

They are written where what they hang on is written (``scheduler.calling`` says which), so that no crash forgets one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from scheduler.held import Lanes
from scheduler.usage import read_usage
from tradewind.metadata import callback_attempts, deadlines, inbox
from tradewind.metadata.callback_attempts import StartedCallback
from tradewind.metadata.callbacks import DONE, RECKONING, WAITING
from tradewind.metadata.inbox import InboxRow
from tradewind.metadata.limits import lock_pool_slots
from tradewind.model.orders import AttemptEnded, AttemptOrder, Fact, is_callback

LIMIT: Final = 64
"""Calls that one turn starts at most."""


@dataclass(frozen=True, slots=True)
class Started:
    """What one turn started. ``is_all`` is False when calls wait for a place under the limits."""

    orders: list[AttemptOrder]
    is_all: bool = True


@dataclass(frozen=True, slots=True)
class Taken:
    """What is left of the news when calls are taken out. ``must_start``: one of them has to be made again."""

    facts: Sequence[Fact]
    rows: Sequence[InboxRow]
    must_start: bool = False


def take_facts(tx: Connection, facts: Sequence[Fact], rows: Sequence[InboxRow], now: datetime) -> Taken:
    """Close the calls whose ends are told among ``facts`` and ``rows``; return the rest, which is about tasks."""
    told = [fact for fact in facts if is_callback(fact.attempt_id)]
    read = [row for row in rows if row.kind == inbox.CALLBACK]
    if not told and not read:
        return Taken(facts, rows)
    told += inbox.read_facts(read)
    known = callback_attempts.known_callbacks(tx, {fact.attempt_id for fact in told})
    ends = [fact for fact in told if isinstance(fact, AttemptEnded) and fact.attempt_id in known]
    must_start = False
    if ends:
        lock_pool_slots(tx)  # admission comes behind in this transaction, and pools are locked before attempts
    for closed in callback_attempts.close_callbacks(tx, ends, now):
        must_start |= closed.state == WAITING
        due_at = closed.fact.then.resume_at if closed.fact.then is not None else None
        if closed.kind == RECKONING and closed.state == DONE and due_at is not None:
            deadlines.set_reckoned(tx, closed.run_pk, closed.payload["number"], due_at)
    inbox.delete_rows(tx, [row.id for row in read])
    by_chance = [fact for fact in told if fact.attempt_id not in known]
    others: list[Fact] = [fact for fact in facts if not is_callback(fact.attempt_id)]
    return Taken(others + by_chance, [row for row in rows if row.kind != inbox.CALLBACK], must_start)


def start_waiting(tx: Connection, now: datetime, facts: Sequence[Fact], *, parallelism: int, lanes: Lanes) -> Started:
    """Give the calls that wait a process each, the oldest first, as far as the limits allow.

    They go before tasks: a full installation must not keep silent about its failures.

    Args:
        facts: whose attempts end in this transaction, and free their places.
    """
    waiting = callback_attempts.lock_waiting(tx, LIMIT)
    if not waiting:
        return Started([])
    ended = {fact.attempt_id for fact in facts if isinstance(fact, AttemptEnded)}
    limits = lanes.limits()
    usage = read_usage(tx, parallelism, limits, without=ended, lock=True)
    started = []
    for call in waiting:
        wished = lanes.executor(call.executor)
        executor = wished if wished in limits else lanes.default
        limit = limits.get(executor)
        if usage.is_full or (limit is not None and usage.executor_active[executor] >= limit):
            continue
        usage.take_call(executor)
        supervisor = lanes.supervisors.get(executor)
        started.append(
            StartedCallback(call.id, call.run_pk, call.starts + 1, executor, supervisor, lanes.default_queue)
        )
    callback_attempts.start_callbacks(tx, started, now)
    orders = callback_attempts.load_callback_orders(tx, [one.attempt_id for one in started])
    return Started(orders, is_all=len(started) == len(waiting) < LIMIT)
