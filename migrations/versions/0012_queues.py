"""Workers find what waits in their queues, the oldest first, without reading what runs.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index over the attempts that nobody has claimed: a handful at any time."""
    waiting = sa.text("state = 'queued'")
    op.create_index(
        "ix_attempt_waiting",
        "attempt",
        ["executor", "queue", "queued_at", "id"],
        unique=False,
        postgresql_where=waiting,
        sqlite_where=waiting,
    )


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("ix_attempt_waiting", "attempt")
