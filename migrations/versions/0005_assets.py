"""Assets: what there is, who names it, what happened to it; and runs that are about a partition of an asset.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# SQLite gives rowid keys only to a column typed INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TYPES_BEFORE = "'scheduled', 'manual', 'backfill', 'asset_triggered'"
_TYPES_SINCE = "'scheduled', 'manual', 'backfill', 'operator_triggered', 'asset_triggered', 'asset_materialization'"


def upgrade() -> None:
    """Make the tables, and let a run say its partition and its new types."""
    op.add_column("dag_run", sa.Column("partition_key", sa.String(length=250), nullable=True))
    op.add_column("dag_run", sa.Column("partition_date", sa.DateTime(timezone=True), nullable=True))
    _set_run_types(_TYPES_BEFORE, _TYPES_SINCE)
    op.create_table(
        "asset",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=1500), nullable=False),
        sa.Column("uri", sa.String(length=1500), nullable=False),
        sa.Column("group_name", sa.String(length=1500), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("digest", name=op.f("uq_asset_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_asset_name", "asset", ["name"], unique=False, postgresql_using="hash")
    op.create_index("ix_asset_uri", "asset", ["uri"], unique=False, postgresql_using="hash")
    op.create_table(
        "asset_alias",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=1500), nullable=False),
        sa.Column("group_name", sa.String(length=1500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_alias")),
        sa.UniqueConstraint("name", name=op.f("uq_asset_alias_name")),
    )
    op.create_table(
        "asset_alias_target",
        sa.Column("alias_id", BIG_ID, nullable=False),
        sa.Column("asset_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["alias_id"],
            ["asset_alias.id"],
            name=op.f("fk_asset_alias_target_alias_id_asset_alias"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_alias_target_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alias_id", "asset_id", name=op.f("pk_asset_alias_target")),
    )
    op.create_index(op.f("ix_asset_alias_target_asset_id"), "asset_alias_target", ["asset_id"], unique=False)
    op.create_table(
        "asset_event",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("asset_id", BIG_ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("source_dag_id", sa.String(length=250), nullable=True),
        sa.Column("source_run_id", sa.String(length=250), nullable=True),
        sa.Column("source_task_id", sa.String(length=250), nullable=True),
        sa.Column("source_map_index", sa.Integer(), nullable=False),
        sa.Column("partition_key", sa.String(length=250), nullable=True),
        sa.Column("partition_date", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_event_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_event")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_asset_event_asset_id", "asset_event", ["asset_id", "id"], unique=False)
    op.create_index("ix_asset_event_at", "asset_event", ["at"], unique=False)
    op.create_table(
        "asset_reference",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("task_id", sa.String(length=250), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=1500), nullable=False),
        sa.Column("uri", sa.String(length=1500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('asset', 'name', 'uri', 'alias')", name=op.f("ck_asset_reference_kind")),
        sa.CheckConstraint("role IN ('schedule', 'outlet', 'inlet')", name=op.f("ck_asset_reference_role")),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_asset_reference_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_reference")),
        sa.UniqueConstraint(
            "dag_id",
            "role",
            "task_id",
            "kind",
            "digest",
            name=op.f("uq_asset_reference_dag_id_role_task_id_kind_digest"),
        ),
    )
    op.create_index("ix_asset_reference_name", "asset_reference", ["name"], unique=False, postgresql_using="hash")
    op.create_index("ix_asset_reference_uri", "asset_reference", ["uri"], unique=False, postgresql_using="hash")
    op.create_table(
        "asset_state",
        sa.Column("asset_id", BIG_ID, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_state_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asset_id", "key", name=op.f("pk_asset_state")),
    )
    op.create_table(
        "asset_watcher",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("asset_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=1500), nullable=False),
        sa.Column("trigger_path", sa.String(length=1000), nullable=False),
        sa.Column("trigger_kwargs", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_watcher_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_watcher")),
        sa.UniqueConstraint("asset_id", "name", name=op.f("uq_asset_watcher_asset_id_name")),
    )
    op.create_table(
        "asset_event_alias",
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("alias_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["alias_id"], ["asset_alias.id"], name=op.f("fk_asset_event_alias_alias_id_asset_alias"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["asset_event.id"], name=op.f("fk_asset_event_alias_event_id_asset_event"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", "alias_id", name=op.f("pk_asset_event_alias")),
    )
    op.create_index(op.f("ix_asset_event_alias_alias_id"), "asset_event_alias", ["alias_id"], unique=False)
    op.create_table(
        "asset_pending",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("partition_key", sa.String(length=250), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_asset_pending_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["asset_event.id"], name=op.f("fk_asset_pending_event_id_asset_event"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_id", "event_id", "partition_key", name=op.f("pk_asset_pending")),
    )
    op.create_index(
        "ix_asset_pending_new",
        "asset_pending",
        ["dag_id"],
        unique=False,
        postgresql_where=sa.text("is_new"),
        sqlite_where=sa.text("is_new"),
    )
    op.create_table(
        "asset_event_use",
        sa.Column("run_pk", BIG_ID, nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["asset_event.id"], name=op.f("fk_asset_event_use_event_id_asset_event"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_pk"], ["dag_run.id"], name=op.f("fk_asset_event_use_run_pk_dag_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_pk", "event_id", name=op.f("pk_asset_event_use")),
    )
    op.create_index(op.f("ix_asset_event_use_event_id"), "asset_event_use", ["event_id"], unique=False)


def downgrade() -> None:
    """Forget all assets and their events. Runs of a type that is not known any more become manual ones."""
    for table in (
        "asset_event_use",
        "asset_pending",
        "asset_event_alias",
        "asset_watcher",
        "asset_state",
        "asset_reference",
        "asset_event",
        "asset_alias_target",
        "asset_alias",
        "asset",
    ):
        op.drop_table(table)
    op.execute(
        "UPDATE dag_run SET run_type = 'manual' WHERE run_type IN ('operator_triggered', 'asset_materialization')"
    )
    _set_run_types(_TYPES_SINCE, _TYPES_BEFORE)
    op.drop_column("dag_run", "partition_date")
    op.drop_column("dag_run", "partition_key")


def _set_run_types(before: str, since: str) -> None:
    """Exchange the CHECK constraint. SQLite has no statement for it but the one that its manual gives for this case.

    Making the table anew would delete, by their foreign keys, all that hangs on its rows.
    """
    if op.get_context().dialect.name != "sqlite":
        op.execute("ALTER TABLE dag_run DROP CONSTRAINT ck_dag_run_run_type")
        op.execute(f"ALTER TABLE dag_run ADD CONSTRAINT ck_dag_run_run_type CHECK (run_type IN ({since}))")
        return
    old, new = (f"run_type IN ({types})".replace("'", "''") for types in (before, since))
    op.execute("PRAGMA writable_schema = ON")
    op.execute(f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = 'dag_run'")
    op.execute("PRAGMA writable_schema = RESET")
