"""Which tables hold what operators set, who may log in, and who did what?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base, BigId

# --- What operators set ----------------------------------------------------------------------------------------------


class Pool(Base):
    """A number of slots that tasks of any DAG share. ``slots`` -1: no limit."""

    __tablename__ = "pool"

    name: Mapped[str] = mapped_column(String(250), primary_key=True)
    slots: Mapped[int]
    description: Mapped[str]
    include_deferred: Mapped[bool]


class Variable(Base):
    """A value that tasks ask for by name; encrypted at rest."""

    __tablename__ = "variable"

    key: Mapped[str] = mapped_column(String(250), primary_key=True)
    value: Mapped[str]  # Fernet token
    description: Mapped[str | None]


class Connection(Base):
    """How to reach another system; password and extra are encrypted at rest."""

    __tablename__ = "connection"

    conn_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    conn_type: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None]
    host: Mapped[str | None]
    schema: Mapped[str | None]
    login: Mapped[str | None]
    port: Mapped[int | None]
    password: Mapped[str | None]  # Fernet token
    extra: Mapped[str | None]  # Fernet token


# --- People ----------------------------------------------------------------------------------------------------------


class User(Base):
    """Somebody who may log in. Roles: viewer, user, op, admin, each including those before it."""

    __tablename__ = "app_user"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    username: Mapped[str] = mapped_column(String(250), unique=True)
    password_hash: Mapped[str]  # argon2id
    role: Mapped[str] = mapped_column(String(20))
    is_active: Mapped[bool]
    created_at: Mapped[datetime]
    failed_logins: Mapped[int]
    locked_until: Mapped[datetime | None]


class Session(Base):
    """One login of one browser. The cookie holds a random token, this row only its hash."""

    __tablename__ = "session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("app_user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    user_agent: Mapped[str]
    address: Mapped[str]


class AuditEntry(Base):
    """Who did what from outside: command line, UI, REST."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str]  # user name
    via: Mapped[str] = mapped_column(String(20))  # cli, ui, rest_api
    action: Mapped[str] = mapped_column(String(60))  # e.g. "dag.pause"
    dag_id: Mapped[str | None] = mapped_column(String(250), index=True)
    run_id: Mapped[str | None] = mapped_column(String(250))
    task_id: Mapped[str | None] = mapped_column(String(250))
    detail: Mapped[dict[str, Any]]
