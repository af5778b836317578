"""Who is the first to log in? An ``admin`` account with a generated password, made when there is no account at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from tradewind.metadata.database import Database
from tradewind.metadata.users import count_users, create_user
from webui.auth.passwords import generate_password, hash_password

FIRST_ADMIN: Final = "admin"


def ensure_first_admin(db: Database) -> tuple[str, str] | None:
    """Create the first administrator and return name and password, which are shown once and kept nowhere.

    Returns None, and changes nothing, when any account exists.
    """
    with db.read() as tx:
        if count_users(tx):
            return None
    password = generate_password()
    password_hash = hash_password(password)
    with db.write() as tx:
        if count_users(tx):  # another process was first
            return None
        create_user(tx, FIRST_ADMIN, password_hash, "admin", datetime.now(UTC))
    return FIRST_ADMIN, password
