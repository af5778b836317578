"""What tasks wait for without a slot: triggers that somebody runs, and questions that somebody answers.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# SQLite gives rowid keys only to a column typed INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "trigger_wait",
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("run_pk", BIG_ID, nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("kwargs", sa.Text(), nullable=True),
        sa.Column("queue", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.Column("dropped", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_pk"], ["dag_run.id"], name=op.f("fk_trigger_wait_run_pk_dag_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_trigger_wait")),
    )
    op.create_index(op.f("ix_trigger_wait_run_pk"), "trigger_wait", ["run_pk"], unique=False)
    op.create_index(op.f("ix_trigger_wait_claimed_by"), "trigger_wait", ["claimed_by"], unique=False)
    _partial_index("ix_trigger_wait_free", "trigger_wait", "created_at", "claimed_by IS NULL")
    _partial_index("ix_trigger_wait_dropped", "trigger_wait", "claimed_by", "dropped IS NOT NULL")
    op.create_table(
        "question",
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("run_pk", BIG_ID, nullable=False),
        sa.Column("task_id", sa.String(length=250), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("defaults", sa.Text(), nullable=True),
        sa.Column("multiple", sa.Boolean(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("assignees", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("chosen", sa.Text(), nullable=True),
        sa.Column("params_input", sa.Text(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (state = 'open')", name=op.f("ck_question_ended_iff_not_open")),
        sa.ForeignKeyConstraint(
            ["run_pk"], ["dag_run.id"], name=op.f("fk_question_run_pk_dag_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_question")),
    )
    op.create_index("ix_question_run_pk", "question", ["run_pk", "task_id", "map_index"], unique=False)
    op.create_index(op.f("ix_question_created_at"), "question", ["created_at"], unique=False)
    _partial_index("ix_question_open", "question", "created_at", "state = 'open'")


def downgrade() -> None:
    """Drop them, with the questions that were asked."""
    op.drop_table("question")
    op.drop_table("trigger_wait")


def _partial_index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], unique=False, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
