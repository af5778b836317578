"""Which variables are there? Values that tasks and people ask for by name; every statement about them.

Values pass through here as Fernet tokens: who holds the key encrypts and decrypts (``tradewind.metadata.crypto``).
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from tradewind.errors import UsageError
from tradewind.metadata.models import Variable

MAX_KEY_LENGTH = 250


class VariableRow(msgspec.Struct, frozen=True):
    """One variable as it is stored. ``token`` is the encrypted value."""

    key: str
    token: str
    description: str | None = None


def get_variable(tx: Connection, key: str) -> str | None:
    """Return the token of a variable, or None when there is no such variable."""
    return tx.execute(select(Variable.value).where(Variable.key == key)).scalar_one_or_none()


def get_variable_row(tx: Connection, key: str) -> VariableRow | None:
    """Return a variable with its description, or None."""
    row = tx.execute(
        select(Variable.key, Variable.value, Variable.description).where(Variable.key == key)
    ).one_or_none()
    return None if row is None else VariableRow(*row)


def list_variable_keys(tx: Connection) -> list[str]:
    """Return all keys in order."""
    return list(tx.execute(select(Variable.key).order_by(Variable.key)).scalars())


def list_variables(tx: Connection, *, after: str = "", limit: int = 1000) -> list[VariableRow]:
    """Return up to ``limit`` variables whose key sorts behind ``after``, in order."""
    query = select(Variable.key, Variable.value, Variable.description).where(Variable.key > after)
    return [VariableRow(*row) for row in tx.execute(query.order_by(Variable.key).limit(limit))]


def set_variable(tx: Connection, key: str, token: str, description: str | None = None) -> bool:
    """Create the variable or change its value. Return whether it is new.

    Args:
        token: the encrypted value.
        description: None keeps the one that is there.

    Raises:
        UsageError: the key is empty or too long.
    """
    if not key or len(key) > MAX_KEY_LENGTH:
        raise UsageError(f"The key of a variable has 1 to {MAX_KEY_LENGTH} characters; this one has {len(key)}.")
    values = {"value": token} if description is None else {"value": token, "description": description}
    if tx.execute(update(Variable).where(Variable.key == key).values(values)).rowcount:
        return False
    tx.execute(insert(Variable).values(key=key, value=token, description=description))
    return True


def delete_variable(tx: Connection, key: str) -> bool:
    """Delete a variable. Return False when there is no such variable."""
    return bool(tx.execute(delete(Variable).where(Variable.key == key)).rowcount)
