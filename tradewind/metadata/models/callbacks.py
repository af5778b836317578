"""Which table holds user code that hangs on a run or a task, and waits for a process to be called in?"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base, BigId, partial_index


class Callback(Base):
    """One call of user code that is due: written with what it hangs on, so that no crash forgets it."""

    __tablename__ = "callback"
    __table_args__ = (
        partial_index("ix_callback_waiting", "id", where="state = 'waiting'"),
        Index("ix_callback_run_pk", "run_pk"),
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
        CheckConstraint("(ended_at IS NOT NULL) = (state IN ('done', 'failed'))", name="ended_iff_final"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))  # run, task, deadline, reckoning, listener
    task_id: Mapped[str | None] = mapped_column(String(250))  # whose context it gets
    map_index: Mapped[int]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20))
    starts: Mapped[int]  # processes that were started for it
    losses: Mapped[int]  # of these, the ones that ended without a word
    attempt_id: Mapped[UUID | None]  # the newest
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None]
