"""Which versions of the code may work with the schema as it is?"""

from __future__ import annotations

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base


class SchemaState(Base):
    """One row, which code reads that does not know the revision of the schema, since that is newer than itself."""

    __tablename__ = "schema_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # always 1
    works_from: Mapped[str] = mapped_column(String(32))  # the oldest revision that code must know of
