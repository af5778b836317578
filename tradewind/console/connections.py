"""``tradewind connections``: how to reach other systems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from executors.runner.masking import MASK
from tradewind.console.vault import Vault, open_vault
from tradewind.errors import Conflict, NotFound, UsageError
from tradewind.metadata.connections import (
    ConnectionRow,
    decrypt_connection,
    delete_connection,
    encrypt_connection,
    get_connection,
    list_connection_ids,
    list_connections,
    set_connection,
)
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database
from tradewind.sdk.connection import Connection
from tradewind.sdk.exceptions import AirflowException
from tradewind.terminal.output import emit, emit_record, talk

PAGE: Final = 1000
VALUES: Final = (
    "conn_id", "conn_type", "description", "host", "schema", "login", "password", "port", "extra_dejson", "get_uri",
)  # fmt: skip


def list_all(show_values: bool, hide_sensitive: bool, output: str) -> None:
    """List the connections."""
    with open_vault() as vault:
        if show_values:
            rows = [describe(decrypt_connection(vault.fernet, row), hide_sensitive) for row in every(vault.db)]
        else:
            rows = [{"conn_id": row.conn_id, "conn_type": row.conn_type, "host": row.host} for row in every(vault.db)]
    columns = VALUES if show_values else ("conn_id", "conn_type", "host")
    emit(
        rows,
        columns,
        output,
        empty="There are no connections. Create one with `tradewind connections add ID --conn-uri URI`.",
    )


def get(conn_id: str, output: str) -> None:
    """Show a connection, secrets included."""
    with open_vault() as vault:
        with vault.db.read() as tx:
            row = get_connection(tx, conn_id)
            if row is None:
                raise _unknown(conn_id, list_connection_ids(tx))
        found = describe(decrypt_connection(vault.fernet, row))
    if output == "table":
        emit_record(found, output)
    else:
        emit([found], VALUES, output)


def add(conn_id: str, conn_uri: str | None, conn_json: str | None, **parts: Any) -> None:
    """Create a connection."""
    row = _read_options(
        conn_id, conn_uri, conn_json, {name.removeprefix("conn_"): value for name, value in parts.items()}
    )
    with open_vault() as vault, vault.db.write() as tx:
        if get_connection(tx, conn_id) is not None:
            raise Conflict(
                f"Connection {conn_id!r} exists already. Delete it first with `tradewind connections delete {conn_id}`."
            )
        set_connection(tx, encrypt_connection(vault.fernet, row))
    talk(f"Connection {conn_id} created: {describe(row, hide=True)['get_uri']}")


def _read_options(conn_id: str, uri: str | None, as_json: str | None, parts: dict[str, Any]) -> ConnectionRow:
    given = {name: value for name, value in parts.items() if value is not None and name != "description"}
    ways = [name for name, used in (("--conn-uri", uri), ("--conn-json", as_json), ("--conn-type", given)) if used]
    if len(ways) != 1:
        problem = "These exclude each other: " + ", ".join(ways) if ways else "Nothing says what the connection is"
        raise UsageError(f"{problem}. Give --conn-uri, or --conn-json, or --conn-type and its companions.")
    try:
        if uri is not None:
            made = Connection(conn_id=conn_id, description=parts["description"], uri=uri)
        elif as_json is not None:
            made = Connection.from_json(as_json, conn_id)
        else:
            names = {"type": "conn_type"}
            made = Connection(conn_id=conn_id, **{names.get(name, name): value for name, value in parts.items()})
    except AirflowException as error:
        raise UsageError(str(error)) from error
    return to_row(conn_id, made)


def delete(conn_id: str) -> None:
    """Delete a connection."""
    with open_database() as db, db.write() as tx:
        if not delete_connection(tx, conn_id):
            raise _unknown(conn_id, list_connection_ids(tx))
    talk(f"Connection {conn_id} deleted.")


def to_row(conn_id: str, connection: Connection) -> ConnectionRow:
    """Return a connection as the metadata DB keeps it, still open."""
    if not connection.conn_type:
        raise UsageError(f"Connection {conn_id!r} has no type. Say what it reaches, e.g. postgres, http or sqlite.")
    return ConnectionRow(
        conn_id=conn_id,
        conn_type=connection.conn_type,
        description=connection.description,
        host=connection.host,
        schema=connection.schema,
        login=connection.login,
        port=connection.port,
        password=connection.password,
        extra=connection.extra,
    )


def to_connection(row: ConnectionRow) -> Connection:
    """Return an open row as the value that tasks get."""
    return Connection(
        row.conn_id, row.conn_type, row.description, row.host, row.login, row.password, row.schema, row.port, row.extra
    )


def every(db: Database) -> Iterator[ConnectionRow]:
    """Give all connections, page by page."""
    after = ""
    while True:
        with db.read() as tx:
            page = list_connections(tx, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].conn_id


def every_open(vault: Vault) -> Iterator[Connection]:
    """Give all connections, decrypted."""
    for row in every(vault.db):
        yield to_connection(decrypt_connection(vault.fernet, row))


def describe(row: ConnectionRow, hide: bool = False) -> dict[str, Any]:
    """Return what is shown of an open connection; with ``hide`` without its secrets."""
    if hide:
        row = ConnectionRow(
            row.conn_id, row.conn_type, row.description, row.host, row.schema, row.login, row.port,
            MASK if row.password else row.password, None,
        )  # fmt: skip
    connection = to_connection(row)
    return {
        "conn_id": row.conn_id,
        "conn_type": row.conn_type,
        "description": row.description,
        "host": row.host,
        "schema": row.schema,
        "login": row.login,
        "password": row.password,
        "port": row.port,
        "extra_dejson": MASK if hide else connection.extra_dejson,
        "get_uri": connection.get_uri().replace("%2A%2A%2A", MASK) if hide else connection.get_uri(),
    }


def _unknown(conn_id: str, known: list[str]) -> NotFound:
    return NotFound("Connection", conn_id, known, "`tradewind connections list` shows what there is.")
