"""Who did what from outside? Entries of the audit log; written in the transaction of the deed."""

from __future__ import annotations

from collections.abc import Mapping
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
