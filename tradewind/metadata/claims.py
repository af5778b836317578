"""Which queued runs begin now? Many DAGs of which one run waits are dealt with at once; others one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import BindParameter, Connection, Row, Table, bindparam, func, select, update

from tradewind.metadata.models import Dag, DagRun, DagVersion
from tradewind.metadata.runs import IS_WAITING, claim_startable, is_startable_itself, queued_dags
from tradewind.model.states import RunState, RunType

_CHUNK: Final = 500


def claim_queued(tx: Connection, holder: UUID, limit: int) -> list[int]:
    """Claim the queued runs of all DAGs that have places, as :func:`tradewind.metadata.runs.claim_startable` does.

    The rows of the DAGs are locked by ascending id until the transaction ends.

    Args:
        limit: of one DAG at most so many.
    """
    dag_ids = sorted(queued_dags(tx))
    claimed: list[int] = []
    for first in range(0, len(dag_ids), _CHUNK):
        claimed.extend(_claim(tx, dag_ids[first : first + _CHUNK], holder, limit))
    return claimed


def _claim(tx: Connection, dag_ids: Sequence[str], holder: UUID, limit: int) -> list[int]:
    dags = tx.execute(_LOCK_DAGS, {"dag_ids": dag_ids}).all()
    running = {row.dag_id: row.runs for row in tx.execute(_RUNNING, {"dag_ids": dag_ids})}
    places = {dag.dag_id: min(limit, dag.max_active_runs - running.get(dag.dag_id, 0)) for dag in dags}
    free = [dag for dag in dags if places[dag.dag_id] > 0]
    easy = {dag.dag_id for dag in free if _is_plain(dag)}
    claimed = _claim_all(tx, easy, places, holder)
    for dag in free:
        if dag.dag_id not in easy:
            claimed.extend(claim_startable(tx, dag.dag_id, holder, limit))
    return claimed


def _is_plain(dag: Row[str, int, bool, bool, bool, bool]) -> bool:
    """Whether one run waits, and that the DAG has a place is all that it needs."""
    return not (dag.has_more or dag.is_paused or dag.holds_after_failure or dag.has_keys)


def _claim_all(tx: Connection, dag_ids: set[str], places: Mapping[str, int], holder: UUID) -> list[int]:
    if not dag_ids:
        return []
    taken: Counter[str] = Counter()
    pks = []
    for row in tx.execute(_STARTABLE, {"dag_ids": sorted(dag_ids)}):
        if taken[row.dag_id] < places[row.dag_id]:  # more may have come since they were looked at
            taken[row.dag_id] += 1
            pks.append(row.id)
    if pks:
        tx.execute(_TAKE, {"pks": pks, "b_holder": holder})
    return pks


_DAG_IDS: Final[BindParameter[Any]] = bindparam("dag_ids", expanding=True)
_RUNNING: Final = (
    select(DagRun.dag_id, func.count().label("runs"))
    .where(DagRun.dag_id.in_(_DAG_IDS), DagRun.state == RunState.RUNNING, DagRun.run_type != RunType.BACKFILL)
    .group_by(DagRun.dag_id)
)
_SECOND: Final = select(DagRun.id).where(DagRun.dag_id == Dag.dag_id, IS_WAITING).limit(1).offset(1).scalar_subquery()
_LOCK_DAGS: Final = (
    select(
        Dag.dag_id,
        Dag.max_active_runs,
        Dag.is_paused,
        Dag.holds_after_failure,
        DagVersion.concurrency.is_not(None).label("has_keys"),
        _SECOND.is_not(None).label("has_more"),
    )
    .outerjoin(DagVersion, DagVersion.id == Dag.version_id)
    .where(Dag.dag_id.in_(_DAG_IDS))
    .order_by(Dag.dag_id)
    .with_for_update(of=Dag)
)
_STARTABLE: Final = (
    select(DagRun.id, DagRun.dag_id)
    .where(DagRun.dag_id.in_(_DAG_IDS), is_startable_itself())
    .order_by(DagRun.run_after, DagRun.id)
    .with_for_update(skip_locked=True)
)
_RUN: Final = cast("Table", DagRun.__table__)
_TAKE: Final = (
    update(_RUN)
    .where(DagRun.id.in_(bindparam("pks", expanding=True)))
    .values(claimed_by=bindparam("b_holder"), fence=DagRun.fence + 1)
)
