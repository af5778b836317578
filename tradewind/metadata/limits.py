"""Statements about the limits that span runs: the slots of all pools, and the lock under which they are counted."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, func, select

from tradewind.metadata.models import Attempt, Pool, TaskInstance
from tradewind.model.states import TaskState


@dataclass(frozen=True, slots=True)
class PoolSlots:
    """The slots of every pool.

    Attributes:
        slots: pool -> slots; -1 is no limit.
        keeping: the pools in which a deferred task keeps its slots.
    """

    slots: dict[str, int]
    keeping: frozenset[str]


def pool_slots(tx: Connection) -> PoolSlots:
    """Return the slots of every pool."""
    return _read(list(tx.execute(select(Pool.name, Pool.slots, Pool.include_deferred))))


def lock_pool_slots(tx: Connection) -> PoolSlots:
    """The same, holding the rows in the order of their names until the transaction ends.

    This is the one lock of admission: whoever holds it may count what is active and add to it. On SQLite the write
    transaction itself is that lock.
    """
    query = select(Pool.name, Pool.slots, Pool.include_deferred).order_by(Pool.name).with_for_update()
    return _read(list(tx.execute(query)))


def _read(rows: list[Row[tuple[str, int, bool]]]) -> PoolSlots:
    return PoolSlots({row.name: row.slots for row in rows}, frozenset(row.name for row in rows if row.include_deferred))


@dataclass(frozen=True, slots=True)
class DeferredSlots:
    """What the deferred tasks of one DAG hold in one pool."""

    pool: str
    dag_id: str
    slots: int


def deferred_slots(tx: Connection) -> list[DeferredSlots]:
    """Return the slots that deferred tasks keep, in the pools that say so."""
    query = (
        select(Attempt.pool, TaskInstance.dag_id, func.sum(Attempt.pool_slots))
        .join(Attempt, Attempt.id == TaskInstance.attempt_id)
        .join(Pool, Pool.name == Attempt.pool)
        .where(TaskInstance.state == TaskState.DEFERRED, Pool.include_deferred)
        .group_by(Attempt.pool, TaskInstance.dag_id)
    )
    return [DeferredSlots(pool, dag_id, int(slots)) for pool, dag_id, slots in tx.execute(query)]
