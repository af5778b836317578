"""Which tables hold the use of limits that cannot be counted from what is active?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base
from tradewind.metadata.types import JsonText


class RateLimit(Base):
    """A rate by name: the starts of late (``tradewind.model.rates``), and until when nobody starts at all."""

    __tablename__ = "rate_limit"

    name: Mapped[str] = mapped_column(String(250), primary_key=True)
    starts: Mapped[list[Any] | None] = mapped_column(JsonText)
    kept_seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")  # the longest window asked for
    paused_until: Mapped[datetime | None]
    paused_by: Mapped[str | None]  # which task was told to come back later, and why
    updated_at: Mapped[datetime]
