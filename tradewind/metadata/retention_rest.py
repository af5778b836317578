"""What else grows old beside runs, and which of it does nobody need any more? Statements of retention about the rest.

Each kind is gone through page by page: a page is read, and then those of its rows are deleted that are still free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from tradewind.metadata.bundles import remove_bundles
from tradewind.metadata.dags import delete_dag
from tradewind.metadata.database import Database
from tradewind.metadata.models import (
    AssetEvent,
    AssetEventUse,
    AssetPending,
    AuditEntry,
    Backfill,
    BackfillSlot,
    Base,
    Callback,
    ComingRuns,
    Dag,
    DagBundle,
    DagRun,
    DagSource,
    DagVersion,
    Process,
    Session,
)
from tradewind.metadata.retention_runs import delete_some, next_dag


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be looked at.

    Attributes:
        before: older than that.
        dag_ids: only what belongs to these DAGs; None: everything.
        but: nothing that belongs to these.
    """

    before: datetime
    dag_ids: tuple[str, ...] | None = None
    but: tuple[str, ...] = ()

    @property
    def is_of_dags(self) -> bool:
        """Whether only what belongs to some DAGs is meant."""
        return self.dag_ids is not None or bool(self.but)

    def has(self, dag_id: str) -> bool:
        """Whether a DAG is meant."""
        return (self.dag_ids is None or dag_id in self.dag_ids) and dag_id not in self.but


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows that may go.

    Attributes:
        rows: those that are free to go.
        after: where the next page begins; None: this is the last one.
    """

    rows: Sequence[Mapping[str, Any]]
    after: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Kind:
    """One table that is cleaned by the age of its rows."""

    table: type[Base]
    key: InstrumentedAttribute[Any]
    at: InstrumentedAttribute[Any]  # how old a row is
    dag_id: Callable[[], Any] | None  # which DAG it belongs to
    is_free: Callable[[], ColumnElement[bool]] = true
    is_indexed: bool = True  # by age; a table without such an index is a small one


def _event_is_free() -> ColumnElement[bool]:
    """No DAG waits to use it, no run that is there was made for it, and it is not the last of its asset."""
    later = aliased(AssetEvent)
    return and_(
        ~exists().where(AssetPending.event_id == AssetEvent.id),
        ~exists().where(AssetEventUse.event_id == AssetEvent.id),
        exists().where(later.asset_id == AssetEvent.asset_id, later.id > AssetEvent.id),
    )


def _version_is_free() -> ColumnElement[bool]:
    """No run began with it, and it is not the newest of its DAG."""
    return and_(
        ~exists().where(DagRun.version_id == DagVersion.id),
        ~exists().where(Dag.version_id == DagVersion.id),
        ~exists().where(ComingRuns.version_id == DagVersion.id),
    )


def _bundle_is_free() -> ColumnElement[bool]:
    """No run began in it, and no version was in it last."""
    return and_(
        ~exists().where(DagRun.bundle == DagBundle.name),
        ~exists().where(DagVersion.bundle == DagBundle.name),
    )


def _dag_is_free() -> ColumnElement[bool]:
    """No file defines it any more, and it has no runs left."""
    return and_(~Dag.is_active, ~exists().where(DagRun.dag_id == Dag.dag_id))


KINDS: Final[Mapping[str, Kind]] = {
    "callback": Kind(
        Callback, Callback.id, Callback.ended_at,
        lambda: select(DagRun.dag_id).where(DagRun.id == Callback.run_pk).scalar_subquery(),
        lambda: Callback.state.in_(("done", "failed")), is_indexed=False,
    ),
    "asset_event": Kind(
        AssetEvent, AssetEvent.id, AssetEvent.at, lambda: AssetEvent.source_dag_id, _event_is_free
    ),
    "backfill": Kind(Backfill, Backfill.id, Backfill.completed_at, None, is_indexed=False),
    "audit": Kind(AuditEntry, AuditEntry.id, AuditEntry.at, lambda: AuditEntry.dag_id),
    "dag_version": Kind(
        DagVersion, DagVersion.id, DagVersion.created_at, lambda: DagVersion.dag_id, _version_is_free, is_indexed=False
    ),
    "dag_bundle": Kind(DagBundle, DagBundle.name, DagBundle.left_at, None, _bundle_is_free, is_indexed=False),
    "dag": Kind(Dag, Dag.dag_id, Dag.parsed_at, lambda: Dag.dag_id, _dag_is_free, is_indexed=False),
    "process": Kind(
        Process, Process.id, Process.expires_at, None, lambda: ~exists().where(DagRun.claimed_by == Process.id)
    ),
    "session": Kind(Session, Session.token_hash, Session.expires_at, None),
}  # fmt: skip
"""What is cleaned beside runs, in the order in which it is: what others need comes after them."""


HAS_PARTS: Final = frozenset({"backfill"})
"""What has rows of its own that go with it: such a page may take several calls of :func:`delete_page`."""


def read_page(tx: Connection, name: str, scope: Scope, after: tuple[Any, ...] | None, limit: int) -> Page:
    """Return the next page of a kind: at most ``limit`` rows are looked at.

    Args:
        after: what the page before said; None: this is the first.
    """
    kind = KINDS[name]
    order = (kind.at, kind.key) if kind.is_indexed else (kind.key,)
    # An explicit list: ``select(Table)`` would make objects of a session, which are not wanted here.
    # Nor its large values: no kind that has some is archived.
    columns = [column for column in kind.table.__table__.columns if not isinstance(column.type, LargeBinary)]
    query = select(*columns, kind.is_free().label("_is_free")).where(_is_old(kind, scope))
    if after is not None:
        query = query.where(tuple_(*order) > after)
    rows = [dict(row._mapping) for row in tx.execute(query.order_by(*order).limit(limit))]
    last = None if len(rows) < limit else tuple(rows[-1][column.key] for column in order)
    free = [row for row in rows if row.pop("_is_free") and _fits(name, row, scope)]
    return Page(free, last)


def _is_old(kind: Kind, scope: Scope) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [kind.at < scope.before]
    if kind.dag_id is not None and scope.dag_ids is not None:
        conditions.append(kind.dag_id().in_(scope.dag_ids))
    if kind.dag_id is not None and scope.but:
        column = kind.dag_id()
        conditions.append(or_(column.is_(None), column.not_in(scope.but)))
    return and_(*conditions)


def _fits(name: str, row: Mapping[str, Any], scope: Scope) -> bool:
    """A backfill may be of several DAGs: all of them must be meant."""
    return name != "backfill" or all(scope.has(dag_id) for dag_id in row["dag_ids"])


def delete_page(tx: Connection, name: str, rows: Sequence[Mapping[str, Any]], scope: Scope, limit: int) -> int:
    """Delete the rows of a page that are still free to go; return how many went."""
    kind = KINDS[name]
    keys = [row[kind.key.key] for row in rows]
    if not keys:
        return 0
    chosen = and_(kind.key.in_(keys), kind.at < scope.before, kind.is_free())
    if name == "dag":
        return _delete_dags(tx, chosen)
    if name == "dag_version":
        return _delete_versions(tx, chosen)
    if name == "backfill":
        return _delete_backfills(tx, keys, limit)
    if name == "dag_bundle":
        return remove_bundles(tx, chosen)
    return tx.execute(delete(kind.table).where(chosen)).rowcount


def _delete_dags(tx: Connection, chosen: ColumnElement[bool]) -> int:
    gone = list(tx.execute(select(Dag.dag_id).where(chosen).order_by(Dag.dag_id).with_for_update()).scalars())
    for dag_id in gone:
        delete_dag(tx, dag_id)
    return len(gone)


def _delete_versions(tx: Connection, chosen: ColumnElement[bool]) -> int:
    """Delete versions, and the files that no version has any more."""
    # Whoever makes a version, or a run of one, holds the row of its DAG, and so do we.
    dags = select(DagVersion.dag_id).where(chosen)
    tx.execute(select(Dag.dag_id).where(Dag.dag_id.in_(dags)).order_by(Dag.dag_id).with_for_update())
    digests = tx.execute(delete(DagVersion).where(chosen).returning(DagVersion.source_digest)).scalars().all()
    is_used = exists().where(DagVersion.source_digest == DagSource.digest)
    tx.execute(delete(DagSource).where(DagSource.digest.in_(set(digests)), ~is_used))
    return len(digests)


def _delete_backfills(tx: Connection, keys: Sequence[int], limit: int) -> int:
    """Delete backfills, with what they noted of each date; what is more than ``limit`` is left for the next call."""
    gone = 0
    for key in keys:
        left = limit - gone
        slots = delete_some(tx, BackfillSlot, BackfillSlot.backfill_id == key, left) if left > 0 else 0
        gone += slots
        if slots >= left:
            return gone
        tx.execute(delete(Backfill).where(Backfill.id == key))
        gone += 1
    return gone


def count(tx: Connection, name: str, scope: Scope) -> int:
    """Return how many rows of a kind may go."""
    kind = KINDS[name]
    if name == "backfill":
        return len(read_page(tx, name, scope, None, 1_000_000).rows)
    query = select(func.count()).select_from(kind.table).where(_is_old(kind, scope), kind.is_free())
    return int(tx.execute(query).scalar_one())


def days_kept(tx: Connection) -> dict[str, float]:
    """Return how many days DAGs keep their runs that say so themselves."""
    query = select(Dag.dag_id, Dag.days_kept).where(Dag.days_kept.is_not(None))
    return {row.dag_id: float(row.days_kept) for row in tx.execute(query)}


def known_dags(tx: Connection) -> set[str]:
    """Return the ids of all DAGs, and of those of which there are but runs left."""
    known = set(tx.execute(select(Dag.dag_id)).scalars())
    last = next_dag(tx, "")
    while last is not None:
        known.add(last)
        last = next_dag(tx, last)
    return known


def file_size(db: Database) -> tuple[int, int]:
    """Return how large the file of an SQLite database is, and how much of it is free, in bytes."""
    with db.read() as tx:
        size, pages, free = (
            int(tx.execute(text(f"PRAGMA {name}")).scalar_one())
            for name in ("page_size", "page_count", "freelist_count")
        )
    return size * pages, size * free
