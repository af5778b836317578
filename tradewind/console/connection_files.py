"""``tradewind connections import`` and ``export``: connections in files, in the forms that Airflow reads and writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tradewind.console.connections import every_open, to_row
from tradewind.console.files import FORMATS, read_mapping, shown_name, write_text
from tradewind.console.vault import open_vault
from tradewind.errors import UsageError
from tradewind.metadata.connections import ConnectionRow, encrypt_connection, list_connection_ids, set_connection
from tradewind.sdk.connection import Connection
from tradewind.sdk.exceptions import AirflowException
from tradewind.terminal.options import file_format
from tradewind.terminal.output import counted, talk, to_json, to_yaml

PARTS: Final = ("conn_type", "description", "login", "password", "host", "port", "schema", "extra")


def import_file(file: str, overwrite: bool) -> None:
    """Create connections from a JSON, YAML or .env file."""
    wanted = [_read(conn_id, item) for conn_id, item in read_mapping(file).items()]
    created = changed = 0
    with open_vault() as vault, vault.db.write() as tx:
        there = set(list_connection_ids(tx))
        taken = [row.conn_id for row in wanted if row.conn_id in there]
        if taken and not overwrite:
            talk(f"Left as they are (--overwrite replaces them): {', '.join(taken)}.")
            wanted = [row for row in wanted if row.conn_id not in there]
        for row in wanted:
            is_new = set_connection(tx, encrypt_connection(vault.fernet, row))
            created, changed = created + is_new, changed + (not is_new)
    talk(f"{created} created, {changed} replaced.")


def export_file(file: str, given_format: str | None, serialization_format: str) -> None:
    """Write all connections to a file."""
    kind = file_format(file, FORMATS, given_format)
    with open_vault() as vault:
        found = list(every_open(vault))
    if kind == "env":
        as_json = serialization_format == "json"
        lines = [f"{one.conn_id}={one.as_json() if as_json else one.get_uri()}" for one in found]
        text = "".join(f"{line}\n" for line in lines)
    else:
        data = {str(one.conn_id): {name: getattr(one, name) for name in PARTS} for one in found}
        text = to_json(data) + "\n" if kind == "json" else to_yaml(data)
    write_text(file, text)
    talk(f"{counted(len(found), 'connection')} exported to {shown_name(file)}.")


def _read(conn_id: str, item: Any) -> ConnectionRow:
    try:
        if isinstance(item, str) and item.lstrip().startswith("{"):
            made = Connection.from_json(item, conn_id)
        elif isinstance(item, str):
            made = Connection(conn_id=conn_id, uri=item)
        elif isinstance(item, Mapping):
            made = Connection.from_json(json.dumps(item), conn_id)
        else:
            raise UsageError(f"Connection {conn_id!r} is neither a URI nor an object. Nothing was imported.")
    except AirflowException as error:
        raise UsageError(f"{error} Nothing was imported.") from error
    return to_row(conn_id, made)
