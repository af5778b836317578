"""Which DAGs are there, and what do they say? Reading, pausing and deleting DAGs; the front of all that is about them.

What files do to DAGs stands in ``dag_files``, when DAGs are due in ``dag_schedule``; both can be had from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, delete, func, or_, select, update

from tradewind.errors import Conflict, NotFound
from tradewind.metadata.asset_references import delete_references, look_again
from tradewind.metadata.dag_files import (
    FileRow,
    ImportErrorRow,
    Saved,
    count_import_errors,
    list_active_paths,
    list_files,
    list_import_errors,
    list_warnings,
    remove_file,
    save_file,
)
from tradewind.metadata.dag_schedule import (
    clear_timer,
    compute_next,
    fire_key,
    next_run_after,
    next_run_after_last,
    pass_over,
    preview_runs,
    reschedule,
    set_next_run,
)
from tradewind.metadata.database import ring
from tradewind.metadata.models import Dag, DagFile, DagRun, DagSource, DagTag, DagVersion
from tradewind.metadata.source_text import encode_source
from tradewind.model.spec import DagSpec, decode_spec
from tradewind.model.states import RunState

__all__ = [
    "DagRow",
    "FileRow",
    "ImportErrorRow",
    "Saved",
    "VersionRow",
    "compute_next",
    "count_dags",
    "count_import_errors",
    "delete_dag",
    "find_dag",
    "fire_key",
    "get_dag",
    "list_active_paths",
    "list_dags",
    "list_files",
    "list_import_errors",
    "list_versions",
    "list_warnings",
    "load_newest_spec",
    "load_source",
    "load_spec",
    "next_run_after",
    "next_run_after_last",
    "pass_over",
    "preview_runs",
    "remove_file",
    "reschedule",
    "save_file",
    "set_next_run",
    "set_paused",
]

_ACTIVE_RUNS = (RunState.QUEUED, RunState.RUNNING)


class DagRow(msgspec.Struct, frozen=True, kw_only=True):
    """One DAG by name. ``next_*`` say what its next scheduled run will be; all None: there is none."""

    dag_id: str
    file_path: str
    is_active: bool  # false once its file no longer defines it
    is_paused: bool
    version_id: int | None  # the newest
    max_active_runs: int
    holds_after_failure: bool
    days_kept: float | None = None  # how long its runs are kept after their end; None: as configured
    description: str | None
    display_name: str | None
    schedule_summary: str
    owners: str
    tags: tuple[str, ...]
    created_at: datetime
    parsed_at: datetime
    next_run_after: datetime | None
    next_logical_date: datetime | None
    next_interval_start: datetime | None
    next_interval_end: datetime | None
    has_import_error: bool  # of its file: what is shown is the last good version


class VersionRow(msgspec.Struct, frozen=True):
    """One version of a DAG, without its spec."""

    id: int
    number: int
    hash: str
    source_digest: str
    file_path: str
    created_at: datetime


def find_dag(tx: Connection, dag_id: str) -> DagRow | None:
    """Return a DAG, active or not, or None."""
    return next(iter(_rows(tx, _select_dags().where(Dag.dag_id == dag_id))), None)


def get_dag(tx: Connection, dag_id: str) -> DagRow:
    """Return a DAG, active or not.

    Raises:
        NotFound: there is none; the nearest name is offered.
    """
    row = find_dag(tx, dag_id)
    if row is None:
        raise _unknown(tx, dag_id)
    return row


def list_dags(
    tx: Connection,
    *,
    pattern: str | None = None,
    id_pattern: str | None = None,
    tags: Sequence[str] = (),
    owner: str | None = None,
    is_paused: bool | None = None,
    include_inactive: bool = False,
    after: str = "",
    offset: int = 0,
    limit: int = 1000,
) -> list[DagRow]:
    """Return up to ``limit`` DAGs whose id sorts behind ``after``, by id, leaving out the first ``offset`` of them.

    Args:
        pattern: text that is part of the id or the display name, in any case of letters.
        id_pattern: the same of the id alone, with ``%`` for any text and ``_`` for any letter.
        tags: DAGs that have at least one of these.
        owner: text that is part of the owners.
    """
    query = _filtered(_select_dags(), pattern, id_pattern, tags, owner, is_paused, include_inactive)
    return _rows(tx, query.where(Dag.dag_id > after).order_by(Dag.dag_id).offset(offset).limit(limit))


def count_dags(
    tx: Connection,
    *,
    pattern: str | None = None,
    id_pattern: str | None = None,
    tags: Sequence[str] = (),
    owner: str | None = None,
    is_paused: bool | None = None,
    include_inactive: bool = False,
) -> int:
    """Return how many DAGs :func:`list_dags` would give, page by page."""
    query = select(func.count()).select_from(Dag)
    return int(tx.execute(_filtered(query, pattern, id_pattern, tags, owner, is_paused, include_inactive)).scalar_one())


def load_spec(tx: Connection, version_id: int) -> DagSpec:
    """Return what a DAG said at one version.

    Raises:
        NotFound: there is no such version.
    """
    spec = tx.execute(select(DagVersion.spec).where(DagVersion.id == version_id)).scalar_one_or_none()
    if spec is None:
        raise NotFound("DAG version", str(version_id))
    return decode_spec(spec)


def load_newest_spec(tx: Connection, dag_id: str) -> tuple[int, DagSpec]:
    """Return the id and the spec of the newest version of a DAG.

    Raises:
        NotFound: there is no such DAG.
    """
    query = select(DagVersion.id, DagVersion.spec).join(Dag, Dag.version_id == DagVersion.id)
    row = tx.execute(query.where(Dag.dag_id == dag_id)).one_or_none()
    if row is None:
        raise _unknown(tx, dag_id)
    return row.id, decode_spec(row.spec)


def load_source(tx: Connection, version_id: int) -> bytes:
    """Return the DAG file of a version, byte for byte.

    Raises:
        NotFound: there is no such version.
    """
    query = select(DagSource.source).join(DagVersion, DagVersion.source_digest == DagSource.digest)
    source = tx.execute(query.where(DagVersion.id == version_id)).scalar_one_or_none()
    if source is None:
        raise NotFound("DAG version", str(version_id))
    return encode_source(source)


def list_versions(tx: Connection, dag_id: str, *, limit: int = 100) -> list[VersionRow]:
    """Return up to ``limit`` versions of a DAG, the newest first."""
    version = DagVersion
    columns = (
        version.id,
        version.number,
        version.hash,
        version.source_digest,
        version.file_path,
        version.created_at,
    )
    query = select(*columns).where(version.dag_id == dag_id).order_by(version.number.desc()).limit(limit)
    return [VersionRow(*row) for row in tx.execute(query)]


def set_paused(tx: Connection, dag_id: str, paused: bool, now: datetime) -> bool:
    """Pause a DAG, or let it run again. Return False when it was so already.

    A paused DAG starts no scheduled runs; runs under way go on. When it goes on, its next run is computed from ``now``:
    without catchup the missed runs are passed over, with it they are made.

    Raises:
        NotFound: there is no such DAG.
    """
    was = tx.execute(select(Dag.is_paused).where(Dag.dag_id == dag_id).with_for_update()).scalar_one_or_none()
    if was is None:
        raise _unknown(tx, dag_id)
    if was == paused:
        return False
    tx.execute(update(Dag).where(Dag.dag_id == dag_id).values(is_paused=paused))
    if paused:
        clear_timer(tx, dag_id)
    else:
        reschedule(tx, dag_id, now)
        look_again(tx, dag_id)
    ring(tx, "dag")
    return True


def delete_dag(tx: Connection, dag_id: str) -> int:
    """Delete a DAG with its versions, runs, task instances, XComs and log. Return how many runs went.

    It comes back, without its history, when its file is read again.

    Raises:
        NotFound: there is no such DAG.
        Conflict: runs of it are under way.
    """
    found = tx.execute(select(Dag.dag_id).where(Dag.dag_id == dag_id).with_for_update()).scalar_one_or_none()
    if found is None:
        raise _unknown(tx, dag_id)
    active = select(func.count()).select_from(DagRun).where(DagRun.dag_id == dag_id, DagRun.state.in_(_ACTIVE_RUNS))
    under_way = tx.execute(active).scalar_one()
    if under_way:
        raise Conflict(
            f"DAG {dag_id!r} cannot be deleted: {under_way} of its runs are queued or running. Pause it and wait until "
            "they have ended, or end them first."
        )
    clear_timer(tx, dag_id)
    runs = tx.execute(delete(DagRun).where(DagRun.dag_id == dag_id)).rowcount
    delete_references(tx, dag_id)
    # Runs that retention is removing have no DAG any more, but a version, which is to go.
    versions = select(DagVersion.id).where(DagVersion.dag_id == dag_id)
    tx.execute(delete(DagRun).where(DagRun.version_id.in_(versions)))
    sources = select(DagVersion.source_digest).where(DagVersion.dag_id == dag_id).distinct()
    digests = list(tx.execute(sources).scalars())
    tx.execute(delete(Dag).where(Dag.dag_id == dag_id))  # its versions and tags go with it
    still_used = select(DagVersion.id).where(DagVersion.source_digest == DagSource.digest).exists()
    tx.execute(delete(DagSource).where(DagSource.digest.in_(digests), ~still_used))
    ring(tx, "dag")
    return runs


def _select_dags() -> Select[Any]:
    # An explicit list: ``select(Dag)`` would make objects of a session, which are not wanted here.
    error = DagFile.error.is_not(None).label("has_import_error")
    return select(*Dag.__table__.columns, error).join_from(Dag, DagFile, DagFile.path == Dag.file_path, isouter=True)


def _filtered(
    query: Select[Any],
    pattern: str | None,
    id_pattern: str | None,
    tags: Sequence[str],
    owner: str | None,
    is_paused: bool | None,
    include_inactive: bool,
) -> Select[Any]:
    if not include_inactive:
        query = query.where(Dag.is_active)
    if pattern:
        in_id = Dag.dag_id.icontains(pattern, autoescape=True)
        query = query.where(or_(in_id, Dag.display_name.icontains(pattern, autoescape=True)))
    if id_pattern:
        query = query.where(Dag.dag_id.ilike(f"%{id_pattern}%"))
    if tags:
        query = query.where(Dag.dag_id.in_(select(DagTag.dag_id).where(DagTag.name.in_(list(tags)))))
    if owner:
        query = query.where(Dag.owners.icontains(owner, autoescape=True))
    if is_paused is not None:
        query = query.where(Dag.is_paused == is_paused)
    return query


def _rows(tx: Connection, query: Select[Any]) -> list[DagRow]:
    found: list[Row[Any]] = list(tx.execute(query))
    tags: dict[str, list[str]] = {row.dag_id: [] for row in found}
    names = select(DagTag.dag_id, DagTag.name).where(DagTag.dag_id.in_(list(tags))).order_by(DagTag.dag_id, DagTag.name)
    for dag_id, name in tx.execute(names):
        tags[dag_id].append(name)
    return [_dag_row(row, tags[row.dag_id]) for row in found]


def _dag_row(row: Row[Any], tags: Sequence[str]) -> DagRow:
    values = {name: value for name, value in row._mapping.items() if name != "has_import_error"}
    return DagRow(**values, tags=tuple(tags), has_import_error=bool(row.has_import_error))


def _unknown(tx: Connection, dag_id: str) -> NotFound:
    known = tx.execute(select(Dag.dag_id).order_by(Dag.dag_id).limit(5000)).scalars()
    mend = "`tradewind dags list` shows what there is, `tradewind dags list-import-errors` the files that are broken."
    return NotFound("DAG", dag_id, list(known), mend)
