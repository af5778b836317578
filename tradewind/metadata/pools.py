"""Which pools are there, and how full are they? Every statement about pools that people read and set."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tradewind.errors import Conflict, UsageError
from tradewind.metadata.models import Attempt, Pool
from tradewind.model.states import ACTIVE_ATTEMPT_STATES, AttemptState

DEFAULT_POOL: Final = "default_pool"
UNLIMITED: Final = -1
MAX_NAME_LENGTH: Final = 250


class PoolData(msgspec.Struct, frozen=True):
    """One pool as people set it. ``slots`` -1: no limit."""

    name: str
    slots: int
    description: str = ""
    include_deferred: bool = False


class PoolUse(msgspec.Struct, frozen=True):
    """How many slots of a pool are taken now."""

    running: int = 0
    queued: int = 0


def ensure_default_pool(tx: Connection, slots: int) -> None:
    """Create ``default_pool`` when it is not there; leave it as it is when it is."""
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    values = {"name": DEFAULT_POOL, "slots": slots, "description": "Default pool", "include_deferred": False}
    tx.execute(make(Pool).values(values).on_conflict_do_nothing())


def list_pools(tx: Connection) -> list[PoolData]:
    """Return all pools by name. There are few: people make them by hand."""
    rows = tx.execute(select(Pool.name, Pool.slots, Pool.description, Pool.include_deferred).order_by(Pool.name))
    return [PoolData(*row) for row in rows]


def get_pool(tx: Connection, name: str) -> PoolData | None:
    """Return one pool, or None when there is no such pool."""
    query = select(Pool.name, Pool.slots, Pool.description, Pool.include_deferred).where(Pool.name == name)
    row = tx.execute(query).one_or_none()
    return None if row is None else PoolData(*row)


def set_pool(tx: Connection, pool: PoolData) -> bool:
    """Create the pool or change it to what is given. Return whether it is new.

    Fewer slots than are taken now stops nothing that runs: new tasks wait until enough have ended.

    Raises:
        UsageError: the name is empty or too long, or ``slots`` is below -1.
    """
    if not pool.name or len(pool.name) > MAX_NAME_LENGTH:
        raise UsageError(f"A pool name has 1 to {MAX_NAME_LENGTH} characters; this one has {len(pool.name)}.")
    if pool.slots < UNLIMITED:
        raise UsageError(f"Pool {pool.name!r} cannot have {pool.slots} slots. Give 0 or more, or -1 for no limit.")
    values = {"slots": pool.slots, "description": pool.description, "include_deferred": pool.include_deferred}
    if tx.execute(update(Pool).where(Pool.name == pool.name).values(values)).rowcount:
        return False
    tx.execute(insert(Pool).values(name=pool.name, **values))
    return True


def delete_pool(tx: Connection, name: str) -> bool:
    """Delete a pool. Return False when there is no such pool.

    Raises:
        Conflict: it is ``default_pool``, or attempts hold slots of it now.
    """
    if name == DEFAULT_POOL:
        raise Conflict(
            f"Pool {name!r} cannot be deleted: it serves every task that names no pool. Change its slots instead."
        )
    busy = _count_active(tx, name)
    if busy:
        raise Conflict(
            f"Pool {name!r} cannot be deleted while {busy} of its tasks are queued or running. Wait for them to end."
        )
    return bool(tx.execute(delete(Pool).where(Pool.name == name)).rowcount)


def pool_use(tx: Connection) -> dict[str, PoolUse]:
    """Return what is taken of each pool that has active attempts. One pass over the index of active attempts."""
    running = func.sum(case((Attempt.state == AttemptState.QUEUED, 0), else_=Attempt.pool_slots))
    queued = func.sum(case((Attempt.state == AttemptState.QUEUED, Attempt.pool_slots), else_=0))
    query = select(Attempt.pool, running, queued).where(Attempt.state.in_(ACTIVE_ATTEMPT_STATES)).group_by(Attempt.pool)
    return {name: PoolUse(running=int(run), queued=int(wait)) for name, run, wait in tx.execute(query)}


def _count_active(tx: Connection, name: str) -> int:
    query = select(func.count()).select_from(Attempt)
    return int(tx.execute(query.where(Attempt.pool == name, Attempt.state != AttemptState.ENDED)).scalar_one())
