"""Does the metadata DB have the schema that this code was written for? One small query, without Alembic.

Commands ask this before they do anything, so it must cost next to nothing; Alembic itself is imported by
``tradewind.metadata.migrate`` only when something is to be migrated. A test holds :data:`REVISIONS` equal to the files
in ``migrations/versions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from tradewind.errors import MetadataError
from tradewind.metadata.database import Database

REVISIONS: Final = (
    "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012", "0013", "0014",
)  # fmt: skip
"""Every revision that this code knows, oldest first."""
POST: Final[Mapping[str, str]] = {}
"""Those that take something away -> the oldest revision that code must know of to do without it.

All others only add, so that the version before goes on beside this one. These are applied once none of it lives.
"""
HEAD: Final = REVISIONS[-1]
LEAST: Final = next(revision for revision in reversed(REVISIONS) if revision not in POST)
"""What this code needs. It works before and after those of :data:`POST` that come behind."""
FIRST_SIDE_BY_SIDE: Final = "0010"
"""The oldest revision whose code can stand beside that of a later one."""
VERSION_TABLE: Final = "alembic_version"
STATE_TABLE: Final = "schema_state"


def read_revision(tx: Connection) -> str | None:
    """Return the revision that the metadata DB is at, or None when no migration has ever been applied to it."""
    if not tx.dialect.has_table(tx, VERSION_TABLE):
        return None
    found = tx.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()
    return None if found is None else str(found)


def require_current(db: Database) -> None:
    """Return when the metadata DB can be used by this code as it is.

    That is at the revision of this code; between that and the last that it needs; or at a newer one that says of itself
    that it takes nothing away from this code.

    Raises:
        MetadataError: it is missing, unreachable, not migrated, behind this code, or too far ahead of it.
    """
    try:
        db.check()
        with db.read() as tx:
            trouble = what_is_wrong(tx, db.safe_url)
    except DatabaseError as error:  # e.g. the file is not an SQLite database at all
        raise MetadataError(
            f"The metadata DB at {db.safe_url} cannot be read: {str(error.orig).strip()}. "
            "Check [database] sql_alchemy_conn: it must name a database of Tradewind."
        ) from error
    if trouble:
        raise MetadataError(trouble)


def what_is_wrong(tx: Connection, url: str) -> str:
    """Return why this code cannot use the metadata DB, and the mend; empty when it can."""
    found = read_revision(tx)
    if found == HEAD:
        return ""
    if found in REVISIONS:
        return "" if REVISIONS.index(found) >= REVISIONS.index(LEAST) else explain_mismatch(found, url)
    works_from = None if found is None else read_works_from(tx)
    return "" if works_from in REVISIONS else explain_mismatch(found, url, works_from)


def read_works_from(tx: Connection) -> str | None:
    """Return the oldest revision that code must know of to use the metadata DB; None where that is not told."""
    if not tx.dialect.has_table(tx, STATE_TABLE):
        return None
    found = tx.execute(text(f"SELECT works_from FROM {STATE_TABLE}")).scalar_one_or_none()
    return None if found is None else str(found)


def note_works_from(tx: Connection, revision: str) -> None:
    """Write down for code that does not know ``revision``, at which the schema is now, whether it may use it."""
    if tx.dialect.has_table(tx, STATE_TABLE):
        passed = REVISIONS[: REVISIONS.index(revision) + 1]
        works_from = next((POST[one] for one in reversed(passed) if one in POST), FIRST_SIDE_BY_SIDE)
        tx.execute(text(f"UPDATE {STATE_TABLE} SET works_from = :works_from"), {"works_from": works_from})


def explain_mismatch(found: str | None, url: str, works_from: str | None = None) -> str:
    """Return what is wrong with a metadata DB that this code cannot use, and the mend.

    Args:
        works_from: what the metadata DB says of itself: :func:`read_works_from`.
    """
    if found is None:
        return f"The metadata DB at {url} has not been set up yet. Run `tradewind db migrate`."
    if found in REVISIONS:
        beside = REVISIONS.index(found) >= REVISIONS.index(FIRST_SIDE_BY_SIDE)
        meanwhile = (
            "Processes of the version before go on meanwhile" if beside else "Stop all Tradewind processes first"
        )
        return (
            f"The metadata DB at {url} is at revision {found}, and this version of Tradewind needs {LEAST}. "
            f"Make a copy of the database, and run `tradewind db migrate`. {meanwhile}."
        )
    if works_from is not None:
        return (
            f"The metadata DB at {url} is at revision {found}, which takes away what this version of Tradewind (its "
            f"newest is {HEAD}) needs: versions that know {works_from} can use it. Install one of them."
        )
    return (
        f"The metadata DB at {url} is at revision {found}, which this version of Tradewind does not know "
        f"(its newest is {HEAD}): a newer Tradewind has migrated it, or it belongs to another program. Install the "
        "newer version again, or point [database] sql_alchemy_conn at another database."
    )
