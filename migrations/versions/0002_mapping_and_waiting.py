"""Mapped tasks know their length and label; a try may have several parts, between which a task waits without a slot.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BEFORE = "state IN ('scheduled', 'queued', 'running', 'up_for_retry')"
_SINCE = (
    "state IN ('scheduled', 'queued', 'running', 'up_for_retry', 'up_for_reschedule', 'deferred', 'awaiting_input')"
)


def upgrade() -> None:
    """Add the columns, and let the index of unfinished tasks hold those that wait."""
    op.drop_index("ix_task_instance_state", "task_instance")
    op.add_column("task_instance", sa.Column("part", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("task_instance", sa.Column("length", sa.Integer(), nullable=True))
    op.add_column("task_instance", sa.Column("map_label", sa.Text(), nullable=True))
    op.add_column("task_instance", sa.Column("first_started_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("task_instance", sa.Column("resume", sa.Text(), nullable=True))
    _index(_SINCE)
    op.add_column("attempt", sa.Column("part", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take them away again. Tasks that wait keep their state and are looked at by nobody."""
    op.drop_column("attempt", "part")
    op.drop_index("ix_task_instance_state", "task_instance")
    for name in ("resume", "first_started_at", "map_label", "length", "part"):
        op.drop_column("task_instance", name)
    _index(_BEFORE)


def _index(where: str) -> None:
    op.create_index(
        "ix_task_instance_state",
        "task_instance",
        ["state"],
        unique=False,
        postgresql_where=sa.text(where),
        sqlite_where=sa.text(where),
    )
