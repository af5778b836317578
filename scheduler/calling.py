"""Which calls of user code follow from what happened to a run? Pure: an event in, calls out.

A task process calls back by itself; what is decided here is for the end of a run, and for a task whose process could
not. Reasons are Airflow's words, since callbacks compare them: ``success``, ``task_failure``, ``timed_out``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from scheduler.plan import Call
from tradewind.model.events import Event
from tradewind.model.orders import AttemptEnded
from tradewind.model.spec import DagSpec
from tradewind.model.states import RunEvent, TaskState
from tradewind.run.view import RunView, TaskView

TIMED_OUT: Final = "timed_out"
"""What the event of a run says under ``code`` when it has taken longer than its ``dagrun_timeout``."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def calls_of_run(run: RunView, spec: DagSpec, event: Event) -> Iterator[Call]:
    """Yield the calls that hang on an event of a run, after it was folded."""
    if event.kind is RunEvent.STARTED:
        yield from _told(spec, "on_dag_run_running", "started", None)
    elif event.kind is RunEvent.SUCCEEDED:
        yield from _told(spec, "on_dag_run_success", "success", run.ended_at)
        if spec.has_success_callback:
            last = _latest(run, lambda task: task.state is TaskState.SUCCESS, lambda task: task.ended_at)
            yield _of_run("on_success_callback", "success", last)
    elif event.kind is RunEvent.MARKED_SUCCESS:  # told to listeners; the DAG's own callbacks are not for that
        yield from _told(spec, "on_dag_run_success", event.payload.get("reason") or "marked", run.ended_at)
    elif event.kind is RunEvent.MARKED_FAILED:
        yield from _told(spec, "on_dag_run_failed", event.payload.get("reason") or "marked", run.ended_at)
    elif event.kind is RunEvent.FAILED:
        reason = event.payload.get("code", "task_failure")
        yield from _told(spec, "on_dag_run_failed", reason, run.ended_at)
        if spec.has_failure_callback:
            yield _of_run("on_failure_callback", reason, _culprit(run, reason))


def calls_for_dead(run: RunView, task: TaskView, fact: AttemptEnded | None, reason: str) -> list[Call]:
    """Return the calls for a task that has failed, or will be tried again, without having called back itself.

    Args:
        fact: the end of its attempt; None when the scheduler ended it.
    """
    is_retry = task.state is TaskState.UP_FOR_RETRY
    told = run.graph.tasks[task.task_id].calls_back
    if (fact is not None and not fact.died) or ("retry" if is_retry else "failure") not in told:
        return []
    hook = "on_retry_callback" if is_retry else "on_failure_callback"
    facts = _facts(task)
    if fact is not None:
        facts["hostname"] = fact.hostname
    return [Call("task", task.key, {"hook": hook, "error": reason, "task": facts})]


def _told(spec: DagSpec, hook: str, message: str, ended_at: datetime | None) -> Iterator[Call]:
    if hook in spec.listens:
        at = {} if ended_at is None else {"ended_at": ended_at.isoformat()}
        yield Call("listener", None, {"hook": hook, "msg": message, **at})


def _of_run(hook: str, reason: str, task: TaskView | None) -> Call:
    payload: dict[str, Any] = {"hook": hook, "reason": reason}
    if task is not None:
        payload["task"] = _facts(task)
    return Call("run", None if task is None else task.key, payload)


def _culprit(run: RunView, reason: str) -> TaskView | None:
    """Return the task whose context a failure callback gets: the one that failed last, or that ran when time was up."""
    if reason == TIMED_OUT:
        return _latest(run, lambda task: task.reason == run.reason, lambda task: task.started_at)
    return _latest(run, lambda task: task.state is TaskState.FAILED, lambda task: task.ended_at)


def _latest(
    run: RunView, is_meant: Callable[[TaskView], bool], when: Callable[[TaskView], datetime | None]
) -> TaskView | None:
    return max(filter(is_meant, run.tasks.values()), key=lambda task: when(task) or _LONG_AGO, default=None)


def _facts(task: TaskView) -> dict[str, Any]:
    return {
        "state": task.state.value,
        "try_number": task.try_number,
        "max_tries": task.max_tries + 1,
        "started_at": None if task.started_at is None else task.started_at.isoformat(),
        "ended_at": None if task.ended_at is None else task.ended_at.isoformat(),
    }
