"""Statements about the limits that span runs: the slots of all pools, and the lock under which they are counted."""

from __future__ import annotations

from sqlalchemy import Connection, select

from tradewind.metadata.models import Pool


def pool_slots(tx: Connection) -> dict[str, int]:
    """Return the slots of every pool; -1 is no limit."""
    return {row.name: row.slots for row in tx.execute(select(Pool.name, Pool.slots))}


def lock_pool_slots(tx: Connection) -> dict[str, int]:
    """The same, holding the rows in the order of their names until the transaction ends.

    This is the one lock of admission: whoever holds it may count what is active and add to it. On SQLite the write
    transaction itself is that lock.
    """
    query = select(Pool.name, Pool.slots).order_by(Pool.name).with_for_update()
    return {row.name: row.slots for row in tx.execute(query)}
