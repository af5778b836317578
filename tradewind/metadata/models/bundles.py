"""Which tables hold the DAG folder as it was when runs began?"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base


class DagBundle(Base):
    """The DAG folder as it was at one moment. Which files it holds stands in ``manifest``, or in git."""

    __tablename__ = "dag_bundle"

    name: Mapped[str] = mapped_column(String(300), primary_key=True)  # BundleName
    manifest: Mapped[bytes | None]  # as model.bundles encodes it; null: git has it
    created_at: Mapped[datetime]
    left_at: Mapped[datetime | None] = mapped_column(index=True)  # since when another is the head; null: it is


class BundleContent(Base):
    """One file, kept once however many bundles hold it."""

    __tablename__ = "bundle_content"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes]  # compressed by zlib


class BundleHead(Base):
    """One row: the bundle that the schedulers read DAG files from now. Who saves DAGs of a bundle locks it first."""

    __tablename__ = "bundle_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(300), ForeignKey("dag_bundle.name"))
