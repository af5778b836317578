"""What do all tables share? Their base class, their column types, and how their constraints are named."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Enum,
    Index,
    Integer,
    MetaData,
    Text,
    Uuid,
    text,
)
from sqlalchemy.orm import DeclarativeBase

from tradewind.metadata.types import JsonText, UtcDateTime
from tradewind.model.states import AttemptState, RunState, RunType, TaskState

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite gives rowid keys only to a column typed INTEGER."""


def _state(enum: type[StrEnum], name: str) -> Enum:
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda e: [m.value for m in e],
    )


def partial_index(name: str, *columns: str, where: str) -> Index:
    """An index over the few rows that ``where`` holds for, on both databases."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


class Base(DeclarativeBase):
    """Names of constraints follow one convention, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it as a class attribute
        datetime: UtcDateTime,
        dict[str, Any]: JsonText,
        list[str]: JsonText,
        str: Text,
        UUID: Uuid,
        TaskState: _state(TaskState, "state"),
        RunState: _state(RunState, "state"),
        AttemptState: _state(AttemptState, "state"),
        RunType: _state(RunType, "run_type"),
    }
