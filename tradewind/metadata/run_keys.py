"""Under which keys does a run stand, and is there a place? Keys span DAGs, so the lock of one DAG's row is not enough.

The keys of a run are worked out when it is made, and again when it is to start, as the newest version of its DAG says.
They are counted among the runs that run, under the one lock of admission (``limits.lock_pool_slots``). Locks are taken
in one order: rows of DAGs, of backfills, of pools, of runs. So whoever claims runs does that first, for all DAGs, and
calls :func:`let_go_of_others` behind it, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    bindparam,
    not_,
    or_,
    select,
    text,
    true,
    type_coerce,
    update,
)

from tradewind.metadata.limits import lock_pool_slots
from tradewind.metadata.models import Dag, DagRun, DagVersion
from tradewind.model.keys import RunLimits, render_all, run_facts
from tradewind.model.states import RunState

if TYPE_CHECKING:
    from tradewind.metadata.runs import NewRun, RunRecord

IS_ACTIVE: Final = text("dag_run.state IN ('queued', 'running')")
"""The condition of the index of runs that have not ended."""
_CHUNK: Final = 500


def facts_of_run(run: RunRecord | NewRun, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the names in a key stand for."""
    return run_facts(
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=run.run_type.value,
        run_after=run.run_after,
        logical_date=run.logical_date or run.input_date,
        data_interval_start=run.data_interval_start,
        data_interval_end=run.data_interval_end,
        partition_key=run.partition_key,
        conf=run.conf or {},
        defaults=defaults,
    )


def keys_of_new(tx: Connection, run: NewRun) -> list[str] | None:
    """Return the keys of a run that is being made, as its version has them; None: none."""
    limits = _read(tx.execute(_OF_VERSION, {"version_id": run.version_id}).scalar())
    return None if limits is None else _keys(render_all(limits.keys, facts_of_run(run, limits.defaults)))


def limits_of(tx: Connection, dag_id: str) -> RunLimits | None:
    """Return the keys of a DAG's runs, as its newest version has them; None: there are none."""
    query = select(DagVersion.concurrency).join(Dag, Dag.version_id == DagVersion.id).where(Dag.dag_id == dag_id)
    return _read(tx.execute(query).scalar())


def is_possible(limits: RunLimits, used: Mapping[str, int]) -> ColumnElement[bool]:
    """Return a condition on the queued runs of a DAG that leaves out most of those whose keys are used up."""
    most = max(key.limit for key in limits.keys)
    full = [key for key, count in used.items() if count >= most]
    if not full:
        return true()
    stored = type_coerce(DagRun.keys, Text)
    taken = or_(*(stored.contains(json_text(key), autoescape=True) for key in full))
    return or_(DagRun.keys.is_(None), not_(taken))


def take_place(run: RunRecord, limits: RunLimits | None, used: Counter[str]) -> bool:
    """Count a run under its keys if there is a place under each; return whether there was."""
    keys = keys_with_limits(run, limits)
    has_place = all(used[key] < limit for key, limit in keys)
    if has_place:
        used.update(key for key, _ in keys)
    return has_place


def keys_with_limits(run: RunRecord, limits: RunLimits | None) -> tuple[tuple[str, int], ...]:
    """Return the keys under which a run stands, as its DAG has them now, each with its limit."""
    return () if limits is None else render_all(limits.keys, facts_of_run(run, limits.defaults))


def json_text(key: str) -> str:
    """Return a key as it stands in the column."""
    return msgspec.json.encode(key).decode()


def read_running(tx: Connection) -> Counter[str]:
    """Return how many runs run under each key."""
    query = select(DagRun.keys).where(IS_ACTIVE, DagRun.state == RunState.RUNNING, DagRun.keys.is_not(None))
    return Counter(key for keys in tx.execute(query).scalars() for key in keys or ())


def standing_under_keys(tx: Connection, pks: Sequence[int]) -> list[int]:
    """Return those of some runs that have keys, or whose DAG has keys for its runs."""
    found: list[int] = []
    for first in range(0, len(pks), _CHUNK):
        query = (
            select(DagRun.id)
            .outerjoin(Dag, Dag.dag_id == DagRun.dag_id)
            .outerjoin(DagVersion, DagVersion.id == Dag.version_id)
            .where(DagRun.id.in_(pks[first : first + _CHUNK]))
            .where(or_(DagRun.keys.is_not(None), DagVersion.concurrency.is_not(None)))
        )
        found.extend(tx.execute(query).scalars())
    return found


def let_go_of_others(tx: Connection, claimed: Sequence[RunRecord]) -> set[int]:
    """Let go of those runs, of some just claimed, that have no place under all their keys; return which.

    The caller has locked all the rows of DAGs and backfills that it will lock.
    """
    lock_pool_slots(tx)
    used = read_running(tx)
    limits = {dag_id: limits_of(tx, dag_id) for dag_id in {run.dag_id for run in claimed}}
    stored: dict[int, list[str] | None] = {}
    dropped: set[int] = set()
    for run in claimed:
        said = limits[run.dag_id]
        mine = keys_with_limits(run, said)
        if _keys(mine) != run.keys:
            stored[run.pk] = _keys(mine)
        if not take_place(run, said, used):
            dropped.add(run.pk)
    _store_keys(tx, stored)
    if dropped:
        tx.execute(_LET_GO, [{"b_pk": pk} for pk in sorted(dropped)])
    return dropped


def blocker(tx: Connection, run: RunRecord) -> str | None:
    """Return which key keeps a queued run waiting, with the runs that use it; None: none does."""
    limits = limits_of(tx, run.dag_id)
    if limits is None:
        return None
    used = read_running(tx)
    for key, limit in keys_with_limits(run, limits):
        if used[key] >= limit:
            users = [f"{dag_id} {run_id}" for dag_id, run_id in list_users(tx, key, 3)]
            more = f" and {used[key] - len(users)} more" if used[key] > len(users) else ""
            return f"concurrency key {key!r} is used up: {used[key]} of {limit} runs ({', '.join(users)}{more})"
    return None


def list_users(tx: Connection, key: str, limit: int) -> list[tuple[str, str]]:
    """Return DAG id and run id of runs that run under a key, the oldest first."""
    stored = type_coerce(DagRun.keys, Text)
    query = (
        select(DagRun.dag_id, DagRun.run_id)
        .where(IS_ACTIVE, DagRun.state == RunState.RUNNING, stored.contains(json_text(key), autoescape=True))
        .order_by(DagRun.id)
        .limit(limit)
    )
    return [(row.dag_id, row.run_id) for row in tx.execute(query)]


def _read(stored: Any) -> RunLimits | None:
    return None if stored is None else msgspec.convert(stored, RunLimits)


def _keys(rendered: Sequence[tuple[str, int]]) -> list[str] | None:
    return [key for key, _ in rendered] or None


_OF_VERSION: Final = select(DagVersion.concurrency).where(DagVersion.id == bindparam("version_id"))
_RUN: Final = cast("Table", DagRun.__table__)
_STORE_KEYS: Final = update(_RUN).where(DagRun.id == bindparam("b_pk")).values(keys=bindparam("b_keys"))
_LET_GO: Final = update(_RUN).where(DagRun.id == bindparam("b_pk")).values(claimed_by=None)


def _store_keys(tx: Connection, keys: Mapping[int, list[str] | None]) -> None:
    if keys:
        tx.execute(_STORE_KEYS, [{"b_pk": pk, "b_keys": value} for pk, value in sorted(keys.items())])
