"""Which connections are there? How to reach other systems, by name; every statement about them.

Password and extra pass through here as Fernet tokens; :func:`encrypt_connection` and :func:`decrypt_connection` change
between the stored form and the open one.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import Connection as Tx
from sqlalchemy import delete, insert, select, update

from tradewind.errors import UsageError
from tradewind.metadata.crypto import decrypt, encrypt
from tradewind.metadata.models import Connection

VALID_ID: Final = re.compile(r"[\w#!()\-.:/\\]{1,250}", re.ASCII)


class ConnectionRow(msgspec.Struct, frozen=True):
    """One connection. Whether ``password`` and ``extra`` are tokens or open text is said by who gives it."""

    conn_id: str
    conn_type: str
    description: str | None = None
    host: str | None = None
    schema: str | None = None
    login: str | None = None
    port: int | None = None
    password: str | None = None
    extra: str | None = None  # JSON text when open


_COLUMNS: Final = tuple(getattr(Connection, name) for name in ConnectionRow.__struct_fields__)


def get_connection(tx: Tx, conn_id: str) -> ConnectionRow | None:
    """Return a connection with its secrets as tokens, or None when there is no such connection."""
    row = tx.execute(select(*_COLUMNS).where(Connection.conn_id == conn_id)).one_or_none()
    return None if row is None else ConnectionRow(*row)


def list_connection_ids(tx: Tx) -> list[str]:
    """Return all connection ids in order."""
    return list(tx.execute(select(Connection.conn_id).order_by(Connection.conn_id)).scalars())


def list_connections(tx: Tx, *, after: str = "", limit: int = 1000) -> list[ConnectionRow]:
    """Return up to ``limit`` connections whose id sorts behind ``after``, in order, with their secrets as tokens."""
    query = select(*_COLUMNS).where(Connection.conn_id > after).order_by(Connection.conn_id).limit(limit)
    return [ConnectionRow(*row) for row in tx.execute(query)]


def set_connection(tx: Tx, row: ConnectionRow) -> bool:
    """Create the connection or replace it. Return whether it is new.

    Args:
        row: with its secrets as tokens.

    Raises:
        UsageError: the id is not one that can be named in a DAG file or an environment variable, or has no type.
    """
    if not VALID_ID.fullmatch(row.conn_id):
        raise UsageError(
            f"{row.conn_id!r} cannot be the id of a connection. Use 1 to 250 letters, digits and _ - . : / \\ # ! ( )."
        )
    if not row.conn_type:
        raise UsageError(f"Connection {row.conn_id!r} has no type. Say what it reaches, e.g. postgres, http or sqlite.")
    values = msgspec.structs.asdict(row)
    del values["conn_id"]
    if tx.execute(update(Connection).where(Connection.conn_id == row.conn_id).values(values)).rowcount:
        return False
    tx.execute(insert(Connection).values(conn_id=row.conn_id, **values))
    return True


def delete_connection(tx: Tx, conn_id: str) -> bool:
    """Delete a connection. Return False when there is no such connection."""
    return bool(tx.execute(delete(Connection).where(Connection.conn_id == conn_id)).rowcount)


def encrypt_connection(fernet: Fernet | MultiFernet, row: ConnectionRow) -> ConnectionRow:
    """Return the stored form of an open connection."""
    return msgspec.structs.replace(
        row,
        password=None if row.password is None else encrypt(fernet, row.password),
        extra=None if row.extra is None else encrypt(fernet, row.extra),
    )


def decrypt_connection(fernet: Fernet | MultiFernet, row: ConnectionRow) -> ConnectionRow:
    """Return the open form of a stored connection.

    Raises:
        MetadataError: no configured key fits.
    """
    what = f"connection {row.conn_id!r}"
    return msgspec.structs.replace(
        row,
        password=None if row.password is None else decrypt(fernet, row.password, what),
        extra=None if row.extra is None else decrypt(fernet, row.extra, what),
    )
