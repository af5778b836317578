"""DAGs have schedule policies and timetables of their own: ticks that were passed over, and runs that were foretold.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "passed_tick",
        sa.Column("dag_id", sa.String(250), nullable=False),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("interval_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("interval_end", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name="fk_passed_tick_dag_id_dag", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dag_id", name="pk_passed_tick"),
    )
    op.create_table(
        "coming_runs",
        sa.Column("dag_id", sa.String(250), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("after_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("after_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("runs", sa.Text(), nullable=False),
        sa.Column("is_last", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name="fk_coming_runs_dag_id_dag", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dag_id", name="pk_coming_runs"),
    )
    op.create_index(
        "ix_coming_runs_wanted_at",
        "coming_runs",
        ["wanted_at"],
        unique=False,
        postgresql_where=sa.text("wanted_at IS NOT NULL"),
        sqlite_where=sa.text("wanted_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them away again; what they say is found out anew."""
    op.drop_table("coming_runs")
    op.drop_table("passed_tick")
