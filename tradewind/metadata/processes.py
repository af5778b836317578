"""Statements about leases: which processes are alive? One heartbeat row for each, whatever it does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update

from tradewind.metadata.births import BORN, birth
from tradewind.metadata.models import DagRun, Process
from tradewind.metadata.revision import HEAD

REMEMBERED: Final = timedelta(days=7)
"""How long processes that have ended are kept for people to see."""
SCHEMA: Final = "schema"
"""In ``info``: the newest revision of the schema that the code of the process knows. Missing: older than 0013."""


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process and its lease."""

    id: UUID
    kind: str
    hostname: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    info: Mapping[str, Any]


_COLUMNS = (
    Process.id, Process.kind, Process.hostname, Process.pid, Process.started_at, Process.heartbeat_at,
    Process.expires_at, Process.ended_at, Process.info,
)  # fmt: skip


def register(
    tx: Connection,
    *,
    process_id: UUID,
    kind: str,
    hostname: str,
    pid: int,
    now: datetime,
    lease: timedelta,
    info: Mapping[str, Any],
) -> None:
    """Announce a process: a scheduler, worker, triggerer or web server."""
    tx.execute(
        insert(Process).values(
            id=process_id,
            kind=kind,
            hostname=hostname,
            pid=pid,
            started_at=now,
            heartbeat_at=now,
            expires_at=now + lease,
            info=_of_this_process(info),
        )
    )


def heartbeat(
    tx: Connection, process_id: UUID, now: datetime, lease: timedelta, info: Mapping[str, Any] | None = None
) -> bool:
    """Extend a lease. False: somebody has declared the process dead; it must give up all that it held.

    Args:
        info: what the process says of itself from now on. None: as before.
    """
    told = {} if info is None else {"info": _of_this_process(info)}
    result = tx.execute(
        update(Process)
        .where(Process.id == process_id, Process.ended_at.is_(None))
        .values(heartbeat_at=now, expires_at=now + lease, **told)
    )
    return result.rowcount == 1


def with_schema(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a process says of itself, with the schema that it was written for."""
    return {**info, SCHEMA: HEAD}


def _of_this_process(info: Mapping[str, Any]) -> dict[str, Any]:
    return with_schema({BORN: birth(os.getpid()), **info})


def revive(tx: Connection, process_id: UUID, now: datetime, lease: timedelta) -> None:
    """Begin a new lease for a process that was declared dead and lives; it holds nothing any more."""
    tx.execute(
        update(Process).where(Process.id == process_id).values(heartbeat_at=now, expires_at=now + lease, ended_at=None)
    )


def mark_ended(tx: Connection, ids: Sequence[UUID], now: datetime) -> None:
    """End leases at once: the process stopped, or was seen to be dead."""
    if ids:
        tx.execute(update(Process).where(Process.id.in_(ids), Process.ended_at.is_(None)).values(ended_at=now))


def end_expired(tx: Connection, kinds: Sequence[str], now: datetime) -> list[ProcessRecord]:
    """End the leases of processes of some kinds that gave no sign of life in time, and return them.

    From here on such a process is dead for everybody, and hears so with its next sign of life. One that gives it at
    this very moment is passed over.
    """
    query = (
        select(*_COLUMNS)
        .where(Process.kind.in_(kinds), Process.ended_at.is_(None), Process.expires_at <= now)
        .order_by(Process.id)
        .with_for_update(skip_locked=True)
    )
    found = [ProcessRecord(*row) for row in tx.execute(query)]
    mark_ended(tx, [process.id for process in found], now)
    return found


def list_processes(tx: Connection, *, kind: str | None = None, alive_at: datetime | None = None) -> list[ProcessRecord]:
    """Return processes, the newest first; with ``alive_at`` only those whose lease holds then."""
    query = select(*_COLUMNS)
    if kind is not None:
        query = query.where(Process.kind == kind)
    if alive_at is not None:
        query = query.where(Process.ended_at.is_(None), Process.expires_at > alive_at)
    rows = tx.execute(query.order_by(Process.started_at.desc(), Process.id))
    return [ProcessRecord(*row) for row in rows]


def older_than(tx: Connection, revision: str, now: datetime) -> list[ProcessRecord]:
    """Return the living processes whose code does not know of ``revision`` of the schema."""
    return [process for process in list_processes(tx, alive_at=now) if process.info.get(SCHEMA, "") < revision]


def prune(tx: Connection, before: datetime) -> None:
    """Forget processes whose lease ended before ``before`` and that hold no run."""
    held = select(DagRun.claimed_by).where(DagRun.claimed_by.is_not(None))
    tx.execute(delete(Process).where(Process.expires_at < before, Process.id.not_in(held)))
