"""How far is every limit used now? Counted in the metadata DB, under the lock that admission stands in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import Connection

from scheduler.admission import Usage
from tradewind.metadata.attempts import list_active
from tradewind.metadata.limits import lock_pool_slots, pool_slots
from tradewind.model.orders import is_callback


def read_usage(
    tx: Connection,
    parallelism: int,
    executor_limits: Mapping[str, int | None],
    *,
    without: Collection[UUID] = (),
    lock: bool,
) -> Usage:
    """Return the use of all limits.

    Args:
        without: attempts whose end is about to be written in the same transaction.
        lock: take the pool rows, in the order of their names, so that no other scheduler counts until this
            transaction ends. Without it the answer is for people only.
    """
    slots = lock_pool_slots(tx) if lock else pool_slots(tx)
    usage = Usage(parallelism=parallelism, pools=slots, executor_limits=executor_limits)
    for attempt in list_active(tx):
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
