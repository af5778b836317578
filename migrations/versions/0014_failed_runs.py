"""The newest failed runs are found without reading all that went well.

Revision ID: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index over the runs that failed: few, in a house that is well."""
    failed = sa.text("state = 'failed'")
    op.create_index(
        "ix_dag_run_failed",
        "dag_run",
        ["run_after", "id"],
        unique=False,
        postgresql_where=failed,
        sqlite_where=failed,
    )


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("ix_dag_run_failed", "dag_run")
