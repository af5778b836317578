"""Under which names do DAG files know states? Those of Airflow's enumerations."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TaskInstanceState(StrEnum):
    """States of a task instance, as Airflow's users spell them; no state at all is None there."""

    REMOVED = "removed"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    RESTARTING = "restarting"
    FAILED = "failed"
    UP_FOR_RETRY = "up_for_retry"
    UP_FOR_RESCHEDULE = "up_for_reschedule"
    UPSTREAM_FAILED = "upstream_failed"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    AWAITING_INPUT = "awaiting_input"


class DagRunState(StrEnum):
    """States of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class State:
    """Both sets of states under one name, as older files use them."""

    NONE: Final = None
    REMOVED: Final = TaskInstanceState.REMOVED
    SCHEDULED: Final = TaskInstanceState.SCHEDULED
    QUEUED: Final = TaskInstanceState.QUEUED
    RUNNING: Final = TaskInstanceState.RUNNING
    SUCCESS: Final = TaskInstanceState.SUCCESS
    RESTARTING: Final = TaskInstanceState.RESTARTING
    FAILED: Final = TaskInstanceState.FAILED
    UP_FOR_RETRY: Final = TaskInstanceState.UP_FOR_RETRY
    UP_FOR_RESCHEDULE: Final = TaskInstanceState.UP_FOR_RESCHEDULE
    UPSTREAM_FAILED: Final = TaskInstanceState.UPSTREAM_FAILED
    SKIPPED: Final = TaskInstanceState.SKIPPED
    DEFERRED: Final = TaskInstanceState.DEFERRED

    finished: Final = frozenset({SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED, REMOVED})
    unfinished: Final = frozenset(
        {NONE, SCHEDULED, QUEUED, RUNNING, RESTARTING, UP_FOR_RETRY, UP_FOR_RESCHEDULE, DEFERRED}
    )
