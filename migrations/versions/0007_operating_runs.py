"""Runs and tasks can be held, runs can be a subset of their DAG, replay another, be retried, and stand under keys.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; none of them is filled for what is there."""
    op.add_column("dag", sa.Column("holds_after_failure", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("dag_run", sa.Column("held", sa.Text(), nullable=True))
    op.add_column("dag_run", sa.Column("retries_used", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("dag_run", sa.Column("verdict", sa.String(24), nullable=True))
    op.add_column("dag_run", sa.Column("backfill_id", sa.BigInteger(), nullable=True))
    op.add_column("dag_run", sa.Column("replay_of", sa.BigInteger(), nullable=True))
    op.add_column("dag_run", sa.Column("input_date", sa.DateTime(timezone=True), nullable=True))
    op.add_column("dag_run", sa.Column("task_subset", sa.Text(), nullable=True))
    op.add_column("dag_run", sa.Column("keys", sa.Text(), nullable=True))
    op.create_index(
        "ix_dag_run_backfill_id",
        "dag_run",
        ["backfill_id"],
        unique=False,
        postgresql_where=sa.text("backfill_id IS NOT NULL"),
        sqlite_where=sa.text("backfill_id IS NOT NULL"),
    )
    op.add_column("task_instance", sa.Column("held", sa.Text(), nullable=True))
    op.add_column("task_instance", sa.Column("decided_against", sa.Text(), nullable=True))
    op.add_column("attempt", sa.Column("keys", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take them away again."""
    op.drop_column("attempt", "keys")
    op.drop_column("task_instance", "decided_against")
    op.drop_column("task_instance", "held")
    op.drop_index("ix_dag_run_backfill_id", "dag_run")
    for name in ("keys", "task_subset", "input_date", "replay_of", "backfill_id", "verdict", "retries_used", "held"):
        op.drop_column("dag_run", name)
    op.drop_column("dag", "holds_after_failure")
