"""Who else is told when a task starts or ends? Listeners of plugins, and those whom ``email=`` names."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

from tradewind.plugins import load, policies
from tradewind.sdk.states import TaskInstanceState
from tradewind.sdk.traceback_text import user_traceback

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.operator import BaseOperator

log: Final = logging.getLogger("airflow.task")


class TaskRunnerMarker:
    """The component that ``on_starting`` and ``before_stopping`` are told of: a process that runs one task."""

    def __repr__(self) -> str:
        return "<task process>"


def tell_start(context: Context) -> None:
    """A task is about to be executed: give it the environment that policies add, and tell the listeners."""
    for name, value in policies.context_variables(context).items():
        os.environ[name] = value
    if not load.current().plugins:
        return
    _tell("on_starting", component=TaskRunnerMarker())
    _tell("on_task_instance_running", previous_state=TaskInstanceState.QUEUED, task_instance=context["ti"])


def tell_end(hook: str, context: Context) -> None:
    """A task has ended well (``on_task_instance_success``) or skipped itself (``on_task_instance_skipped``)."""
    if not load.current().plugins:
        return
    _tell(hook, previous_state=TaskInstanceState.RUNNING, task_instance=context["ti"])
    _tell("before_stopping", component=TaskRunnerMarker())


def tell_failure(task: BaseOperator, context: Context, error: BaseException, *, is_retry: bool) -> None:
    """A try of a task has failed; ``is_retry`` when another one follows."""
    if load.current().plugins:
        told = {"previous_state": TaskInstanceState.RUNNING, "task_instance": context["ti"], "error": error}
        _tell("on_task_instance_failed", **told)
        _tell("before_stopping", component=TaskRunnerMarker())
    if task.email and (task.email_on_retry if is_retry else task.email_on_failure):
        _mail(task, context, error)


def _tell(hook: str, **given: Any) -> None:
    from tradewind.plugins import listeners

    listeners.tell(hook, **given)


def _mail(task: BaseOperator, context: Context, error: BaseException) -> None:
    # Late: mail libraries are for the few that fail.
    from tradewind.sdk.alert_mail import send_alert

    try:
        send_alert(task, context, error)
    except Exception as failure:
        log.error("The mail about the failure could not be sent\n%s", user_traceback(failure))
