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
    CLEARED = "task_cleared"  # somebody wants it to be done again
    RESTARTED = "task_restarted"  # the process of a cleared try has ended
    MARKED_SUCCESS = "task_marked_success"  # somebody said so
    MARKED_FAILED = "task_marked_failed"
    MARKED_SKIPPED = "task_marked_skipped"
    REMOVED = "task_removed"  # its DAG version, or the length of what it is mapped over, has no such instance
    HELD = "task_held"  # does not start until it is released
    RELEASED = "task_released"
    DEADLINE_MISSED = "task_deadline_missed"  # it goes on all the same


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
    WILL_RETRY = "run_will_retry"  # failed, and is tried again: what failed is cleared
    QUEUED_AGAIN = "run_queued_again"  # some of its tasks are to be done again
    MARKED_SUCCESS = "run_marked_success"  # somebody said so
    MARKED_FAILED = "run_marked_failed"
    VERDICT_NOTED = "run_verdict_noted"  # somebody said how it ends; it does so as soon as its teardowns have run
    HELD = "run_held"  # starts nothing until it is released
    RELEASED = "run_released"
    VERSION_CHANGED = "run_version_changed"  # goes on with another version of its DAG


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
    # What people do. A process that is there must end before its task can be done again.
    **{(state, _TE.CLEARED): _T.NONE for state in _T if state not in (_T.NONE, _T.RESTARTING)},
    **{(state, _TE.CLEARED): _T.RESTARTING for state in (_T.QUEUED, _T.RUNNING)},
    (_T.RESTARTING, _TE.RESTARTED): _T.NONE,
    (_T.RESTARTING, _TE.SKIPPED): _T.SKIPPED,
    (_T.RESTARTING, _TE.FAILED_BY_RUN): _T.FAILED,
    **{(state, _TE.MARKED_SUCCESS): _T.SUCCESS for state in _T if state is not _T.SUCCESS},
    **{(state, _TE.MARKED_FAILED): _T.FAILED for state in _T if state is not _T.FAILED},
    **{(state, _TE.MARKED_SKIPPED): _T.SKIPPED for state in _T if state is not _T.SKIPPED},
    **{(state, _TE.REMOVED): _T.REMOVED for state in _T if state is not _T.REMOVED},
    **{(state, event): state for state in _T for event in (_TE.HELD, _TE.RELEASED, _TE.DEADLINE_MISSED)},
}
"""The legal moves of a task instance. A pair that is missing is refused with :class:`IllegalTransition`."""

_R, _RE = RunState, RunEvent
RUN_TRANSITIONS: Final[Mapping[tuple[RunState, RunEvent], RunState]] = {
    (_R.QUEUED, _RE.STARTED): _R.RUNNING,
    (_R.QUEUED, _RE.FAILED): _R.FAILED,
    (_R.RUNNING, _RE.SUCCEEDED): _R.SUCCESS,
    (_R.RUNNING, _RE.FAILED): _R.FAILED,
    (_R.RUNNING, _RE.WILL_RETRY): _R.QUEUED,
    (_R.SUCCESS, _RE.QUEUED_AGAIN): _R.QUEUED,
    (_R.FAILED, _RE.QUEUED_AGAIN): _R.QUEUED,
    **{(state, _RE.MARKED_SUCCESS): _R.SUCCESS for state in _R if state is not _R.SUCCESS},
    **{(state, _RE.MARKED_FAILED): _R.FAILED for state in _R if state is not _R.FAILED},
    **{(state, event): state for state in (_R.QUEUED, _R.RUNNING) for event in (_RE.HELD, _RE.RELEASED)},
    (_R.RUNNING, _RE.VERDICT_NOTED): _R.RUNNING,
    **{(state, event): state for state in _R for event in (_RE.CREATED, _RE.DEADLINE_MISSED, _RE.VERSION_CHANGED)},
}
"""The legal moves of a run."""

INTERVENTIONS: Final = frozenset(
    {
        *(_TE.CLEARED, _TE.RESTARTED, _TE.MARKED_SUCCESS, _TE.MARKED_FAILED, _TE.MARKED_SKIPPED, _TE.REMOVED),
        *(_TE.HELD, _TE.RELEASED, _TE.DEADLINE_MISSED),
        *(_RE.QUEUED_AGAIN, _RE.MARKED_SUCCESS, _RE.MARKED_FAILED, _RE.HELD, _RE.RELEASED, _RE.VERSION_CHANGED),
        _RE.VERDICT_NOTED,
        *(_RE.CREATED, _RE.DEADLINE_MISSED),
    }
)
"""What people do, and what is only told. They are possible in nearly every state, and the diagrams leave them out."""

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
