"""By when should a task be done? Which timers its deadlines need, and what a missed one calls. Pure.

Those that count from the run belong to the task as a whole; those that count from its first try to each instance. They
are set when what they count from has come, and are forgotten when the instance has ended, however it ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from scheduler.plan import TASK_DEADLINE, Call, TimerSet, task_deadline_key
from tradewind.model.events import NO_MAP
from tradewind.model.spec import DeadlineSpec
from tradewind.model.states import FINAL_TASK_STATES
from tradewind.run.view import RunView, TaskKey, TaskView

QUEUED, STARTED = "task_queued_at", "task_started_at"
_OF_TRIES: Final = frozenset({QUEUED, STARTED})


def since_run(run: RunView, task_ids: Collection[str]) -> list[TimerSet]:
    """Return the timers of tasks that count from their run, which runs; tasks that are done need none."""
    return [
        _timer(run, (task_id, NO_MAP), number, base + timedelta(seconds=alert.interval_seconds or 0))
        for task_id in task_ids
        if task_id in run.graph.tasks and run.open[task_id]
        for number, alert in enumerate(run.graph.tasks[task_id].deadlines)
        if (base := _base(run, alert)) is not None
    ]


def since_try(run: RunView, task: TaskView, reference: str, at: datetime) -> list[TimerSet]:
    """Return the timers of an instance that count from what its try has come to, if it is the first."""
    if task.failures or task.losses or task.part:
        return []
    return [
        _timer(run, task.key, number, at + timedelta(seconds=alert.interval_seconds or 0))
        for number, alert in enumerate(run.graph.tasks[task.task_id].deadlines)
        if alert.reference == reference
    ]


def over(run: RunView, task: TaskView) -> list[str]:
    """Return the keys of the timers that are of no use any more, since an instance is done."""
    spec = run.graph.tasks.get(task.task_id)
    return [
        task_deadline_key(run.pk, task.key if alert.reference in _OF_TRIES else (task.task_id, NO_MAP), number)
        for number, alert in enumerate(() if spec is None else spec.deadlines)
        if alert.reference in _OF_TRIES or not run.open[task.task_id]
    ]


def over_with_run(run: RunView) -> Iterator[str]:
    """Yield the keys of the timers of tasks that count from their run, which does not run any more."""
    for task_id, spec in run.graph.tasks.items():
        for number, alert in enumerate(spec.deadlines):
            if alert.reference not in _OF_TRIES:
                yield task_deadline_key(run.pk, (task_id, NO_MAP), number)


def missed(run: RunView, key: TaskKey, number: int) -> tuple[TaskView, DeadlineSpec] | None:
    """Return which instance a deadline was missed by, the first of several; None: by none."""
    spec = run.graph.tasks.get(key[0])
    if spec is None or number >= len(spec.deadlines):  # of another version
        return None
    task = run.tasks.get(key)
    if task is None and key[1] == NO_MAP:
        instances = (task for _, task in sorted(run.by_task.get(key[0], {}).items()))
        task = next((task for task in instances if task.state not in FINAL_TASK_STATES), None)
    return None if task is None or task.state in FINAL_TASK_STATES else (task, spec.deadlines[number])


def call(task: TaskView, said: dict[str, Any], alert: DeadlineSpec) -> Call:
    """Return the call that a missed deadline asks for."""
    facts = {
        "state": task.state.value,
        "try_number": task.try_number,
        "max_tries": task.max_tries + 1,
        "started_at": None if task.started_at is None else task.started_at.isoformat(),
        "ended_at": None,
    }
    payload = {"number": said["number"], "due_at": said["due_at"], "executor": alert.executor, "task": facts}
    return Call("deadline", task.key, payload)


def _base(run: RunView, alert: DeadlineSpec) -> datetime | None:
    match alert.reference:
        case "logical_date":
            return run.logical_date
        case "queued_at":
            return run.queued_at
        case "run_started_at":
            return run.started_at
        case "fixed" if alert.at is not None:
            return datetime.fromisoformat(alert.at)
        case _:
            return None


def _timer(run: RunView, key: TaskKey, number: int, due_at: datetime) -> TimerSet:
    return TimerSet(task_deadline_key(run.pk, key, number), TASK_DEADLINE, due_at, *key)
