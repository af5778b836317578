"""Old runs are found by the end of a run, removed while they are out of sight; a DAG says how long it keeps its own.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column and the indexes; nothing is removed by that."""
    op.add_column("dag", sa.Column("days_kept", sa.Double(), nullable=True))
    op.create_index("ix_dag_run_dag_id_ended_at", "dag_run", ["dag_id", "ended_at"], unique=False)
    leaving = sa.text("kind = 'leaving'")
    op.create_index(
        "ix_dag_run_leaving", "dag_run", ["id"], unique=False, postgresql_where=leaving, sqlite_where=leaving
    )
    held = sa.text("held IS NOT NULL")
    op.create_index(
        "ix_task_instance_held", "task_instance", ["run_pk"], unique=False, postgresql_where=held, sqlite_where=held
    )


def downgrade() -> None:
    """Take them away again. What is being removed is deleted at once: the older schema knows nothing of it."""
    op.execute("DELETE FROM dag_run WHERE kind = 'leaving'")
    op.drop_index("ix_task_instance_held", "task_instance")
    op.drop_index("ix_dag_run_leaving", "dag_run")
    op.drop_index("ix_dag_run_dag_id_ended_at", "dag_run")
    op.drop_column("dag", "days_kept")
