"""Which tables hold assets: what there is, who names it, what happened to it, and what consumers have not used yet?

``asset_pending`` is the cursor of every consumer: a row for each event that a DAG has not used. It is made in the
transaction of the event and deleted in the one that creates the run, so an event is used exactly once by each consumer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base, BigId, partial_index
from tradewind.metadata.types import JsonText

_NAME = 1500  # the longest that a name or URI may be, as in Airflow
_KEY = 250


class Asset(Base):
    """A piece of data by name and URI. It outlives the DAGs that name it: then it is not active."""

    __tablename__ = "asset"
    __table_args__ = (
        Index("ix_asset_name", "name", postgresql_using="hash"),
        Index("ix_asset_uri", "uri", postgresql_using="hash"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # of name and URI, which may be too long for an index
    name: Mapped[str] = mapped_column(String(_NAME))
    uri: Mapped[str] = mapped_column(String(_NAME))
    group_name: Mapped[str] = mapped_column(String(_NAME))
    extra: Mapped[dict[str, Any]]
    is_active: Mapped[bool]  # a DAG names it, or an alias stands for it; one active asset for each name and each URI
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class AssetAlias(Base):
    """A name for assets that only a running task knows."""

    __tablename__ = "asset_alias"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(_NAME), unique=True)
    group_name: Mapped[str] = mapped_column(String(_NAME))
    created_at: Mapped[datetime]


class AssetAliasTarget(Base):
    """An asset that was once reported through an alias."""

    __tablename__ = "asset_alias_target"

    alias_id: Mapped[int] = mapped_column(BigId, ForeignKey("asset_alias.id", ondelete="CASCADE"), primary_key=True)
    asset_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class AssetReference(Base):
    """Where the newest version of a DAG names an asset: in its schedule, as an outlet or as an inlet of a task.

    ``kind`` says by what: both name and URI ("asset"), one of the two ("name", "uri"), or an alias, whose name stands
    in ``name``. What is not said is empty.
    """

    __tablename__ = "asset_reference"
    __table_args__ = (
        UniqueConstraint("dag_id", "role", "task_id", "kind", "digest"),
        Index("ix_asset_reference_name", "name", postgresql_using="hash"),
        Index("ix_asset_reference_uri", "uri", postgresql_using="hash"),
        CheckConstraint("role IN ('schedule', 'outlet', 'inlet')", name="role"),
        CheckConstraint("kind IN ('asset', 'name', 'uri', 'alias')", name="kind"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    dag_id: Mapped[str] = mapped_column(String(_KEY), ForeignKey("dag.dag_id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(10))
    task_id: Mapped[str] = mapped_column(String(_KEY))  # empty for the schedule
    kind: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(64))  # of name and URI
    name: Mapped[str] = mapped_column(String(_NAME))
    uri: Mapped[str] = mapped_column(String(_NAME))
    created_at: Mapped[datetime]


class AssetWatcher(Base):
    """A trigger that makes an event of an asset whenever it fires; run by triggerers while the asset is active."""

    __tablename__ = "asset_watcher"
    __table_args__ = (UniqueConstraint("asset_id", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    asset_id: Mapped[int] = mapped_column(BigId, ForeignKey("asset.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(_NAME))
    trigger_path: Mapped[str] = mapped_column(String(1000))  # dotted path of the class
    trigger_kwargs: Mapped[str]  # JSON text as ``tradewind.xcom`` encodes it
    created_at: Mapped[datetime]
    claimed_by: Mapped[UUID | None]  # process.id of a triggerer


class AssetEvent(Base):
    """An asset was updated. Never changed. The source is a task, or nobody (somebody outside)."""

    __tablename__ = "asset_event"
    __table_args__ = (
        Index("ix_asset_event_asset_id", "asset_id", "id"),
        Index("ix_asset_event_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    asset_id: Mapped[int] = mapped_column(BigId, ForeignKey("asset.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    extra: Mapped[dict[str, Any]]
    source_dag_id: Mapped[str | None] = mapped_column(String(_KEY))
    source_run_id: Mapped[str | None] = mapped_column(String(_KEY))
    source_task_id: Mapped[str | None] = mapped_column(String(_KEY))
    source_map_index: Mapped[int]
    partition_key: Mapped[str | None] = mapped_column(String(_KEY))
    partition_date: Mapped[datetime | None]


class AssetEventAlias(Base):
    """An event that was reported through an alias."""

    __tablename__ = "asset_event_alias"

    event_id: Mapped[int] = mapped_column(BigId, ForeignKey("asset_event.id", ondelete="CASCADE"), primary_key=True)
    alias_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("asset_alias.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class AssetPending(Base):
    """An event that a consumer has not used yet.

    ``partition_key`` is the consumer's own, empty until it is known and for consumers that know no partitions.
    """

    __tablename__ = "asset_pending"
    __table_args__ = (partial_index("ix_asset_pending_new", "dag_id", where="is_new"),)

    dag_id: Mapped[str] = mapped_column(String(_KEY), ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True)
    event_id: Mapped[int] = mapped_column(BigId, ForeignKey("asset_event.id", ondelete="CASCADE"), primary_key=True)
    partition_key: Mapped[str] = mapped_column(String(_KEY), primary_key=True)
    counts: Mapped[bool]  # for the condition; an event that came while the DAG was paused is only handed on
    is_new: Mapped[bool]  # the condition has not been looked at since it came


class AssetEventUse(Base):
    """An event that a run was created for."""

    __tablename__ = "asset_event_use"

    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True)
    event_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("asset_event.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class AssetState(Base):
    """A value that tasks keep with an asset, from run to run."""

    __tablename__ = "asset_state"

    asset_id: Mapped[int] = mapped_column(BigId, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(_KEY), primary_key=True)
    value: Mapped[Any] = mapped_column(JsonText)
    updated_at: Mapped[datetime]
