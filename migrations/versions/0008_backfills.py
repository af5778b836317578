"""Backfills, and how far each of their dates has come.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "backfill",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("dag_ids", sa.Text(), nullable=False),
        sa.Column("from_date", _INSTANT, nullable=False),
        sa.Column("to_date", _INSTANT, nullable=False),
        sa.Column("conf", sa.Text(), nullable=True),
        sa.Column("reprocess_behavior", sa.String(20), nullable=False),
        sa.Column("makes_missing", sa.Boolean(), nullable=False),
        sa.Column("max_active_runs", sa.Integer(), nullable=False),
        sa.Column("run_backwards", sa.Boolean(), nullable=False),
        sa.Column("run_on_latest_version", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("cancelled_at", _INSTANT, nullable=True),
        sa.Column("completed_at", _INSTANT, nullable=True),
        sa.Column("outcome", sa.String(20), nullable=True),
        sa.CheckConstraint(
            "(completed_at IS NOT NULL) = (outcome IS NOT NULL)", name=op.f("ck_backfill_outcome_iff_completed")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfill")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_backfill_open",
        "backfill",
        ["id"],
        postgresql_where=sa.text("completed_at IS NULL"),
        sqlite_where=sa.text("completed_at IS NULL"),
    )
    op.create_table(
        "backfill_slot",
        sa.Column("backfill_id", _BIG, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("dag_id", sa.String(250), nullable=False),
        sa.Column("logical_date", _INSTANT, nullable=True),
        sa.Column("data_interval_start", _INSTANT, nullable=True),
        sa.Column("data_interval_end", _INSTANT, nullable=True),
        sa.Column("run_after", _INSTANT, nullable=False),
        sa.Column("partition_key", sa.String(250), nullable=True),
        sa.Column("partition_date", _INSTANT, nullable=True),
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("run_pk", _BIG, nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("asked_seq", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["backfill_id"], ["backfill.id"], name=op.f("fk_backfill_slot_backfill_id_backfill"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_pk"], ["dag_run.id"], name=op.f("fk_backfill_slot_run_pk_dag_run"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("backfill_id", "ordinal", name=op.f("pk_backfill_slot")),
    )
    op.create_index("ix_backfill_slot_state", "backfill_slot", ["backfill_id", "state", "ordinal"])
    op.create_index("ix_backfill_slot_dag_id", "backfill_slot", ["dag_id", "backfill_id"])
    op.create_index(
        "ix_backfill_slot_asked",
        "backfill_slot",
        ["backfill_id"],
        postgresql_where=sa.text("asked_seq IS NOT NULL"),
        sqlite_where=sa.text("asked_seq IS NOT NULL"),
    )
    op.create_index(
        "ix_dag_run_backfill_state",
        "dag_run",
        ["state", "backfill_id"],
        postgresql_where=sa.text("backfill_id IS NOT NULL"),
        sqlite_where=sa.text("backfill_id IS NOT NULL"),
    )
    op.create_index(
        "ix_backfill_slot_run_pk",
        "backfill_slot",
        ["run_pk"],
        postgresql_where=sa.text("run_pk IS NOT NULL"),
        sqlite_where=sa.text("run_pk IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_dag_run_backfill_state", "dag_run")
    op.drop_table("backfill_slot")
    op.drop_table("backfill")
