"""Which browsers and clients are logged in? Sessions by the hash of their token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from tradewind.metadata.models import Session, User


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that holds now, and whose it is."""

    token_hash: str
    user_id: int
    username: str
    role: str
    seen_at: datetime


def open_session(
    tx: Connection, token_hash: str, user_id: int, now: datetime, lifetime: timedelta, user_agent: str, address: str
) -> None:
    """Store a new login; sessions that are over are removed on the way."""
    tx.execute(delete(Session).where(Session.expires_at <= now))
    values = {
        "token_hash": token_hash,
        "user_id": user_id,
        "created_at": now,
        "seen_at": now,
        "expires_at": now + lifetime,
        "user_agent": user_agent[:300],
        "address": address[:100],
    }
    tx.execute(insert(Session).values(**values))


def find_session(tx: Connection, token_hash: str, now: datetime) -> LiveSession | None:
    """Return the session of that token hash when it is not over and its account is active."""
    row = tx.execute(
        select(Session.token_hash, User.id, User.username, User.role, Session.seen_at)
        .join(User, User.id == Session.user_id)
        .where(Session.token_hash == token_hash, Session.expires_at > now, User.is_active)
    ).one_or_none()
    return None if row is None else LiveSession(*row)


def touch_session(tx: Connection, token_hash: str, now: datetime, lifetime: timedelta) -> None:
    """Put off the end of a session that is used; never beyond seven days after its login."""
    created_at = tx.execute(select(Session.created_at).where(Session.token_hash == token_hash)).scalar_one_or_none()
    if created_at is not None:
        expires_at = min(now + lifetime, created_at + timedelta(days=7))
        tx.execute(update(Session).where(Session.token_hash == token_hash).values(seen_at=now, expires_at=expires_at))


def close_session(tx: Connection, token_hash: str) -> None:
    """End a session. Unknown ones are ignored."""
    tx.execute(delete(Session).where(Session.token_hash == token_hash))
