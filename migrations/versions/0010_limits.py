"""Rates count the starts of late; a version says its runs' keys; a task counts how often it was told to come back.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table, columns that are empty for what is there, and an index over the runs that wait in a queue."""
    op.create_table(
        "rate_limit",
        sa.Column("name", sa.String(250), nullable=False),
        sa.Column("starts", sa.Text(), nullable=True),
        sa.Column("kept_seconds", sa.Double(), nullable=False, server_default="0"),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rate_limit")),
    )
    op.add_column("dag_version", sa.Column("concurrency", sa.Text(), nullable=True))
    op.add_column("task_instance", sa.Column("postponed", sa.Integer(), nullable=False, server_default="0"))
    waiting = sa.text("state = 'queued' AND run_type <> 'backfill'")
    op.create_index(
        "ix_dag_run_waiting",
        "dag_run",
        ["dag_id", "run_after", "id"],
        unique=False,
        postgresql_where=waiting,
        sqlite_where=waiting,
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_dag_run_waiting", "dag_run")
    op.drop_column("task_instance", "postponed")
    op.drop_column("dag_version", "concurrency")
    op.drop_table("rate_limit")
