"""How far is every limit used now? Counted in the metadata DB, under the lock that admission stands in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import Connection

from scheduler.admission import Usage
from tradewind.metadata.attempts import list_active
from tradewind.metadata.limits import deferred_slots, lock_pool_slots, pool_slots
from tradewind.model.orders import is_callback


def read_usage(
    tx: Connection,
    parallelism: int,
    executor_limits: Mapping[str, int | None],
    *,
    without: Collection[UUID] = (),
    deferring: Collection[UUID] = (),
    lock: bool,
) -> Usage:
    """Return the use of all limits.

    Args:
        without: attempts whose end is about to be written in the same transaction.
        deferring: those among them that keep the slots of their pool, if the pool says so.
        lock: take the pool rows, in the order of their names, so that no other scheduler counts until this
            transaction ends. Without it the answer is for people only.
    """
    pools = lock_pool_slots(tx) if lock else pool_slots(tx)
    usage = Usage(parallelism=parallelism, pools=pools.slots, executor_limits=executor_limits)
    for held in deferred_slots(tx) if pools.keeping else ():
        usage.hold(held.pool, held.dag_id, held.slots)
    for attempt in list_active(tx):
        if attempt.id in deferring and attempt.pool in pools.keeping:
            usage.hold(attempt.pool, attempt.dag_id, attempt.pool_slots)
        if attempt.id in without:
            continue
        if is_callback(attempt.id):
            usage.take_call(attempt.executor)
        else:
            usage.take(
                run_pk=attempt.run_pk,
                dag_id=attempt.dag_id,
                task_id=attempt.task_id,
                pool=attempt.pool,
                pool_slots=attempt.pool_slots,
                executor=attempt.executor,
            )
    return usage
