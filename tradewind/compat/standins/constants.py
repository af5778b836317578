"""Which fixed values of Airflow do files import? Defaults of operators, presets of cron, kinds of states."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import pendulum
from pendulum.tz import local_timezone

DEFAULT_OWNER: Final = "airflow"
DEFAULT_QUEUE: Final = "default"
DEFAULT_POOL_NAME: Final = "default_pool"
DEFAULT_POOL_SLOTS: Final = 1
DEFAULT_PRIORITY_WEIGHT: Final = 1
DEFAULT_EXECUTOR: Final = None
DEFAULT_RETRIES: Final = 0
DEFAULT_RETRY_DELAY: Final = timedelta(seconds=300)
MAX_RETRY_DELAY: Final = 24 * 60 * 60
DEFAULT_TRIGGER_RULE: Final = "all_success"
DEFAULT_TASK_EXECUTION_TIMEOUT: Final = None
DEFAULT_IGNORE_FIRST_DEPENDS_ON_PAST: Final = False
DEFAULT_WAIT_FOR_PAST_DEPENDS_BEFORE_SKIPPING: Final = False
DEFAULT_EMAIL_ON_FAILURE: Final = True
DEFAULT_EMAIL_ON_RETRY: Final = True
TAG_MAX_LEN: Final = 100
CONN_ID_MAX_LEN: Final = 200
TRIGGER_FAIL_REPR: Final = "__fail__"
XCOM_RUN_ID: Final = "trigger_run_id"
XCOM_LOGICAL_DATE_ISO: Final = "trigger_logical_date_iso"
NEVER_EXPIRE: Final = timedelta.max
cron_presets: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


class TriggerFailureReason(StrEnum):
    """Why a wait ended badly."""

    TRIGGER_TIMEOUT = "Trigger timeout"
    TRIGGER_FAILURE = "Trigger failure"


class DagRunTriggeredByType(StrEnum):
    """Who asked for a run."""

    CLI = "cli"
    OPERATOR = "operator"
    REST_API = "rest_api"
    UI = "ui"
    TEST = "test"
    TIMETABLE = "timetable"
    ASSET = "asset"
    BACKFILL = "backfill"
    DEADLINE = "deadline"


class JobState(StrEnum):
    """How a process of the scheduler stands."""

    RUNNING = "running"
    SUCCESS = "success"
    RESTARTING = "restarting"
    FAILED = "failed"


class TerminalTIState(StrEnum):
    """How a task can have ended."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    REMOVED = "removed"


class IntermediateTIState(StrEnum):
    """How a task can stand before its end."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RESTARTING = "restarting"
    UP_FOR_RETRY = "up_for_retry"
    UP_FOR_RESCHEDULE = "up_for_reschedule"
    DEFERRED = "deferred"


def from_timestamp(timestamp: float, tz: Any = "UTC") -> datetime:
    """Return the instant that many seconds after 1970, in the time zone ``tz``."""
    zone: Any = local_timezone() if tz == "local" else tz
    return pendulum.from_timestamp(timestamp, tz=zone)


def datetime_to_nano(datetime: datetime) -> int | None:
    """Return the nanoseconds since 1970, or None for a false value."""
    return int(pendulum.instance(datetime).timestamp() * 1_000_000_000) if datetime else None


def context_merge(context: Any, *args: Any, **kwargs: Any) -> None:
    """Put further values into a context, as ``dict.update`` does."""
    context.update(*args, **kwargs)


def context_copy_partial(source: Any, keys: Any) -> dict[str, Any]:
    """Return the part of a context under ``keys``."""
    return {key: source[key] for key in keys if key in source}
