"""Who did what from outside? Entries of the audit log; written in the transaction of the deed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from tradewind.metadata.models import AuditEntry


def note(
    tx: Connection,
    now: datetime,
    *,
    actor: str,
    via: str,
    action: str,
    dag_id: str | None = None,
    run_id: str | None = None,
    task_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry.

    Args:
        actor: user name.
        via: cli, ui or rest_api.
        action: what was done, e.g. ``"dag.pause"``.
    """
    values = {
        "at": now, "actor": actor, "via": via, "action": action, "dag_id": dag_id, "run_id": run_id,
        "task_id": task_id, "detail": dict(detail or {}),
    }  # fmt: skip
    tx.execute(insert(AuditEntry).values(**values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One deed of many, as :func:`note` takes it."""

    actor: str
    via: str
    action: str
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def note_all(tx: Connection, now: datetime, entries: Sequence[Entry]) -> None:
    """Add many entries at once."""
    if entries:
        tx.execute(insert(AuditEntry), [{"at": now, **asdict(entry)} for entry in entries])
