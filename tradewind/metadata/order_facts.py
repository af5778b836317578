"""What does every order say of its run and of its attempt, whatever it is an order for?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping

from tradewind.metadata.models import Attempt, DagRun, DagVersion


def order_facts(m: RowMapping) -> dict[str, Any]:
    """Return those fields of ``AttemptOrder`` from a row that holds an attempt, its run and the version of that."""
    attempt, run, version = Attempt.__table__.c, DagRun.__table__.c, DagVersion.__table__.c
    return {
        "attempt_id": m[attempt.id],
        "fence": m[attempt.fence],
        "run_pk": m[run.id],
        "dag_id": m[run.dag_id],
        "run_id": m[run.run_id],
        "file_path": m[version.file_path],
        "version_id": m[run.version_id],
        "bundle": m[run.bundle],
        "source_digest": m[version.source_digest],
        "run_type": m[run.run_type],
        "run_after": m[run.run_after],
        "logical_date": m[run.logical_date] or m[run.input_date],
        "data_interval_start": m[run.data_interval_start],
        "data_interval_end": m[run.data_interval_end],
        "run_started_at": m[run.started_at],
        "conf": m[run.conf],
        "queue": m[attempt.queue],
        "executor": m[attempt.executor],
        "pool": m[attempt.pool],
        "triggering_user": m[run.triggering_user],
        "partition_key": m[run.partition_key],
        "partition_date": m[run.partition_date],
    }
