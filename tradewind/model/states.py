"""Which states exist, and which moves between them are legal? Nothing else assigns a state.

Names are those of Airflow 3.3, so that scripts that read them go on working. The lifecycle page of the documentation is
drawn from these tables, the CHECK constraints of the metadata DB are made from them, and the tests walk every pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tradewind.errors import IllegalTransition


class TaskState(StrEnum):
    """What is true of one task instance now."""

    NONE = "none"  # exists; waits for its upstream tasks
    SCHEDULED = "scheduled"  # could run now; holds no slot; admission decides when
    QUEUED = "queued"  # an attempt exists and holds its slots; nobody has said yet that it runs
    RUNNING = "running"  # a task process runs the attempt
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"  # ended without running to its end, on purpose: by a rule, by itself, or with its run
    UPSTREAM_FAILED = "upstream_failed"  # will not run, since its trigger rule can no longer hold
    UP_FOR_RETRY = "up_for_retry"  # failed, tries are left, the delay is not over
    UP_FOR_RESCHEDULE = "up_for_reschedule"  # a sensor that waits without a slot
    DEFERRED = "deferred"  # waits for a trigger without a slot
    AWAITING_INPUT = "awaiting_input"  # waits for a person without a slot
    RESTARTING = "restarting"  # cleared while it ran; ends as soon as its process has ended
    REMOVED = "removed"  # no longer part of the DAG version of its run


class TaskEvent(StrEnum):
    """What can happen to a task instance. These are the kinds of its entries in the event log."""

    SCHEDULED = "task_scheduled"
    QUEUED = "attempt_queued"
    STARTED = "attempt_started"
    SUCCEEDED = "attempt_succeeded"
    FAILED = "attempt_failed"  # for good: no tries left, or the task said so
    WILL_RETRY = "attempt_will_retry"  # failed, and will be tried again after the delay
    SKIPPED_ITSELF = "attempt_skipped"
    LOST = "attempt_lost"  # its supervisor is gone, or was told to stop; does not use up a try
    PASSED = "task_passed"  # needs no process (an EmptyOperator): succeeds where it stands
    SKIPPED = "task_skipped"  # by the scheduler
    UPSTREAM_FAILED = "task_upstream_failed"
    FAILED_BY_RUN = "task_failed"  # by the scheduler, e.g. when it was lost too often
    EXPANDED = "task_expanded"  # of an unexpanded mapped task: some or all of its indexes exist now
    RESCHEDULED = "attempt_rescheduled"  # a sensor looks again later
    DEFERRED = "attempt_deferred"  # waits for a trigger
    ASKED = "attempt_asked"  # waits for a person


class RunState(StrEnum):
    """What is true of one run now."""

    QUEUED = "queued"  # exists; waits for a place under max_active_runs
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class RunEvent(StrEnum):
    """What can happen to a run. These are the kinds of its own entries in the event log."""

    CREATED = "run_created"
    STARTED = "run_started"
    SUCCEEDED = "run_succeeded"
    FAILED = "run_failed"
    DEADLINE_MISSED = "deadline_missed"  # it goes on all the same


class AttemptState(StrEnum):
    """What is true of one attempt (one start of a task)."""

    QUEUED = "queued"  # committed; nobody has claimed it
    RUNNING = "running"  # claimed by a supervisor, which holds its fence
    CANCELLING = "cancelling"  # no longer wanted; its process may still be there and still holds its slots
    ENDED = "ended"


class RunType(StrEnum):
    """Why a run exists."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    OPERATOR_TRIGGERED = "operator_triggered"  # by a task of another run
    ASSET_TRIGGERED = "asset_triggered"
    ASSET_MATERIALIZATION = "asset_materialization"  # asked for, to bring an asset up to date


_T, _TE = TaskState, TaskEvent
TASK_TRANSITIONS: Final[Mapping[tuple[TaskState, TaskEvent], TaskState]] = {
    (_T.NONE, _TE.SCHEDULED): _T.SCHEDULED,
    (_T.NONE, _TE.PASSED): _T.SUCCESS,
    (_T.NONE, _TE.SKIPPED): _T.SKIPPED,
    (_T.NONE, _TE.UPSTREAM_FAILED): _T.UPSTREAM_FAILED,
    (_T.NONE, _TE.FAILED_BY_RUN): _T.FAILED,
    (_T.SCHEDULED, _TE.QUEUED): _T.QUEUED,
    (_T.SCHEDULED, _TE.SKIPPED): _T.SKIPPED,
    (_T.SCHEDULED, _TE.FAILED_BY_RUN): _T.FAILED,
    (_T.QUEUED, _TE.STARTED): _T.RUNNING,
    (_T.QUEUED, _TE.LOST): _T.SCHEDULED,
    (_T.QUEUED, _TE.FAILED): _T.FAILED,  # could not be started at all
    (_T.QUEUED, _TE.WILL_RETRY): _T.UP_FOR_RETRY,
    (_T.QUEUED, _TE.SKIPPED): _T.SKIPPED,
    (_T.QUEUED, _TE.FAILED_BY_RUN): _T.FAILED,
    (_T.RUNNING, _TE.SUCCEEDED): _T.SUCCESS,
    (_T.RUNNING, _TE.FAILED): _T.FAILED,
    (_T.RUNNING, _TE.WILL_RETRY): _T.UP_FOR_RETRY,
    (_T.RUNNING, _TE.SKIPPED_ITSELF): _T.SKIPPED,
    (_T.RUNNING, _TE.LOST): _T.SCHEDULED,
    (_T.RUNNING, _TE.SKIPPED): _T.SKIPPED,
    (_T.RUNNING, _TE.FAILED_BY_RUN): _T.FAILED,
    (_T.UP_FOR_RETRY, _TE.SCHEDULED): _T.SCHEDULED,
    (_T.UP_FOR_RETRY, _TE.SKIPPED): _T.SKIPPED,
    (_T.UP_FOR_RETRY, _TE.FAILED_BY_RUN): _T.FAILED,
    (_T.NONE, _TE.EXPANDED): _T.NONE,
    (_T.RUNNING, _TE.RESCHEDULED): _T.UP_FOR_RESCHEDULE,
    (_T.RUNNING, _TE.DEFERRED): _T.DEFERRED,
    (_T.RUNNING, _TE.ASKED): _T.AWAITING_INPUT,
    **{
        (waiting, event): to
        for waiting in (_T.UP_FOR_RESCHEDULE, _T.DEFERRED, _T.AWAITING_INPUT)
        for event, to in (
            (_TE.SCHEDULED, _T.SCHEDULED),
            (_TE.SKIPPED, _T.SKIPPED),
            (_TE.FAILED_BY_RUN, _T.FAILED),
        )
    },
}
"""The legal moves of a task instance. A pair that is missing is refused with :class:`IllegalTransition`."""

_R, _RE = RunState, RunEvent
RUN_TRANSITIONS: Final[Mapping[tuple[RunState, RunEvent], RunState]] = {
    (_R.QUEUED, _RE.STARTED): _R.RUNNING,
    (_R.QUEUED, _RE.FAILED): _R.FAILED,
    (_R.RUNNING, _RE.SUCCEEDED): _R.SUCCESS,
    (_R.RUNNING, _RE.FAILED): _R.FAILED,
}
"""The legal moves of a run."""

FINAL_TASK_STATES: Final = frozenset({_T.SUCCESS, _T.FAILED, _T.SKIPPED, _T.UPSTREAM_FAILED, _T.REMOVED})
FINAL_RUN_STATES: Final = frozenset({_R.SUCCESS, _R.FAILED})
ACTIVE_TASK_STATES: Final = frozenset({_T.QUEUED, _T.RUNNING, _T.RESTARTING})
"""States in which an attempt exists that may have a process."""
ACTIVE_ATTEMPT_STATES: Final = frozenset({AttemptState.QUEUED, AttemptState.RUNNING, AttemptState.CANCELLING})
"""Attempt states that hold slots."""


def next_task_state(state: TaskState, event: TaskEvent) -> TaskState:
    """Return where ``event`` leads from ``state``.

    Raises:
        IllegalTransition: the table does not know the pair.
    """
    try:
        return TASK_TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"A task instance that is {state} cannot take {event}.") from None


def next_run_state(state: RunState, event: RunEvent) -> RunState:
    """Return where ``event`` leads from ``state``.

    Raises:
        IllegalTransition: the table does not know the pair.
    """
    try:
        return RUN_TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"A run that is {state} cannot take {event}.") from None
