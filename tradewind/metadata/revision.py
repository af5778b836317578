"""Does the metadata DB have the schema that this code was written for? One small query, without Alembic.

Commands ask this before they do anything, so it must cost next to nothing; Alembic itself is imported by
``tradewind.metadata.migrate`` only when something is to be migrated. A test holds :data:`REVISIONS` equal to the files
in ``migrations/versions``.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from tradewind.errors import MetadataError
from tradewind.metadata.database import Database

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")
"""Every revision that this code knows, oldest first."""
HEAD: Final = REVISIONS[-1]
VERSION_TABLE: Final = "alembic_version"


def read_revision(tx: Connection) -> str | None:
    """Return the revision that the metadata DB is at, or None when no migration has ever been applied to it."""
    if not tx.dialect.has_table(tx, VERSION_TABLE):
        return None
    found = tx.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()
    return None if found is None else str(found)


def require_current(db: Database) -> None:
    """Return when the metadata DB can be used by this code as it is.

    Raises:
        MetadataError: it is missing, unreachable, not migrated, behind this code, or ahead of it.
    """
    try:
        db.check()
        with db.read() as tx:
            found = read_revision(tx)
    except DatabaseError as error:  # e.g. the file is not an SQLite database at all
        raise MetadataError(
            f"The metadata DB at {db.safe_url} cannot be read: {str(error.orig).strip()}. "
            "Check [database] sql_alchemy_conn: it must name a database of Tradewind."
        ) from error
    if found != HEAD:
        raise MetadataError(explain_mismatch(found, db.safe_url))


def explain_mismatch(found: str | None, url: str) -> str:
    """Return what is wrong with a metadata DB whose revision is not :data:`HEAD`, and the mend."""
    if found is None:
        return f"The metadata DB at {url} has not been set up yet. Run `tradewind db migrate`."
    if found in REVISIONS:
        return (
            f"The metadata DB at {url} is at revision {found}, and this version of Tradewind needs {HEAD}. "
            "Stop all Tradewind processes, make a copy of the database, and run `tradewind db migrate`."
        )
    return (
        f"The metadata DB at {url} is at revision {found}, which this version of Tradewind does not know "
        f"(its newest is {HEAD}): a newer Tradewind has migrated it, or it belongs to another program. Install the "
        "newer version again, or point [database] sql_alchemy_conn at another database."
    )
