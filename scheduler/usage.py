"""How far is every limit used now? Counted in the metadata DB, under the lock that admission stands in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from scheduler.admission import Usage, backfill_slots
from tradewind.metadata.attempts import list_active
from tradewind.metadata.limits import deferred_slots, lock_pool_slots, pool_slots
from tradewind.metadata.rates import read_rates
from tradewind.model.orders import is_callback
from tradewind.model.states import RunType


def read_usage(
    tx: Connection,
    parallelism: int,
    executor_limits: Mapping[str, int | None],
    *,
    backfill_share: float = 1.0,
    now: datetime | None = None,
    without: Collection[UUID] = (),
    deferring: Collection[UUID] = (),
    lock: bool,
) -> Usage:
    """Return the use of all limits.

    Args:
        backfill_share: how much of parallelism backfills may take.
        now: the instant at which rates are looked at; None: nobody asks for rates.
        without: attempts whose end is about to be written in the same transaction.
        deferring: those among them that keep the slots of their pool, if the pool says so.
        lock: take the pool rows, in the order of their names, so that no other scheduler counts until this
            transaction ends. Without it the answer is for people only.
    """
    pools = lock_pool_slots(tx) if lock else pool_slots(tx)
    usage = Usage(
        parallelism=parallelism,
        pools=pools.slots,
        executor_limits=executor_limits,
        backfill_slots=backfill_slots(parallelism, backfill_share),
    )
    if now is not None:
        usage.rates, usage.now = read_rates(tx), now
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
            usage.busy.add((attempt.run_pk, (attempt.task_id, attempt.map_index)))
            usage.take(
                run_pk=attempt.run_pk,
                dag_id=attempt.dag_id,
                task_id=attempt.task_id,
                pool=attempt.pool,
                pool_slots=attempt.pool_slots,
                executor=attempt.executor,
                is_backfill=attempt.run_type is RunType.BACKFILL,
                keys=attempt.keys or (),
            )
    return usage
