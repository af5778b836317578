"""How is one attempt run, inside its process? Render, execute, push the result, call back; every end is a result.

Nothing here starts or watches processes: the runner does that, ``dag.test`` needs none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tradewind.model.orders import Aftermath, Outcome, XComValue
from tradewind.sdk import reach
from tradewind.sdk.context import Context, build_context
from tradewind.sdk.current import running
from tradewind.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskTerminated,
)
from tradewind.sdk.instants import pendulum_utc
from tradewind.sdk.rendered import shown_fields
from tradewind.sdk.signals import ends_on_sigterm, time_limit
from tradewind.sdk.templates import Renderer
from tradewind.sdk.traceback_text import one_line, user_traceback
from tradewind.sdk.xcom_arg import RETURN_VALUE
from tradewind.xcom.errors import XComError

if TYPE_CHECKING:
    from tradewind.model.orders import AttemptOrder
    from tradewind.sdk.channel import TaskChannel
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.operator import BaseOperator

log: Final = logging.getLogger("airflow.task")


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How an attempt ended, as the task process sees it.

    Attributes:
        outcome: success, failed or skipped.
        xcoms: what to store in the same commit as the end: the return value. What the task pushed itself is stored.
        error: one line, for failures and skips.
        may_retry: whether another try makes sense; False once the task said that it does not.
        then: what follows beside the outcome, e.g. which tasks are skipped.
    """

    outcome: Outcome
    xcoms: tuple[XComValue, ...] = ()
    error: str | None = None
    may_retry: bool = True
    then: Aftermath | None = None


def run_task(
    dag: DAG, task: BaseOperator, order: AttemptOrder, channel: TaskChannel, *, in_process: bool = False
) -> TaskResult:
    """Run one attempt of ``task`` and return how it ended.

    Args:
        dag: the DAG, as its file defines it.
        task: a task of it; left as it is, since a copy of it is rendered and run.
        order: which attempt of which run.
        channel: the way out.
        in_process: the caller's own process runs the task (``dag.test``): Ctrl-C and the debugger's quit go through to
            the caller, and SIGTERM is not taken over.

    Returns:
        Always a result: whatever the task raises ends here, is logged with its traceback, and becomes a failure.
    """
    mine = task.for_attempt()
    with reach.through(channel):
        try:
            context = build_context(order, dag, mine, channel)
        except Exception as error:
            return _log_failure(error, may_retry=not isinstance(error, AirflowFailException))
        with running(context), ends_on_sigterm(taken_over=not in_process):
            return _attempt(mine, context, order, channel, in_process)


def _attempt(
    task: BaseOperator, context: Context, order: AttemptOrder, channel: TaskChannel, in_process: bool
) -> TaskResult:
    ti = context["ti"]
    try:
        value = _work(task, context, order, channel)
        xcoms = _outputs(task, context, value)
    except AirflowSkipException as skip:
        log.info("Task skipped: %s", skip)
        result = TaskResult(Outcome.SKIPPED, error=one_line(skip), may_retry=False)
        _end(ti, "skipped")
        _call_back(task.on_skipped_callback, context, "on_skipped_callback", skip)
        return result
    except BaseException as error:
        if in_process and _is_for_the_caller(error):
            raise
        _kill(task, error)
        return _failed(task, context, order, error)
    _end(ti, "success")
    _call_back(task.on_success_callback, context, "on_success_callback", None)
    return TaskResult(Outcome.SUCCESS, xcoms=xcoms)


def _work(task: BaseOperator, context: Context, order: AttemptOrder, channel: TaskChannel) -> Any:
    """Render, then execute with its hooks under the time limit; return what ``execute`` returned."""
    renderer = Renderer(task, context)
    renderer.read_files()
    renderer.render_fields()
    fields = shown_fields(task)
    if fields:
        channel.set_rendered_fields(fields)
    _call_back(task.on_execute_callback, context, "on_execute_callback", None)
    if task.pre_execute_hook:
        task.pre_execute_hook(context)
    task.pre_execute(context)
    with time_limit(order.execution_timeout_seconds, task.who):
        value = task.execute(context)
    if task.post_execute_hook:
        task.post_execute_hook(context, value)
    task.post_execute(context, value)
    return value


def _outputs(task: BaseOperator, context: Context, value: Any) -> tuple[XComValue, ...]:
    """Return the XComs that the returned value becomes.

    Raises:
        XComError: it cannot be stored. Trying again would give the same, so the task fails for good.
    """
    if value is None or not task.do_xcom_push:
        return ()
    values: dict[str, Any] = {RETURN_VALUE: value}
    if task.multiple_outputs:
        values = {**_by_key(task, value), **values}
    ti = context["ti"]
    packed = tuple(ti.packed(key, one) for key, one in values.items())
    ti.keep_until_end(values)
    return packed


def _by_key(task: BaseOperator, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise AirflowException(
            f"{task.who} has multiple_outputs=True, so it must return a dict with text keys, "
            f"not {type(value).__name__}. Return such a dict or remove multiple_outputs."
        )
    return value


def _failed(task: BaseOperator, context: Context, order: AttemptOrder, error: BaseException) -> TaskResult:
    result = _log_failure(error, may_retry=not isinstance(error, AirflowFailException | XComError))
    retries = result.may_retry and order.try_number < order.max_tries
    context["exception"] = error
    _end(context["ti"], "up_for_retry" if retries else "failed")
    if retries:
        _call_back(task.on_retry_callback, context, "on_retry_callback", error)
    else:
        _call_back(task.on_failure_callback, context, "on_failure_callback", error)
    return result


def _log_failure(error: BaseException, *, may_retry: bool) -> TaskResult:
    log.error("Task failed with exception\n%s", user_traceback(error))
    return TaskResult(Outcome.FAILED, error=one_line(error), may_retry=may_retry)


def _call_back(
    functions: list[Callable[[Context], Any]], context: Context, kind: str, error: BaseException | None
) -> None:
    """Call each function; one that fails is logged and changes nothing."""
    if not functions:
        return
    if error is not None:
        context["exception"] = error
        context["reason"] = str(error)
    for function in functions:
        try:
            function(context)
        except Exception as failure:
            name = getattr(function, "__name__", repr(function))
            log.error("%s %s failed; the task's end stays what it is\n%s", kind, name, user_traceback(failure))


def _kill(task: BaseOperator, error: BaseException) -> None:
    """Let the operator clean up what it started, when it was stopped from outside."""
    if not isinstance(error, TaskTerminated | AirflowTaskTimeout | KeyboardInterrupt):
        return
    try:
        task.on_kill()
    except Exception as failure:
        log.error("on_kill failed\n%s", user_traceback(failure))


def _is_for_the_caller(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt) or type(error).__name__ == "BdbQuit"


def _end(ti: Any, state: str) -> None:
    ti.state = state
    ti.end_date = pendulum_utc(datetime.now(UTC))
