"""Which calls of user code hang on a run? Noting one, and showing them; ``callback_attempts`` has them made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from tradewind.metadata.database import ring
from tradewind.metadata.models import Callback
from tradewind.model.events import NO_MAP
from tradewind.run.view import TaskKey

RUN, TASK, DEADLINE, RECKONING, LISTENER = "run", "task", "deadline", "reckoning", "listener"
"""What a call hangs on: the end of a run; a task whose process could not call back itself; a deadline that has passed;
a deadline whose instant user code has to say; something that listeners want to hear."""

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True, slots=True)
class NewCallback:
    """A call to be made. ``key`` is the task instance whose context it gets, if any."""

    run_pk: int
    kind: str
    key: TaskKey | None
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallbackRecord:
    """One call as plain data, for people."""

    id: int
    run_pk: int
    kind: str
    task_id: str | None
    map_index: int
    payload: Mapping[str, Any]
    state: str
    starts: int
    losses: int
    created_at: datetime
    ended_at: datetime | None
    error: str | None


def put_callbacks(tx: Connection, callbacks: Sequence[NewCallback], now: datetime) -> None:
    """Note calls to be made, in the transaction of what they hang on, and ring the doorbell."""
    if not callbacks:
        return
    rows = [
        {
            "run_pk": new.run_pk,
            "kind": new.kind,
            "task_id": new.key[0] if new.key else None,
            "map_index": new.key[1] if new.key else NO_MAP,
            "payload": dict(new.payload),
            "state": WAITING,
            "starts": 0,
            "losses": 0,
            "created_at": now,
        }
        for new in callbacks
    ]
    tx.execute(insert(Callback), rows)
    ring(tx, "callback")


def list_callbacks(tx: Connection, run_pk: int) -> list[CallbackRecord]:
    """Return the calls that hang on a run, the oldest first."""
    columns = (
        Callback.id, Callback.run_pk, Callback.kind, Callback.task_id, Callback.map_index, Callback.payload,
        Callback.state, Callback.starts, Callback.losses, Callback.created_at, Callback.ended_at, Callback.error,
    )  # fmt: skip
    rows = tx.execute(select(*columns).where(Callback.run_pk == run_pk).order_by(Callback.id))
    return [CallbackRecord(*row) for row in rows]
