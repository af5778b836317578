"""Who may log in? Accounts by name, their password hashes, roles, and the lock after failed logins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from tradewind.errors import Conflict, NotFound, UsageError
from tradewind.metadata.models import Session, User

ROLES: Final = ("viewer", "user", "op", "admin")
"""From least to most; each role may do all that those before it may. viewer: read. user: also run and pause DAGs.
op: also change pools, variables and connections. admin: also manage accounts."""

FREE_FAILURES: Final = 3
"""Wrong passwords in a row that cost nothing; after them each one locks the account for twice as long as the last."""
LONG_LOCK_AFTER: Final = 10
LONG_LOCK: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Account:
    """One account, without anything secret."""

    id: int
    username: str
    role: str
    is_active: bool
    created_at: datetime
    failed_logins: int
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account with the hash that a password is checked against."""

    account: Account
    password_hash: str


def create_user(tx: Connection, username: str, password_hash: str, role: str, now: datetime) -> Account:
    """Add an account and return it.

    Raises:
        UsageError: the name is empty or longer than 250 characters, or the role is unknown.
        Conflict: the name is taken.
    """
    if not username or len(username) > 250 or username != username.strip():
        raise UsageError(
            f"{username!r} cannot be a user name: it needs 1 to 250 characters, without blanks at its ends."
        )
    check_role(role)
    if find_user(tx, username) is not None:
        raise Conflict(f"User {username!r} exists already. Choose another name, or reset the password of this one.")
    values = {
        "username": username,
        "password_hash": password_hash,
        "role": role,
        "is_active": True,
        "created_at": now,
        "failed_logins": 0,
    }
    tx.execute(insert(User).values(**values))
    return get_user(tx, username)


def check_role(role: str) -> None:
    """Raise :class:`UsageError` unless ``role`` is one of :data:`ROLES`."""
    if role not in ROLES:
        raise UsageError(f"{role!r} is not a role. Use one of {', '.join(ROLES)}.")


def find_user(tx: Connection, username: str) -> Credentials | None:
    """Return the account of that name with its hash, or None."""
    row = tx.execute(select(User.__table__).where(User.username == username)).one_or_none()
    return None if row is None else Credentials(_account(row), row.password_hash)


def get_user(tx: Connection, username: str) -> Account:
    """Return the account of that name.

    Raises:
        NotFound: there is none; a near name is offered.
    """
    found = find_user(tx, username)
    if found is None:
        known = [account.username for account in list_users(tx)]
        raise NotFound("User", username, known, "List them with `tradewind users list`.")
    return found.account


def list_users(tx: Connection) -> list[Account]:
    """Return all accounts, by name. There are as many as people, so they are not paged."""
    return [_account(row) for row in tx.execute(select(User.__table__).order_by(User.username))]


def count_users(tx: Connection) -> int:
    """Return how many accounts there are."""
    return tx.execute(select(func.count()).select_from(User)).scalar_one()


def set_password_hash(tx: Connection, username: str, password_hash: str) -> None:
    """Change a password, lift the lock, and end every session of the account."""
    account = get_user(tx, username)
    values = {"password_hash": password_hash, "failed_logins": 0, "locked_until": None}
    tx.execute(update(User).where(User.id == account.id).values(**values))
    tx.execute(delete(Session).where(Session.user_id == account.id))


def set_role(tx: Connection, username: str, role: str) -> None:
    """Change what an account may do; open sessions have the new role from their next request on."""
    check_role(role)
    account = get_user(tx, username)
    tx.execute(update(User).where(User.id == account.id).values(role=role))


def delete_user(tx: Connection, username: str) -> None:
    """Remove an account and its sessions. What it did stays in the audit log under its name."""
    account = get_user(tx, username)
    tx.execute(delete(Session).where(Session.user_id == account.id))
    tx.execute(delete(User).where(User.id == account.id))


def note_failed_login(tx: Connection, account_id: int, now: datetime) -> datetime | None:
    """Count a wrong password; return until when the account is locked, or None when it is not yet."""
    failures = tx.execute(
        update(User)
        .where(User.id == account_id)
        .values(failed_logins=User.failed_logins + 1)
        .returning(User.failed_logins)
    ).scalar_one()
    lock = lock_after(failures)
    locked_until = now + lock if lock else None
    tx.execute(update(User).where(User.id == account_id).values(locked_until=locked_until))
    return locked_until


def lock_after(failures: int) -> timedelta:
    """Return how long the account is locked after that many wrong passwords in a row.

    Nothing up to :data:`FREE_FAILURES`, then 1, 2, 4 ... seconds; from :data:`LONG_LOCK_AFTER` on :data:`LONG_LOCK`.
    """
    if failures >= LONG_LOCK_AFTER:
        return LONG_LOCK
    return timedelta(seconds=2 ** (failures - FREE_FAILURES - 1)) if failures > FREE_FAILURES else timedelta(0)


def note_login(tx: Connection, account_id: int) -> None:
    """Forget the failures of an account that has just logged in."""
    tx.execute(update(User).where(User.id == account_id).values(failed_logins=0, locked_until=None))


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(
        id=row.id,
        username=row.username,
        role=row.role,
        is_active=row.is_active,
        created_at=row.created_at,
        failed_logins=row.failed_logins,
        locked_until=row.locked_until,
    )
