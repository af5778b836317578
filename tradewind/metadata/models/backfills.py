"""Which tables hold backfills? What was asked for, and how far each date has come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base, BigId, partial_index
from tradewind.metadata.types import JsonText


class Backfill(Base):
    """What somebody asked for. Its row is the lock under which its window is counted."""

    __tablename__ = "backfill"
    __table_args__ = (
        partial_index("ix_backfill_open", "id", where="completed_at IS NULL"),
        CheckConstraint("(completed_at IS NOT NULL) = (outcome IS NOT NULL)", name="outcome_iff_completed"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    dag_ids: Mapped[list[str]] = mapped_column(JsonText)
    from_date: Mapped[datetime]
    to_date: Mapped[datetime]
    conf: Mapped[dict[str, Any] | None] = mapped_column(JsonText)  # of every run; null: none was given
    reprocess_behavior: Mapped[str] = mapped_column(String(20))
    makes_missing: Mapped[bool]  # whether dates without a run get one
    max_active_runs: Mapped[int]
    run_backwards: Mapped[bool]
    run_on_latest_version: Mapped[bool]
    plan: Mapped[dict[str, Any]] = mapped_column(JsonText)  # waits_for, tasks, task_patterns: see BackfillPlan
    is_paused: Mapped[bool]
    reason: Mapped[str | None]  # why it was paused, if nobody asked for that; why it was cancelled
    created_at: Mapped[datetime]
    created_by: Mapped[str | None]
    updated_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]  # nothing of it waits or runs any more
    outcome: Mapped[str | None] = mapped_column(String(20))


class BackfillSlot(Base):
    """One date of one DAG within a backfill. Ordinals are the order of their turns, from 1."""

    __tablename__ = "backfill_slot"
    __table_args__ = (
        Index("ix_backfill_slot_state", "backfill_id", "state", "ordinal"),
        Index("ix_backfill_slot_dag_id", "dag_id", "backfill_id"),
        partial_index("ix_backfill_slot_asked", "backfill_id", where="asked_seq IS NOT NULL"),
        partial_index("ix_backfill_slot_run_pk", "run_pk", where="run_pk IS NOT NULL"),
    )

    backfill_id: Mapped[int] = mapped_column(BigId, ForeignKey("backfill.id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    dag_id: Mapped[str] = mapped_column(String(250))
    logical_date: Mapped[datetime | None]
    data_interval_start: Mapped[datetime | None]
    data_interval_end: Mapped[datetime | None]
    run_after: Mapped[datetime]
    partition_key: Mapped[str | None] = mapped_column(String(250))
    partition_date: Mapped[datetime | None]
    run_id: Mapped[str] = mapped_column(String(250))  # of its run, or of the one that is to be made
    run_pk: Mapped[int | None] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(String(20))  # SlotState
    reason: Mapped[str | None]  # why it was skipped or cancelled
    asked_seq: Mapped[int | None]  # next_seq of its run when that was asked to be done again; null once that is folded
