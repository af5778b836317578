"""Which tables say where the schedule of a DAG stands, beyond its own row and its runs?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base, partial_index
from tradewind.metadata.types import JsonText


class PassedTick(Base):
    """The newest tick of a DAG whose run was left out since another was under way: the schedule goes on behind it."""

    __tablename__ = "passed_tick"

    dag_id: Mapped[str] = mapped_column(String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True)
    run_after: Mapped[datetime]
    interval_start: Mapped[datetime]
    interval_end: Mapped[datetime]


class ComingRuns(Base):
    """What a parse process said of a DAG whose timetable is the user's own code: a window of its coming runs."""

    __tablename__ = "coming_runs"
    __table_args__ = (partial_index("ix_coming_runs_wanted_at", "wanted_at", where="wanted_at IS NOT NULL"),)

    dag_id: Mapped[str] = mapped_column(String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True)
    version_id: Mapped[int | None] = mapped_column(BigInteger)  # whose timetable was asked; null: none yet
    after_start: Mapped[datetime | None]  # the interval that the first of them follows; null: none
    after_end: Mapped[datetime | None]
    runs: Mapped[list[dict[str, Any]]] = mapped_column(JsonText, default=list)
    is_last: Mapped[bool]  # nothing follows the last of them
    error: Mapped[str | None]  # what the user's code said instead
    wanted_at: Mapped[datetime | None]  # since when somebody waits for more; null: nobody does
