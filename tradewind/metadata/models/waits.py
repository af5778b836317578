"""Which tables hold what tasks wait for without a slot: triggers, and questions to people?"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base, BigId, partial_index
from tradewind.metadata.types import JsonText


class TriggerWait(Base):
    """A trigger that must run until it fires. The row is gone once its run has been told.

    Whoever runs it has claimed it; a claim of a process whose lease is over counts for nothing. ``dropped`` is set when
    nobody waits any more: the claimer ends the trigger, and removes the row.
    """

    __tablename__ = "trigger_wait"
    __table_args__ = (
        partial_index("ix_trigger_wait_free", "created_at", where="claimed_by IS NULL"),
        partial_index("ix_trigger_wait_dropped", "claimed_by", where="dropped IS NOT NULL"),
    )

    attempt_id: Mapped[UUID] = mapped_column(primary_key=True)  # the attempt that let go of its slot
    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"), index=True)
    trigger: Mapped[str]  # dotted path of its class
    kwargs: Mapped[str | None]  # JSON text of tradewind.xcom
    queue: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]  # the task is told of a timeout then
    claimed_by: Mapped[UUID | None] = mapped_column(index=True)  # process.id of a triggerer
    dropped: Mapped[str | None] = mapped_column(String(20))  # why: timeout, or cancelled


class Question(Base):
    """What a task asks of a person, and what became of it. Kept for as long as its run."""

    __tablename__ = "question"
    __table_args__ = (
        partial_index("ix_question_open", "created_at", where="state = 'open'"),
        Index("ix_question_run_pk", "run_pk", "task_id", "map_index"),
        CheckConstraint("(ended_at IS NULL) = (state = 'open')", name="ended_iff_not_open"),
    )

    attempt_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"))
    task_id: Mapped[str] = mapped_column(String(250))
    map_index: Mapped[int]
    try_number: Mapped[int]
    subject: Mapped[str]
    body: Mapped[str | None]
    options: Mapped[list[str]] = mapped_column(JsonText)
    defaults: Mapped[list[str] | None] = mapped_column(JsonText)
    multiple: Mapped[bool]
    params: Mapped[dict[str, Any]] = mapped_column(JsonText)  # name -> value (the default), description, schema
    assignees: Mapped[list[str]] = mapped_column(JsonText)
    created_at: Mapped[datetime] = mapped_column(index=True)
    due_at: Mapped[datetime | None]  # no answer counts after it
    state: Mapped[str] = mapped_column(String(20))  # open, answered, timed_out, withdrawn
    ended_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]  # user name; None: the defaults, or nobody
    chosen: Mapped[list[str] | None] = mapped_column(JsonText)
    params_input: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
