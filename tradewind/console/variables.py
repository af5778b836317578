"""``tradewind variables``: values that tasks ask for by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from executors.runner.masking import MASK, Masker
from tradewind.console.files import read_mapping, shown_name, write_text
from tradewind.console.vault import Vault, open_vault
from tradewind.errors import NotFound, UsageError
from tradewind.metadata.crypto import decrypt, encrypt
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database
from tradewind.metadata.variables import (
    VariableRow,
    delete_variable,
    get_variable_row,
    list_variable_keys,
    list_variables,
    set_variable,
)
from tradewind.terminal.output import counted, emit, talk, to_json

PAGE = 1000


def list_all(show_values: bool, hide_sensitive: bool, output: str) -> None:
    """List the variables."""
    masker = Masker()

    def value_of(vault: Vault, row: VariableRow) -> str | None:
        if not show_values:
            return None
        return MASK if hide_sensitive and masker.is_sensitive(row.key) else _open(vault, row)

    with open_vault() as vault:
        masker.set_names(vault.config.core.sensitive_var_conn_names)
        rows = [{"key": row.key, "val": value_of(vault, row), "description": row.description} for row in _all(vault.db)]
    columns = ("key", "val", "description") if show_values else ("key", "description")
    emit(rows, columns, output, empty="There are no variables. Create one with `tradewind variables set KEY VALUE`.")


def get(key: str, default: str | None, as_json: bool) -> None:
    """Print the value of a variable."""
    with open_vault() as vault:
        with vault.db.read() as tx:
            row = get_variable_row(tx, key)
            if row is None and default is None:
                raise _unknown(key, list_variable_keys(tx))
        value = default if row is None else _open(vault, row)
    assert value is not None
    click.echo(to_json(_parse_json(key, value)) if as_json and row is not None else value)


def set_one(key: str, value: str, description: str | None, as_json: bool) -> None:
    """Create a variable or change its value."""
    if as_json:
        _parse_json(key, value)
    with open_vault() as vault:
        token = encrypt(vault.fernet, value)
        with vault.db.write() as tx:
            is_new = set_variable(tx, key, token, description)
    talk(f"Variable {key} {'created' if is_new else 'changed'}.")


def delete(key: str) -> None:
    """Delete a variable."""
    with open_database() as db, db.write() as tx:
        if not delete_variable(tx, key):
            raise _unknown(key, list_variable_keys(tx))
    talk(f"Variable {key} deleted.")


def import_file(file: str, action_on_existing_key: str) -> None:
    """Create variables from a JSON, YAML or .env file."""
    wanted = {key: _value_of(key, item) for key, item in read_mapping(file).items()}
    counts = {"created": 0, "changed": 0, "skipped": 0}
    with open_vault() as vault, vault.db.write() as tx:
        there = set(list_variable_keys(tx))
        taken = sorted(there & set(wanted))
        if taken and action_on_existing_key == "fail":
            raise UsageError(f"These variables exist already: {', '.join(taken)}. Nothing was imported.")
        for key, (value, description) in wanted.items():
            if key in there and action_on_existing_key == "skip":
                counts["skipped"] += 1
                continue
            is_new = set_variable(tx, key, encrypt(vault.fernet, value), description)
            counts["created" if is_new else "changed"] += 1
    talk(", ".join(f"{number} {what}" for what, number in counts.items()) + ".")


def export_file(file: str) -> None:
    """Write all variables to a file."""
    with open_vault() as vault:
        found: dict[str, Any] = {}
        for row in _all(vault.db):
            value = _json_or_text(_open(vault, row))
            found[row.key] = value if row.description is None else {"value": value, "description": row.description}
    write_text(file, to_json(found) + "\n")
    talk(f"{counted(len(found), 'variable')} exported to {shown_name(file)}.")


def _open(vault: Vault, row: VariableRow) -> str:
    return decrypt(vault.fernet, row.token, f"variable {row.key!r}")


def _all(db: Database) -> Iterator[VariableRow]:
    after = ""
    while True:
        with db.read() as tx:
            page = list_variables(tx, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].key


def _unknown(key: str, known: list[str]) -> NotFound:
    return NotFound("Variable", key, known, "`tradewind variables list` shows what there is.")


def _parse_json(key: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as error:
        raise UsageError(
            f"The value of variable {key!r} is not JSON: {error}. Leave out --json to take it as text."
        ) from error


def _value_of(key: str, item: Any) -> tuple[str, str | None]:
    description = None
    if isinstance(item, Mapping) and set(item) <= {"value", "description"} and "value" in item:
        description, item = item.get("description"), item["value"]
        if description is not None and not isinstance(description, str):
            raise UsageError(f"The description of variable {key!r} is not text.")
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False), description


def _json_or_text(value: str) -> Any:
    """Return what the value says when it is JSON that importing turns into the same text again, else the text."""
    try:
        parsed = json.loads(value)
    except ValueError:
        return value
    is_same = not isinstance(parsed, str) and json.dumps(parsed, ensure_ascii=False) == value
    is_wrapper = isinstance(parsed, dict) and "value" in parsed and set(parsed) <= {"value", "description"}
    return parsed if is_same and not is_wrapper else value
