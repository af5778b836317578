"""How is user code called that hangs on a run or a task, when no task process could call it? In a process of its own.

What is called is found in the DAG file, as the run's own version of it has it; the order only says which, and what
happened. Its ``payload``, by ``kind``:

* run: ``hook`` (on_success_callback or on_failure_callback), ``reason``, ``task``: the last or the failed task.
* task: ``hook`` (on_failure_callback or on_retry_callback), ``error``, ``task``.
* deadline: ``number`` of the alert, ``due_at``. reckoning: ``number``, ``base`` of the interval when it is known.
* listener: ``hook``, ``msg``.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tradewind.errors import DagError, NotFound
from tradewind.model.orders import Aftermath, Outcome
from tradewind.sdk import reach
from tradewind.sdk.context import Context, build_context, build_run_context
from tradewind.sdk.current import running
from tradewind.sdk.deadline import reckon
from tradewind.sdk.exceptions import AirflowException, AirflowTaskTimeout
from tradewind.sdk.execution import TaskResult
from tradewind.sdk.instants import pendulum_utc
from tradewind.sdk.signals import ends_on_sigterm, time_limit
from tradewind.sdk.traceback_text import one_line, user_traceback

if TYPE_CHECKING:
    from tradewind.model.orders import AttemptOrder, CallbackOrder
    from tradewind.sdk.callback import Callback
    from tradewind.sdk.channel import TaskChannel
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.deadline import DeadlineAlert
    from tradewind.sdk.operator import BaseOperator

log: Final = logging.getLogger("airflow.callback")


def run_callback(dag: DAG, order: AttemptOrder, channel: TaskChannel, *, in_process: bool = False) -> TaskResult:
    """Make the call that ``order.callback`` asks for, and return how it went.

    Args:
        dag: the DAG, as its file defines it.
        channel: the way out.
        in_process: the caller's own process makes the call (``dag.test``), so SIGTERM is not taken over.

    Returns:
        Always a result. One function that fails does not keep the others from being called; the result is failed then,
        and is not to be tried again.
    """
    call = order.callback
    assert call is not None
    with reach.through(channel), ends_on_sigterm(taken_over=not in_process):
        try:
            with time_limit(order.execution_timeout_seconds, f"the call ({call.kind})"):
                return _KINDS[call.kind](dag, order, call, channel)
        except (Exception, AirflowTaskTimeout) as error:
            return _failure(error, call.kind)


# --- the end of a run ------------------------------------------------------------------------------------------------


def _for_run(dag: DAG, order: AttemptOrder, call: CallbackOrder, channel: TaskChannel) -> TaskResult:
    hook = call.payload["hook"]
    functions: list[Callable[..., Any]] = getattr(dag, hook)
    if not functions:
        log.warning("DAG %r has no %s any more; nothing is called.", dag.dag_id, hook)
    context = _context(dag, order, call, channel)
    context["dag_run"].state = "success" if hook == "on_success_callback" else "failed"
    context["reason"] = call.payload.get("reason")
    return _call_each(functions, context, hook)


# --- a task that could not call back itself --------------------------------------------------------------------------


def _for_task(dag: DAG, order: AttemptOrder, call: CallbackOrder, channel: TaskChannel) -> TaskResult:
    # Late: a task process that runs a task never needs this.
    from tradewind.sdk import aftercare

    hook = call.payload["hook"]
    context = _context(dag, order, call, channel)
    error = AirflowException(call.payload.get("error") or "the task failed outside of its process")
    context["exception"], context["reason"] = error, str(error)
    task = context.get("task")
    if task is None:
        return _failure(NotFound("Task", order.task_id, dag.task_dict, within=f"of DAG {dag.dag_id!r}"), hook)
    result = _call_each(getattr(task, hook), context, hook)
    aftercare.tell_failure(task, context, error, is_retry=hook == "on_retry_callback")
    return result


# --- deadlines -----------------------------------------------------------------------------------------------------


def _for_deadline(dag: DAG, order: AttemptOrder, call: CallbackOrder, channel: TaskChannel) -> TaskResult:
    alert = _alert(dag, call, order.task_id)
    context = _context(dag, order, call, channel)
    due_at = datetime.fromisoformat(call.payload["due_at"])
    context["deadline"] = {"id": str(call.id), "deadline_time": pendulum_utc(due_at), "name": alert.name}
    what = f"task {order.task_id!r} in run {order.run_id!r}" if order.task_id else f"run {order.run_id!r}"
    log.info("The deadline of %s passed at %s; %s is called.", what, due_at, alert.callback.path)
    with running(context):
        _call(alert.callback, context)
    return TaskResult(Outcome.SUCCESS)


def _reckoning(dag: DAG, order: AttemptOrder, call: CallbackOrder, channel: TaskChannel) -> TaskResult:
    base = call.payload.get("base")
    at = reckon(dag, _alert(dag, call), order, None if base is None else datetime.fromisoformat(base))
    log.info("The deadline of run %r is %s.", order.run_id, at or "none: its reference gives no instant")
    return TaskResult(Outcome.SUCCESS, then=None if at is None else Aftermath(resume_at=at.astimezone(UTC)))


def _alert(dag: DAG, call: CallbackOrder, task_id: str = "") -> DeadlineAlert:
    """Return the alert that a call is about: of a task, or of the run."""
    number, owner = call.payload["number"], dag.get_task(task_id) if task_id else dag
    if number >= len(owner.deadline):
        raise DagError(
            f"{owner.who} has {len(owner.deadline)} deadlines, and number {number + 1} is asked for: the file does not "
            "define the same DAG each time it is imported. Look for what depends on time or on another system."
        )
    alert: DeadlineAlert = owner.deadline[number]
    return alert


def _call(callback: Callback, context: Context) -> None:
    """Call a function; make and call a notifier. What gives an awaitable is awaited."""
    function = callback.function()
    arguments = dict(callback.kwargs)
    if _takes(function, "context"):
        arguments["context"] = context
    made = function(**arguments)
    if inspect.isawaitable(made):
        asyncio.run(_wait_for(made))
    elif callable(made):
        answer = made(context)
        if inspect.isawaitable(answer):
            asyncio.run(_wait_for(answer))


async def _wait_for(awaitable: Awaitable[Any]) -> None:
    await awaitable


def _takes(function: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(one.name == name or one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)


# --- listeners -------------------------------------------------------------------------------------------------------


def _for_listeners(dag: DAG, order: AttemptOrder, call: CallbackOrder, channel: TaskChannel) -> TaskResult:
    from tradewind.plugins import listeners

    hook = call.payload["hook"]
    context = _context(dag, order, call, channel)
    run = context["dag_run"]
    run.state = _STATES_AT[hook]
    run.end_date = _instant(call.payload.get("ended_at"))
    failures = listeners.tell(hook, dag_run=run, msg=call.payload.get("msg", ""))
    if failures:
        return TaskResult(Outcome.FAILED, error=one_line(failures[0]), may_retry=False)
    return TaskResult(Outcome.SUCCESS)


_STATES_AT: Final = {"on_dag_run_running": "running", "on_dag_run_success": "success", "on_dag_run_failed": "failed"}


# --- in common -------------------------------------------------------------------------------------------------------


def _context(dag: DAG, order: AttemptOrder, call: CallbackOrder, channel: TaskChannel) -> Context:
    """Return the context of the task that the order names; of the run when it names none, or it is gone."""
    if not order.task_id or not dag.has_task(order.task_id):
        return build_run_context(order, dag, channel)
    task: BaseOperator = dag.get_task(order.task_id).for_attempt()
    context = build_context(order, dag, task, channel)
    ti, facts = context["ti"], call.payload.get("task") or {}
    ti.state = facts.get("state", ti.state)
    ti.start_date, ti.end_date = _instant(facts.get("started_at")), _instant(facts.get("ended_at"))
    ti.hostname = facts.get("hostname") or ""
    return context


def _instant(text: str | None) -> Any:
    return None if text is None else pendulum_utc(datetime.fromisoformat(text))


def _call_each(functions: list[Callable[..., Any]], context: Mapping[str, Any], hook: str) -> TaskResult:
    """Call all, whatever becomes of each."""
    errors = []
    with running(Context.of(context)):
        for function in functions:
            name = getattr(function, "__name__", type(function).__name__)
            log.info("Calling %s: %s", hook, name)
            try:
                function(context)
            except Exception as error:
                log.error("%s %s failed\n%s", hook, name, user_traceback(error))
                errors.append(error)
    if not errors:
        return TaskResult(Outcome.SUCCESS)
    return TaskResult(Outcome.FAILED, error=one_line(errors[0]), may_retry=False)


def _failure(error: BaseException, what: str) -> TaskResult:
    log.error("The call (%s) failed\n%s", what, user_traceback(error))
    return TaskResult(Outcome.FAILED, error=one_line(error), may_retry=False)


_KINDS: Final[Mapping[str, Callable[[DAG, AttemptOrder, CallbackOrder, TaskChannel], TaskResult]]] = {
    "run": _for_run,
    "task": _for_task,
    "deadline": _for_deadline,
    "reckoning": _reckoning,
    "listener": _for_listeners,
}
