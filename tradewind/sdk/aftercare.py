"""Who else is told when a task starts or ends? Listeners of plugins, and those whom ``email=`` names."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tradewind.plugins import load, policies
from tradewind.sdk.run_variables import context_variables
from tradewind.sdk.states import TaskInstanceState
from tradewind.sdk.traceback_text import user_traceback

if TYPE_CHECKING:
    from tradewind.model.orders import Aftermath
    from tradewind.sdk.context import Context
    from tradewind.sdk.operator import BaseOperator

log: Final = logging.getLogger("airflow.task")


class TaskRunnerMarker:
    """The component that ``on_starting`` and ``before_stopping`` are told of: a process that runs one task."""

    def __repr__(self) -> str:
        return "<task process>"


def tell_start(context: Context) -> None:
    """A task is about to be executed: give it the environment of its run and of policies, and tell the listeners."""
    os.environ.update(context_variables(context))
    os.environ.update(policies.context_variables(context))
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


def tell_changes(then: Aftermath | None, context: Context) -> None:
    """A task that has succeeded reports changes of assets."""
    if then is None or not then.asset_changes or not load.current().plugins:
        return
    from tradewind.model.asset_talk import AssetFacts, EventFacts
    from tradewind.sdk.assets.events import AssetEvent

    ti = context["ti"]
    for change in then.asset_changes:
        facts = AssetFacts(change.name or change.uri or "", change.uri or change.name or "")
        source = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        aliases = (change.alias,) if change.alias else ()
        # It has no number yet: it is stored with the end of the task.
        event = AssetEvent(
            EventFacts(0, datetime.now(UTC), facts, change.extra, *source, aliases, change.partition_key)
        )
        _tell("on_asset_changed", asset=event.asset)
        _tell("on_asset_event_emitted", asset_event=event)


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
