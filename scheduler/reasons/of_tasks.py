"""Why is a task instance as it is? From the functions that the planner and admission decide with."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from scheduler.admission import blocker, is_busy
from scheduler.judging import judge_task, names, verdict_reason
from scheduler.reasons.deaths import about_end, about_lease
from scheduler.reasons.of_workers import about_queue
from scheduler.reasons.scene import Scene
from scheduler.trigger_rules import Verdict
from tradewind.metadata.causes import find_attempt, find_wait, last_said
from tradewind.model.events import NO_MAP
from tradewind.model.states import FINAL_RUN_STATES, RunState, TaskEvent, TaskState
from tradewind.run.view import TaskView
from tradewind.terminal.output import counted

NEXT_TURN: Final = "it is ready, and starts when its turn comes"
_LOCAL: Final = "LocalExecutor"


def about_task(scene: Scene, task: TaskView) -> str:
    """Return one sentence about an instance."""
    match task.state:
        case TaskState.NONE:
            return _again(scene, task) + _about_waiting(scene, task)
        case TaskState.SCHEDULED:
            return _about_ready(scene, task)
        case TaskState.QUEUED | TaskState.RUNNING:
            return _about_active(scene, task) + scene.missed(task.key)
        case TaskState.RESTARTING:
            return _about_restarting(scene, task)
        case TaskState.UP_FOR_RETRY:
            left = scene.held.version.graph.tasks[task.task_id].retries + 1 - task.failures
            tries = f"{left} {'try' if left == 1 else 'tries'} left"
            when = f"is tried again at {_soon(task.retry_at)} ({tries})"
            return f"{when}; the last try said: {task.reason}{_held(scene, task)}"
        case TaskState.UP_FOR_RESCHEDULE:
            return f"it looks again at {_soon(task.retry_at)}, and holds no slot until then{_held(scene, task)}"
        case TaskState.DEFERRED | TaskState.AWAITING_INPUT:
            return _about_wait(scene, task)
        case TaskState.SUCCESS:
            return task.reason or "it succeeded"
        case _:
            return about_end(task, find_attempt(scene.tx, task.attempt_id)) + scene.missed(task.key)


def absent(scene: Scene, task_id: str, map_index: int) -> str:
    """Return why a run has no such instance of a task that its DAG has."""
    run = scene.run
    if run.task_subset is not None and task_id not in run.task_subset:
        return f"not part of this run: it runs only {names(map(repr, run.task_subset), 10)}"
    if not scene.part.counts:
        return "its run has not started"
    size = scene.part.size(task_id)
    if size and map_index != NO_MAP:
        have = "is not mapped" if task_id not in scene.held.version.graph.scopes else f"has {counted(size, 'index')}"
        return f"it has no index {map_index}: the task {have.replace('indexs', 'indexes')} so far"
    spec = scene.held.version.graph.tasks[task_id]
    if size == 0 and (spec.start_date or spec.end_date) and run.logical_date is not None:
        return "it is not part of this run: the logical date lies outside of the task's start_date and end_date"
    return "it is not part of this run"


# --- what has not started --------------------------------------------------------------------------------------------


def _again(scene: Scene, task: TaskView) -> str:
    """Return who had it done again, when it has run before."""
    if not task.try_number:
        return ""
    kinds = (TaskEvent.CLEARED, TaskEvent.RESTARTED)
    said = last_said(scene.tx, scene.run.pk, kinds, task.key)
    if said is None:
        return ""
    by = f" by {said.by}" if said.by else ""
    return f"it was cleared{by} and is done again; "


def _about_waiting(scene: Scene, task: TaskView) -> str:
    run, graph, view = scene.run, scene.held.version.graph, scene.part.view
    if run.state in FINAL_RUN_STATES:
        return f"it never started: its run has ended{f' ({run.reason})' if run.reason else ''}"
    if run.state is RunState.QUEUED:
        return "its run waits to start"
    scope = graph.scopes.get(task.task_id)
    if scope is not None and task.map_index == NO_MAP:
        so_far = scene.part.size(task.task_id) - 1
        if so_far > 0:
            return f"its indexes are being created, {so_far:,} so far"
        open_sources = [source for source in graph.sources[scope] if view.open[source]]
        if open_sources:
            what = names(repr(source) for source in open_sources)
            return f"how many indexes it has is known when {what} has ended"
    verdict = judge_task(view, *task.key)
    past = scene.held.past.get(task.task_id)
    if past is not None and verdict is not Verdict.WAIT:
        return past
    if verdict is Verdict.WAIT:
        why = verdict_reason(view, *task.key, unseen=scene.part.unseen)
        return f"waits for its upstream tasks: {why}{_held(scene, task)}"
    if view.is_held(task):
        return _who_holds(scene, task)
    if verdict is Verdict.RUN:
        return f"it is ready as soon as a scheduler looks at its run{scene.no_scheduler}"
    why = verdict_reason(view, *task.key, unseen=scene.part.unseen)
    return f"it will not run: {why}{scene.no_scheduler}"


def _about_ready(scene: Scene, task: TaskView) -> str:
    lost = f"its last try did not end ({task.reason}); " if task.reason else ""
    if scene.part.view.is_held(task):
        return lost + _who_holds(scene, task)
    if not scene.schedulers:
        return f"{lost}it is ready{scene.no_scheduler}"
    if scene.run.state is not RunState.RUNNING:
        return f"{lost}its run waits to start"
    candidate, usage = scene.held.candidate(task, scene.lanes), scene.usage()
    if is_busy(candidate, usage):
        return f"{lost}an earlier process of it is still being stopped; it starts when that is gone"
    blocked = blocker(candidate, usage)
    return lost + (blocked or NEXT_TURN)


def _who_holds(scene: Scene, task: TaskView) -> str:
    if task.held is None:
        return "its run is held"  # the sentence about the run says by whom, and how it goes on
    index = "" if task.map_index == NO_MAP else f" --map-index {task.map_index}"
    name = f"{scene.run.dag_id} {scene.run.run_id}"
    return f"it is held ({task.held}); release it with `tradewind tasks release {name} {task.task_id}{index}`"


def _held(scene: Scene, task: TaskView) -> str:
    """Return what is added for an instance that waits for something else and is held besides."""
    return f"; besides, {_who_holds(scene, task)}" if scene.part.view.is_held(task) else ""


# --- what has a process, or had one ----------------------------------------------------------------------------------


def _about_active(scene: Scene, task: TaskView) -> str:
    attempt = find_attempt(scene.tx, task.attempt_id)
    if attempt is None:
        return "it has just been started"
    lease = about_lease(attempt.supervisor, "its supervisor", scene.now) if scene.schedulers else scene.no_scheduler
    if task.state is TaskState.QUEUED:
        at = attempt.queued_at.isoformat()
        waits = "waits for its process" if attempt.is_claimed else about_queue(scene, attempt)
        return f"it was handed to {attempt.executor} at {at} and {waits}{lease}"
    where = f" on {attempt.hostname}, process {attempt.pid}" if attempt.hostname else ""
    since = f" since {task.started_at.isoformat()}" if task.started_at else ""
    if attempt.executor != _LOCAL and not scene.schedulers:
        lease = about_lease(attempt.supervisor, "its supervisor", scene.now)
    return f"it runs{since}{where}{lease}"


def _about_restarting(scene: Scene, task: TaskView) -> str:
    attempt = find_attempt(scene.tx, task.attempt_id)
    where = f" (process {attempt.pid} on {attempt.hostname})" if attempt is not None and attempt.pid else ""
    said = last_said(scene.tx, scene.run.pk, (TaskEvent.CLEARED,), task.key)
    by = f" by {said.by}" if said is not None and said.by else ""
    lease = "" if attempt is None else about_lease(attempt.supervisor, "its supervisor", scene.now)
    return f"it was cleared{by} while it ran; its earlier process{where} is being stopped{lease}{scene.no_scheduler}"


def _about_wait(scene: Scene, task: TaskView) -> str:
    wait = find_wait(scene.tx, task.attempt_id)
    since = f" since {task.ended_at.isoformat()}" if task.ended_at else ""
    until = f", until {wait.due_at.isoformat()} at most" if wait is not None and wait.due_at else ""
    if task.state is TaskState.AWAITING_INPUT:
        asked = f" to {wait.what!r}" if wait is not None and wait.queue is None else ""
        return f"it waits for a person to answer{asked}{since}{until}{_held(scene, task)}"
    if wait is None or wait.queue is None:
        return f"it waits for a trigger without a slot{since}{until}{_held(scene, task)}"
    name = wait.what.rpartition(".")[2]
    nobody = ""
    if wait.holder is None or not wait.holder.is_alive(scene.now):
        nobody = f"; no triggerer that takes queue {wait.queue!r} has it yet"
    return f"it waits for a trigger ({name}) without a slot{since}{until}{nobody}{_held(scene, task)}"


def _soon(instant: datetime | None) -> str:
    return instant.isoformat() if instant else "soon"
