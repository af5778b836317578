"""The DAG folder as it was when runs began: bundles, their files, and which of them runs and versions belong to.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables, and columns that are empty for what is there: it runs in the folder as it is."""
    op.create_table(
        "dag_bundle",
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_dag_bundle")),
    )
    op.create_index("ix_dag_bundle_left_at", "dag_bundle", ["left_at"], unique=False)
    op.create_table(
        "bundle_content",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_bundle_content")),
    )
    op.create_table(
        "bundle_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["dag_bundle.name"], name=op.f("fk_bundle_head_name_dag_bundle")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundle_head")),
    )
    op.add_column("dag_version", sa.Column("bundle", sa.String(300), nullable=True))
    op.add_column("dag_run", sa.Column("bundle", sa.String(300), nullable=True))
    op.create_index("ix_dag_run_bundle", "dag_run", ["bundle"], unique=False)


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_dag_run_bundle", "dag_run")
    op.drop_column("dag_run", "bundle")
    op.drop_column("dag_version", "bundle")
    op.drop_table("bundle_head")
    op.drop_table("bundle_content")
    op.drop_index("ix_dag_bundle_left_at", "dag_bundle")
    op.drop_table("dag_bundle")
