"""How is one attempt run, inside its process? Render, execute, push the result, call back; every end is a result.

Nothing here starts or watches processes: the runner does that, ``dag.test`` needs none.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from tradewind.model.orders import Aftermath, Outcome, XComValue
from tradewind.sdk import aftercare, reach
from tradewind.sdk.assets.context import asset_changes, check_assets
from tradewind.sdk.assets.yields import run_through
from tradewind.sdk.context import Context, build_context
from tradewind.sdk.current import running
from tradewind.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
    RetryAfter,
    TaskAwaitingInput,
    TaskDeferred,
    TaskTerminated,
)
from tradewind.sdk.instants import pendulum_utc
from tradewind.sdk.mapped_length import length_given
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.rendered import shown_fields
from tradewind.sdk.signals import ends_on_sigterm, time_limit
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.templates import Renderer
from tradewind.sdk.traceback_text import one_line, user_traceback
from tradewind.sdk.waiting import go_on, is_ended, let_go, start_from_trigger
from tradewind.sdk.xcom_arg import RETURN_VALUE
from tradewind.xcom.errors import XComError

if TYPE_CHECKING:
    from tradewind.model.orders import AttemptOrder
    from tradewind.sdk.channel import TaskChannel
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.task_instance import RunningTask

log: Final = logging.getLogger("airflow.task")
_FINAL: Final = (AirflowFailException, AirflowSensorTimeout, XComError)
"""Failures after which trying again is no use."""
_WAITING: Final = ("up_for_reschedule", "deferred", "awaiting_input")
"""How a process may end without the try having ended."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How an attempt ended, as the task process sees it.

    Attributes:
        outcome: success, failed, skipped, or that it waits without a slot.
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
        task = task.concrete(context)
        if is_ended(ti, order.resume):  # by its trigger
            xcoms: tuple[XComValue, ...] = ()
        else:
            value = _work(task, context, order, channel)
            xcoms = _outputs(task, context, value)
    except DownstreamTasksSkipped as decided:
        ti.skips.extend(decided.task_ids)
        xcoms = ()
    except (TaskDeferred, TaskAwaitingInput) as signal:
        return _waits(task, context, order, signal)
    except AirflowRescheduleException as later:
        return _rescheduled(task, context, order, later)
    except AirflowSkipException as skip:
        log.info("Task skipped: %s", skip)
        result = TaskResult(Outcome.SKIPPED, error=one_line(skip), may_retry=False, then=_late_label(task, context))
        _end(ti, "skipped")
        _call_back(task.on_skipped_callback, context, "on_skipped_callback", skip)
        aftercare.tell_end("on_task_instance_skipped", context)
        return result
    except BaseException as error:
        if in_process and _is_for_the_caller(error):
            raise
        _kill(task, error)
        return _failed(task, context, order, error)
    _end(ti, "success")
    _call_back(task.on_success_callback, context, "on_success_callback", None)
    then = _aftermath(task, context)
    aftercare.tell_end("on_task_instance_success", context)
    aftercare.tell_changes(then, context)
    return TaskResult(Outcome.SUCCESS, xcoms=xcoms, then=then)


def _aftermath(task: BaseOperator, context: Context) -> Aftermath | None:
    """Return what follows from a success beside it, or None: nothing."""
    ti: RunningTask = context["ti"]
    then = Aftermath(
        length=ti.length,
        map_label=ti.rendered_map_index,
        skip=tuple(dict.fromkeys(ti.skips)),
        asset_changes=asset_changes(task, context),
    )
    return None if then == Aftermath() else then


def _rescheduled(
    task: BaseOperator, context: Context, order: AttemptOrder, later: AirflowRescheduleException
) -> TaskResult:
    """Let go of the slot until then; a date without a time zone fails the task, as nobody knows when that is."""
    date = later.reschedule_date
    if not isinstance(date, datetime) or date.tzinfo is None:
        wrong = AirflowException(
            f"{task.who}: AirflowRescheduleException needs a datetime with a time zone, not {date!r}."
        )
        return _failed(task, context, order, wrong)
    at = date.astimezone(UTC)
    log.info("Task lets go of its slot until %s", at.isoformat())
    _end(context["ti"], "up_for_reschedule")
    return TaskResult(Outcome.RESCHEDULED, then=Aftermath(resume_at=at))


def _waits(
    task: BaseOperator, context: Context, order: AttemptOrder, signal: TaskDeferred | TaskAwaitingInput
) -> TaskResult:
    """Let go of the slot until a trigger fires or a person answers; a wait that cannot be written down fails."""
    try:
        then = let_go(task, signal)
    except Exception as error:
        error.__suppress_context__ = True  # that the task wanted to wait explains nothing
        return _failed(task, context, order, error)
    outcome = Outcome.AWAITING_INPUT if isinstance(signal, TaskAwaitingInput) else Outcome.DEFERRED
    log.info("Task lets go of its slot and waits (%s)", outcome.value)
    _end(context["ti"], outcome.value)
    return TaskResult(outcome, then=then)


def _work(task: BaseOperator, context: Context, order: AttemptOrder, channel: TaskChannel) -> Any:
    """Render, then execute with its hooks under the time limit; return what ``execute`` returned."""
    renderer = Renderer(task, context)
    renderer.read_files()
    if type(task).render_template_fields is BaseOperator.render_template_fields:
        renderer.render_fields()
    else:  # a class that adds to it
        task.render_template_fields(context)
    fields = shown_fields(task)
    if fields:
        channel.set_rendered_fields(fields)
    check_assets(task, channel)
    aftercare.tell_start(context)
    if order.resume is None:
        start_from_trigger(task, context)
    if task.pre_execute_hook:
        task.pre_execute_hook(context)
    task.pre_execute(context)
    _call_back(task.on_execute_callback, context, "on_execute_callback", None)
    with time_limit(order.execution_timeout_seconds, task.who):
        value = task.execute(context) if order.resume is None else go_on(task, context, order.resume)
        if inspect.isgenerator(value) and inspect.isgeneratorfunction(task.execute):
            value = run_through(value, context["outlet_events"])
    if task.post_execute_hook:
        task.post_execute_hook(context, value)
    _after(task.post_execute, context, value)
    return value


def _after(hook: Callable[..., Any], context: Context, value: Any) -> None:
    """Call the ``post_execute`` of a class, which may take the result or not: Airflow 3 gives it the context alone."""
    try:
        signature_of(hook).bind(context, value)
    except TypeError:
        hook(context)
    else:
        hook(context, value)


def _outputs(task: BaseOperator, context: Context, value: Any) -> tuple[XComValue, ...]:
    """Return the XComs that the returned value becomes.

    Raises:
        XComError: it cannot be stored. Trying again would give the same, so the task fails for good.
    """
    _label(task, context)
    ti = context["ti"]
    kept = value if task.do_xcom_push else None
    ti.length = length_given(context["dag"], task, kept, is_mapped=ti.is_mapped)
    if kept is None:
        return ()
    values: dict[str, Any] = {RETURN_VALUE: value}
    if task.multiple_outputs:
        values = {**_by_key(task, value), **values}
    packed = tuple(ti.packed(key, one) for key, one in values.items())
    ti.keep_until_end(values)
    return packed


def _label(task: BaseOperator, context: Context) -> None:
    """Render ``map_index_template``: now, so that it can name what the task has found out."""
    if task.map_index_template is not None:
        arguments = getattr(task, "op_kwargs", None)  # a function's template may name its arguments
        known = context.with_extra(arguments) if isinstance(arguments, Mapping) else context
        context["ti"].rendered_map_index = str(known.render(task, task.map_index_template))


def _late_label(task: BaseOperator, context: Context) -> Aftermath | None:
    """Return the label of an attempt that did not succeed; None when there is none, or it cannot be rendered now."""
    with suppress(Exception):  # the template may ask for what the task did not get round to
        _label(task, context)
    label = context["ti"].rendered_map_index
    return None if label is None else Aftermath(map_label=label)


def _by_key(task: BaseOperator, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise AirflowException(
            f"{task.who} has multiple_outputs=True, so it must return a dict with text keys, "
            f"not {type(value).__name__}. Return such a dict or remove multiple_outputs."
        )
    return value


def _failed(task: BaseOperator, context: Context, order: AttemptOrder, error: BaseException) -> TaskResult:
    may_retry, then = not isinstance(error, _FINAL), Aftermath()
    if isinstance(error, RetryAfter):
        then = Aftermath(retry_delay_seconds=error.delay_seconds, retry_is_free=not error.counts, pause_rate=error.rate)
    elif may_retry and task.retry_policy is not None:
        may_retry, delay = _ask_policy(task, context, order, error)
        if delay is not None:
            then = Aftermath(retry_delay_seconds=delay.total_seconds())
    named = _late_label(task, context)
    if named is not None:
        then = structs.replace(then, map_label=named.map_label)
    result = _log_failure(error, may_retry=may_retry, then=None if then == Aftermath() else then)
    retries = then.retry_is_free or (may_retry and order.try_number < order.max_tries)
    context["exception"] = error
    _end(context["ti"], "up_for_retry" if retries else "failed")
    if retries:
        _call_back(task.on_retry_callback, context, "on_retry_callback", error)
    else:
        _call_back(task.on_failure_callback, context, "on_failure_callback", error)
    aftercare.tell_failure(task, context, error, is_retry=retries)
    return result


def _ask_policy(
    task: BaseOperator, context: Context, order: AttemptOrder, error: BaseException
) -> tuple[bool, timedelta | None]:
    """Return whether the ``retry_policy`` lets the task be tried again, and the delay that it asks for."""
    from tradewind.sdk.retry_policy import RetryAction, decide

    decision = decide(task, error, order.try_number, order.max_tries - 1, context)
    return decision.action is not RetryAction.FAIL, decision.retry_delay


def _log_failure(error: BaseException, *, may_retry: bool, then: Aftermath | None = None) -> TaskResult:
    if isinstance(error, RetryAfter):  # nothing went wrong in the code
        log.warning("Task was told to come back in %g s: %s", error.delay_seconds, error)
    else:
        log.error("Task failed with exception\n%s", user_traceback(error))
    return TaskResult(Outcome.FAILED, error=one_line(error), may_retry=may_retry, then=then)


def _call_back(
    functions: list[Callable[[Context], Any]], context: Context, kind: str, error: BaseException | None
) -> None:
    """Call each function; one that fails is logged and changes nothing."""
    if not functions:
        return
    context["exception"] = error
    if error is not None:
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
    if state not in _WAITING and getattr(ti.task, "operator_extra_links", None):
        from tradewind.sdk.operator_links import leave_links

        leave_links(ti.task, ti)
