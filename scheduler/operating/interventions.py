"""What follows from what a person asks of a run? Commands in, events out, like the facts of a planner: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from scheduler.calling import calls_for_dead
from scheduler.judging import names
from scheduler.operating.selection import select
from scheduler.plan import run_start_key
from scheduler.planner import RunPlanner, is_within_dates
from tradewind.model.commands import ClearTasks, Command, Hold, MarkRun, MarkTasks, Release, Selection
from tradewind.model.events import NO_MAP, Event
from tradewind.model.states import (
    ACTIVE_TASK_STATES,
    FINAL_RUN_STATES,
    FINAL_TASK_STATES,
    RunEvent,
    RunState,
    TaskEvent,
    TaskState,
)
from tradewind.run.view import TaskView

if TYPE_CHECKING:  # plain data here; how it is read from the metadata DB is nothing that is decided
    from scheduler.versions import Version

_FAILED: Final = (TaskState.FAILED, TaskState.UPSTREAM_FAILED)
_MARKS: Final[Mapping[TaskState, TaskEvent]] = {
    TaskState.SUCCESS: TaskEvent.MARKED_SUCCESS,
    TaskState.FAILED: TaskEvent.MARKED_FAILED,
    TaskState.SKIPPED: TaskEvent.MARKED_SKIPPED,
}


_BEGUN: Final = ACTIVE_TASK_STATES | {TaskState.UP_FOR_RESCHEDULE, TaskState.DEFERRED, TaskState.AWAITING_INPUT}


def intervene(planner: RunPlanner, command: Command) -> None:
    """Fold one command. What it asks for that is so already changes nothing."""
    match command:
        case ClearTasks():
            _clear(planner, command)
        case MarkTasks():
            _mark(planner, command)
        case MarkRun():
            _mark_run(planner, command)
        case Hold():
            _hold(planner, command)
        case Release():
            _release(planner, command)


def change_version(
    planner: RunPlanner, version: Version, logical_date: datetime | None = None, bundle: str | None = None
) -> None:
    """Let the run go on with another version of its DAG: tasks that this lacks are removed, new ones are added, and
    those that had been removed are there again.

    Args:
        bundle: the newest of that version. A run that has this version already goes on with that.
    """
    run, old = planner.run, planner.run.graph
    if version.id == run.version_id and bundle in (None, run.bundle):
        return
    run.graphs = {**run.graphs, version.id: version.graph}
    for task in [task for task in run.tasks.values() if task.map_index == NO_MAP]:
        is_mapped_again = task.task_id in version.graph.scopes and task.task_id not in old.scopes
        if is_mapped_again and len(run.by_task[task.task_id]) > 1 and task.state is not TaskState.REMOVED:
            planner.remove(task, "the version of the DAG that its run goes on with has it mapped")
    planner.spec = version.spec
    is_over = run.state in FINAL_RUN_STATES
    unfinished = run.unfinished
    omitted = [
        t for t, spec in version.graph.tasks.items() if t in run.missing or not is_within_dates(spec, logical_date)
    ]
    payload: dict[str, Any] = {"version_id": version.id, **({"omitted": omitted} if omitted else {})}
    if bundle is not None:
        payload["bundle"] = bundle
    planner.emit(Event(RunEvent.VERSION_CHANGED, payload=payload))
    for task in list(run.tasks.values()):
        had_place = old.has_place(*task.key)
        if not version.graph.has_place(*task.key):
            if task.state is not TaskState.REMOVED:
                planner.remove(task, "the version of the DAG that its run goes on with has no such task")
        elif task.state is TaskState.REMOVED and not had_place:
            planner.clear(task)
    planner.reconsider()
    if is_over and run.unfinished > unfinished:
        planner.emit(Event(RunEvent.QUEUED_AGAIN))


def _clear(planner: RunPlanner, command: ClearTasks) -> None:
    run = planner.run
    payload = {"by": command.by} if command.by else {}
    keys = select(run, command.selection)
    for key in keys:
        planner.clear(run.tasks[key], **payload)
    if run.state is not RunState.RUNNING and run.tasks:
        planner.plan.timers_cleared.append(run_start_key(run.pk))  # nobody waits for the delay of a retry any more
    if run.verdict is not None and keys:  # it is to go on after all
        planner.emit(Event(RunEvent.VERDICT_NOTED, payload=payload))
    if run.state in FINAL_RUN_STATES and (keys or not run.tasks):
        planner.emit(Event(RunEvent.QUEUED_AGAIN, payload=payload))


def _mark(planner: RunPlanner, command: MarkTasks) -> None:
    run = planner.run
    reason = command.why or f"marked {command.state.value}" + (f" by {command.by}" if command.by else "")
    was_bad = bool(planner.bad_leaves())
    keys = select(run, command.selection, with_setups=False)
    for key in keys:
        task = run.tasks[key]
        if task.state is not command.state and task.state is not TaskState.REMOVED:
            _mark_task(planner, task, command.state, reason)
    marked = set(keys)
    ids = tuple(dict.fromkeys(task_id for task_id, _ in keys))
    indexes = {t: tuple(i for one, i in keys if one == t) for t in ids if t in run.graph.scopes}
    below = Selection(ids, indexes, downstream=True, states=_FAILED)
    blocked = [key for key in select(run, below) if key not in marked]
    for key in blocked:
        planner.clear(run.tasks[key])
    if run.state not in FINAL_RUN_STATES or not keys:
        return
    if run.unfinished:
        planner.emit(Event(RunEvent.QUEUED_AGAIN, payload={"by": command.by} if command.by else {}))
        return
    bad = planner.bad_leaves()
    if was_bad != bool(bad) and (run.state is RunState.SUCCESS) == bool(bad):  # what decides about the run has changed
        kind = RunEvent.MARKED_FAILED if bad else RunEvent.MARKED_SUCCESS
        planner.emit(Event(kind, payload={"reason": f"failed: {names(bad)}"} if bad else {}))


def _mark_task(planner: RunPlanner, task: TaskView, state: TaskState, reason: str) -> None:
    was_active = task.state in ACTIVE_TASK_STATES
    planner.end(task, _MARKS[state], reason)
    if was_active and state is TaskState.FAILED:
        planner.plan.calls.extend(calls_for_dead(planner.run, task, None, reason))


def _mark_run(planner: RunPlanner, command: MarkRun) -> None:
    """What has ended stays as it is; what has begun is taken as the run is, and what has not is skipped. Teardowns run
    all the same, and the run ends after them; in a run that does not run there is nothing for them to clean up."""
    run = planner.run
    is_over = run.state in FINAL_RUN_STATES
    by = {"by": command.by} if command.by else {}
    if command.state is RunState.QUEUED:
        if is_over:
            planner.emit(Event(RunEvent.QUEUED_AGAIN, payload=by))
        return
    if command.state is run.state:
        return
    reason = command.why or f"marked {command.state.value}" + (f" by {command.by}" if command.by else "")
    begun = _MARKS[TaskState(command.state.value)]
    for task in [task for task in run.tasks.values() if task.state not in FINAL_TASK_STATES]:
        if run.state is not RunState.RUNNING or not run.graph.tasks[task.task_id].is_teardown:
            planner.end(task, begun if task.state in _BEGUN else TaskEvent.MARKED_SKIPPED, reason)
    if run.state is RunState.RUNNING and run.unfinished:
        payload = {"state": command.state.value, "reason": reason}
        planner.emit(Event(RunEvent.VERDICT_NOTED, payload=payload))
    else:
        kind = RunEvent.MARKED_SUCCESS if command.state is RunState.SUCCESS else RunEvent.MARKED_FAILED
        planner.emit(Event(kind, payload={"reason": reason}))


def _hold(planner: RunPlanner, command: Hold) -> None:
    run = planner.run
    why = command.why or "held"
    if run.state in FINAL_RUN_STATES:
        return
    if command.selection is None:
        if run.held is None:
            planner.emit(Event(RunEvent.HELD, payload={"why": why}))
        return
    for task in _meant(planner, command.selection, lambda task: task.held is None):
        planner.emit(Event(TaskEvent.HELD, task.task_id, task.map_index, task.try_number, {"why": why}))


def _release(planner: RunPlanner, command: Release) -> None:
    run = planner.run
    payload = {"by": command.by} if command.by else {}
    if command.selection is None:
        if run.held is None:
            return
        planner.emit(Event(RunEvent.RELEASED, payload=payload))
        released = list(run.tasks.values())
    else:
        released = _meant(planner, command.selection, lambda task: task.held is not None)
        for task in released:
            planner.emit(Event(TaskEvent.RELEASED, task.task_id, task.map_index, task.try_number, payload))
    if run.state is not RunState.RUNNING:
        return
    for task in released:
        if task.state is TaskState.SCHEDULED:
            planner.enqueue(task)
    planner.judge_everything()


def _meant(planner: RunPlanner, selection: Selection, is_wanted: Callable[[TaskView], bool]) -> list[TaskView]:
    run = planner.run
    keys = select(run, selection, with_setups=False)
    return [run.tasks[key] for key in keys if is_wanted(run.tasks[key])]
