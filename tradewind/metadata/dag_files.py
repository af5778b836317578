"""How does a DAG file get into the metadata DB, and out again? Every statement about files and the versions from them.

One file is one transaction. Its own row is locked first, then the rows of its DAGs by ascending ``dag_id``: any number
of processes may save files at the same time, and saving the same file twice is saving it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from tradewind.errors import TradewindError
from tradewind.metadata.asset_references import release_references, save_references
from tradewind.metadata.coming_runs import error_of
from tradewind.metadata.dag_schedule import clear_timer, next_run_after_last, set_next_run, unschedulable
from tradewind.metadata.database import ring
from tradewind.metadata.models import Dag, DagFile, DagSource, DagTag, DagVersion
from tradewind.metadata.source_text import decode_source
from tradewind.metadata.upsert import insert_missing, upsert
from tradewind.model.keys import run_limits
from tradewind.model.parsed import FileError, FileWarning, ParsedFile
from tradewind.model.spec import DagSpec, encode_spec, version_hash


class Saved(msgspec.Struct, frozen=True):
    """What saving a file changed."""

    changed: tuple[str, ...] = ()  # DAGs that are new, back, or have another version now
    removed: tuple[str, ...] = ()  # DAGs that the file no longer defines
    errors: tuple[FileError, ...] = ()  # those of the parse, and DAG ids that another file holds
    taken: tuple[str, ...] = ()  # these DAG ids


class ImportErrorRow(msgspec.Struct, frozen=True):
    """What is wrong with one DAG file."""

    path: str
    error: str
    line: int | None
    traceback: str | None
    parsed_at: datetime


class FileRow(msgspec.Struct, frozen=True):
    """One DAG file as it is known."""

    path: str
    digest: str
    parsed_at: datetime
    parse_seconds: float
    dag_count: int
    has_error: bool


def save_file(
    tx: Connection, parsed: ParsedFile, now: datetime, *, paused_at_creation: bool = True, bundle: str | None = None
) -> Saved:
    """Store what came of reading a DAG file: versions, DAGs, tags, next runs, timers, import error.

    A DAG whose spec and source are known keeps its version. With errors, the DAGs that are not in ``parsed.specs`` keep
    their last good version; without, they become inactive. A DAG id that an active DAG of another file holds stays with
    that file, and is an error of this one.

    Args:
        paused_at_creation: ``[core] dags_are_paused_at_creation``, for DAGs that do not say it themselves.
        bundle: the state of the DAG folder in which the file was read.
    """
    _write_file(tx, parsed, parsed.errors, now)
    specs = {spec.dag_id: spec for spec in sorted(parsed.specs, key=lambda spec: spec.dag_id)}
    rows = _lock_dags(tx, specs)
    if len(rows) < len(specs):
        unknown = [spec for dag_id, spec in specs.items() if dag_id not in rows]
        _insert_new_dags(tx, parsed.path, unknown, now, paused_at_creation)
        rows = _lock_dags(tx, specs)
    taken = {row.dag_id: row.file_path for row in rows.values() if row.is_active and row.file_path != parsed.path}
    mine = [spec for dag_id, spec in specs.items() if dag_id not in taken]
    errors = list(parsed.errors) + [_taken_error(dag_id, path) for dag_id, path in taken.items()]

    changed = []
    versions = _ensure_versions(tx, parsed, mine, bundle, now)
    for spec in mine:
        if _save_dag(tx, parsed.path, spec, versions[spec.dag_id], rows[spec.dag_id], now):
            changed.append(spec.dag_id)
            save_references(tx, spec, rows[spec.dag_id].version_id, now)
        try:
            set_next_run(tx, spec.dag_id, next_run_after_last(tx, spec, now))
            error_said = error_of(tx, spec.dag_id)
        except TradewindError as error:
            set_next_run(tx, spec.dag_id, None)
            error_said = str(error)
        if error_said is not None:
            errors.append(FileError(unschedulable(spec.dag_id, error_said)))
    removed = [] if parsed.errors else _deactivate(tx, parsed.path, keep=specs)
    if len(errors) != len(parsed.errors):
        _write_file(tx, parsed, errors, now)
    if changed or removed:
        ring(tx, "dag")
    return Saved(tuple(changed), tuple(removed), tuple(errors), tuple(taken))


def remove_file(tx: Connection, path: str) -> tuple[str, ...]:
    """Forget a DAG file: its DAGs become inactive and fire no more; their versions and runs stay. Return these DAGs."""
    tx.execute(delete(DagFile).where(DagFile.path == path))
    removed = _deactivate(tx, path, keep=())
    if removed:
        ring(tx, "dag")
    return tuple(removed)


def list_files(tx: Connection) -> list[FileRow]:
    """Return all DAG files that are known, by path."""
    columns = (DagFile.path, DagFile.digest, DagFile.parsed_at, DagFile.parse_seconds, DagFile.dag_count)
    query = select(*columns, DagFile.error.is_not(None)).order_by(DagFile.path)
    return [FileRow(*row) for row in tx.execute(query)]


def list_active_paths(tx: Connection) -> list[str]:
    """Return the files that active DAGs say they come from, by path."""
    return list(tx.execute(select(Dag.file_path).where(Dag.is_active).distinct().order_by(Dag.file_path)).scalars())


def list_import_errors(tx: Connection, *, after: str = "", limit: int = 1000) -> list[ImportErrorRow]:
    """Return up to ``limit`` files with an import error whose path sorts behind ``after``, by path."""
    columns = (DagFile.path, DagFile.error, DagFile.error_line, DagFile.traceback, DagFile.parsed_at)
    query = select(*columns).where(DagFile.error.is_not(None), DagFile.path > after)
    found = tx.execute(query.order_by(DagFile.path).limit(limit))
    return [ImportErrorRow(path, error or "", line, trace, at) for path, error, line, trace, at in found]


def count_import_errors(tx: Connection) -> int:
    """Return how many files have an import error."""
    return tx.execute(select(func.count()).select_from(DagFile).where(DagFile.error.is_not(None))).scalar_one()


def list_warnings(tx: Connection, *, dag_id: str | None = None, path: str | None = None) -> list[FileWarning]:
    """Return what was warned of when a file was last read, in the order of its happening; also with an import error.

    Args:
        dag_id: that of a DAG, for the file that it comes from.
        path: that of a file, as it is known in the metadata DB. Neither is given: the warnings of all files, by path.

    Returns:
        Empty for a DAG or file that is not known.
    """
    query = select(DagFile.warnings).order_by(DagFile.path)
    if dag_id is not None:
        query = query.join(Dag, Dag.file_path == DagFile.path).where(Dag.dag_id == dag_id)
    if path is not None:
        query = query.where(DagFile.path == path)
    return [msgspec.convert(one, FileWarning) for found in tx.execute(query).scalars() for one in found]


def _write_file(tx: Connection, parsed: ParsedFile, errors: Sequence[FileError], now: datetime) -> None:
    first = errors[0] if errors else None
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    details = [error.traceback or error.message for error in errors]
    values = {
        "digest": parsed.digest,
        "parsed_at": now,
        "parse_seconds": parsed.seconds,
        "dag_count": len(parsed.specs),
        "error": f"{first.message}{more}" if first else None,
        "error_line": first.line if first else None,
        "traceback": "\n\n".join(details) if details else None,
        "warnings": msgspec.to_builtins(parsed.warnings),
    }
    upsert(tx, DagFile, {"path": parsed.path}, values)


def _insert_new_dags(
    tx: Connection, path: str, specs: Iterable[DagSpec], now: datetime, paused_at_creation: bool
) -> None:
    """Make the rows of new DAGs, inactive for now. A row that another process makes meanwhile is left as it is."""
    fresh = []
    for spec in specs:
        own_wish = spec.is_paused_upon_creation
        columns = _columns(spec)
        columns.update(dag_id=spec.dag_id, file_path=path, is_active=False, version_id=None, created_at=now)
        columns.update(is_paused=paused_at_creation if own_wish is None else own_wish, parsed_at=now)
        fresh.append(columns)
    insert_missing(tx, Dag, fresh)


def _lock_dags(tx: Connection, dag_ids: Iterable[str]) -> dict[str, Any]:
    columns = (Dag.dag_id, Dag.file_path, Dag.is_active, Dag.version_id)
    query = select(*columns).where(Dag.dag_id.in_(list(dag_ids))).order_by(Dag.dag_id).with_for_update()
    return {row.dag_id: row for row in tx.execute(query)}


def _columns(spec: DagSpec) -> dict[str, Any]:
    return {
        "max_active_runs": spec.max_active_runs,
        "holds_after_failure": spec.holds_after_failure,
        "days_kept": spec.days_kept,
        "description": spec.description,
        "display_name": spec.display_name,
        "schedule_summary": spec.timetable.summary,
        "owners": ", ".join(sorted({task.owner for task in spec.tasks})),
    }


def _ensure_versions(
    tx: Connection, parsed: ParsedFile, specs: Sequence[DagSpec], bundle: str | None, now: datetime
) -> dict[str, int]:
    """Return the version id of each DAG; a spec and source seen before have one already."""
    hashes = {spec.dag_id: version_hash(spec, parsed.source) for spec in specs}
    columns = (DagVersion.dag_id, DagVersion.id, DagVersion.bundle)
    known = select(*columns).where(tuple_(DagVersion.dag_id, DagVersion.hash).in_(list(hashes.items())))
    rows = tx.execute(known).all()
    versions: dict[str, int] = {row.dag_id: row.id for row in rows}
    moved = [row.id for row in rows if row.bundle != bundle]
    if moved:
        tx.execute(update(DagVersion).where(DagVersion.id.in_(moved)).values(bundle=bundle))
    missing = [spec for spec in specs if spec.dag_id not in versions]
    if missing:
        insert_missing(tx, DagSource, [{"digest": parsed.digest, "source": decode_source(parsed.source)}])
    for spec in missing:
        # The row of the DAG is locked, so nobody else takes this number.
        newest = select(func.coalesce(func.max(DagVersion.number), 0)).where(DagVersion.dag_id == spec.dag_id)
        values = {
            "dag_id": spec.dag_id,
            "number": tx.execute(newest).scalar_one() + 1,
            "hash": hashes[spec.dag_id],
            "spec": encode_spec(spec).decode(),
            "source_digest": parsed.digest,
            "file_path": parsed.path,
            "created_at": now,
            "deadlines": msgspec.to_builtins(spec.deadlines) or None,
            "concurrency": run_limits(spec),
            "bundle": bundle,
        }
        versions[spec.dag_id] = tx.execute(insert(DagVersion).values(values).returning(DagVersion.id)).scalar_one()
    return versions


def _save_dag(tx: Connection, path: str, spec: DagSpec, version_id: int, row: Any, now: datetime) -> bool:
    """Bring the row of one DAG up to date. Return whether anything but the time of the parse changed."""
    this = Dag.dag_id == spec.dag_id
    if row.is_active and row.version_id == version_id and row.file_path == path:
        tx.execute(update(Dag).where(this).values(parsed_at=now))
        return False
    tx.execute(
        update(Dag)
        .where(this)
        .values(**_columns(spec), file_path=path, is_active=True, version_id=version_id, parsed_at=now)
    )
    tx.execute(delete(DagTag).where(DagTag.dag_id == spec.dag_id))
    insert_missing(tx, DagTag, [{"dag_id": spec.dag_id, "name": tag} for tag in sorted(set(spec.tags))])
    return True


def _deactivate(tx: Connection, path: str, keep: Iterable[str]) -> list[str]:
    kept = set(keep)
    query = select(Dag.dag_id).where(Dag.file_path == path, Dag.is_active).order_by(Dag.dag_id).with_for_update()
    gone = [dag_id for dag_id in tx.execute(query).scalars() if dag_id not in kept]
    for dag_id in gone:
        tx.execute(update(Dag).where(Dag.dag_id == dag_id).values(is_active=False))
        clear_timer(tx, dag_id)
    release_references(tx, gone)
    return gone


def _taken_error(dag_id: str, path: str) -> FileError:
    return FileError(
        f"DAG id {dag_id!r} is defined in {path} already; a DAG id belongs to one file. Give the DAG another dag_id "
        "here, or remove it there."
    )
