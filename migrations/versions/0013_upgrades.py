"""Which versions may work with this schema: what lets two of them stand side by side during an upgrade.

Revision ID: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table of one row."""
    made = op.create_table(
        "schema_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("works_from", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_state")),
    )
    op.bulk_insert(made, [{"id": 1, "works_from": "0010"}])


def downgrade() -> None:
    """Take it away again."""
    op.drop_table("schema_state")
