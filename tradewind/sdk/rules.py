"""Which trigger rules and weight rules are there? Names as in Airflow 3.3."""

from __future__ import annotations

from enum import Enum, StrEnum


class TriggerRule(StrEnum):
    """When a task may run, judged by the states of the tasks directly upstream of it."""

    ALL_SUCCESS = "all_success"
    ALL_FAILED = "all_failed"
    ALL_DONE = "all_done"
    ALL_DONE_MIN_ONE_SUCCESS = "all_done_min_one_success"
    ALL_DONE_SETUP_SUCCESS = "all_done_setup_success"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    ONE_DONE = "one_done"
    NONE_FAILED = "none_failed"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    NONE_SKIPPED = "none_skipped"
    ALL_SKIPPED = "all_skipped"
    ALWAYS = "always"


class WeightRule(StrEnum):
    """How a task's ``priority_weight`` becomes the weight that admission compares."""

    DOWNSTREAM = "downstream"  # plus the weights of all tasks below it
    UPSTREAM = "upstream"  # plus the weights of all tasks above it
    ABSOLUTE = "absolute"  # as written


class DagRunType(str, Enum):  # noqa: UP042  templates must show ``DagRunType.MANUAL``, as in Airflow; a StrEnum shows ``manual``
    """Why a run exists, as ``dag_run.run_type`` gives it to tasks."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    OPERATOR_TRIGGERED = "operator_triggered"
    ASSET_TRIGGERED = "asset_triggered"
    ASSET_MATERIALIZATION = "asset_materialization"
