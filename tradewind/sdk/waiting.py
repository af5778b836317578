"""How does a task let go of its slot to wait for a trigger or a person, and how does it come back?"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tradewind.model.orders import IN_DAG_FILE, Aftermath, Resumption, Wait
from tradewind.sdk.exceptions import AirflowException, AirflowSkipException, TaskAwaitingInput, TaskDeferred
from tradewind.sdk.loader import module_name
from tradewind.sdk.operator import FAIL, TRIGGER_TIMEOUT
from tradewind.sdk.templates import Renderer
from tradewind.sdk.triggers.base import BaseTrigger, TriggerEvent
from tradewind.xcom.event_text import Said, read_event, write_event
from tradewind.xcom.serde import decode, encode

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.operator import BaseOperator
    from tradewind.sdk.task_instance import RunningTask

TIMEOUT: Final = "timeout"
"""What :attr:`Resumption.failure` says when the time was over."""


TRIGGER_FAILURE: Final = "Trigger failure"
"""The error of a wait whose trigger failed."""


# --- letting go ------------------------------------------------------------------------------------------------------


def let_go(task: BaseOperator, signal: TaskDeferred | TaskAwaitingInput) -> Aftermath:
    """Return what is to be waited for.

    Raises:
        AirflowException: it cannot be written down, or could not be found again.
    """
    method = _method(task, signal.method_name)
    kwargs = _object(signal.kwargs, f"{task.who}: kwargs= of defer()")
    seconds = _seconds(task, signal.timeout)
    if isinstance(signal, TaskAwaitingInput):
        late = write_event(Said(signal.timeout_payload), f"{task.who}: what stands for an answer")
        wait = Wait(method, kwargs, timeout_seconds=seconds, timeout_event=late, question=signal.question)
        return Aftermath(wait=wait)
    path, arguments = _written(task, signal.trigger)
    return Aftermath(wait=Wait(method, kwargs, path, arguments, seconds))


def start_from_trigger(task: BaseOperator, context: Context) -> None:
    """Return when the task begins with ``execute``.

    Raises:
        TaskDeferred: it begins with its trigger.
    """
    given = task.start_trigger_args
    if not task.start_from_trigger or given is None:
        return
    arguments = dict(given.trigger_kwargs or {})
    renderer = Renderer(task, context)
    for name in arguments.keys() & set(task.template_fields):
        arguments[name] = renderer.render_value(arguments[name])
    raise TaskDeferred(
        trigger=_Named(given.trigger_cls, arguments),
        method_name=given.next_method,
        kwargs=given.next_kwargs,
        timeout=given.timeout,
    )


class _Named(BaseTrigger):
    """A trigger that is only named here, and made where triggers run."""

    def __init__(self, path: str, arguments: dict[str, Any]) -> None:
        super().__init__()
        self._path, self._arguments = path, arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return self._path, self._arguments

    def run(self) -> AsyncIterator[TriggerEvent]:
        raise NotImplementedError(f"{self._path} is run where triggers run.")


def _method(task: BaseOperator, name: Any) -> str:
    if name is None:
        return ""
    if not isinstance(name, str) or not callable(getattr(task, name, None)):
        raise AirflowException(
            f"{task.who} waits, and is to go on with its method {name!r}, but {type(task).__name__} has none of that "
            "name. Give method_name= the name of a method that takes (self, context, event)."
        )
    return name


def _object(given: Any, what: str) -> str | None:
    if not given:
        return None
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise AirflowException(f"{what} must be a dict with text keys, not {given!r}.")
    return encode(dict(given), what)


def _seconds(task: BaseOperator, timeout: Any) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, timedelta):
        return max(0.0, timeout.total_seconds())
    if isinstance(timeout, int | float) and not isinstance(timeout, bool):
        return max(0.0, float(timeout))
    raise AirflowException(f"{task.who}: the timeout of a wait must be a timedelta or seconds, not {timeout!r}.")


def _written(task: BaseOperator, trigger: Any) -> tuple[str, str | None]:
    """Return the path of a trigger's class, and its arguments as text."""
    kind = type(trigger)
    if not callable(getattr(trigger, "serialize", None)) or not callable(getattr(trigger, "run", None)):
        raise AirflowException(
            f"{task.who} defers to {trigger!r}, which is no trigger. Give trigger= an instance of a BaseTrigger."
        )
    written = trigger.serialize()
    if not (isinstance(written, tuple) and len(written) == 2 and isinstance(written[0], str)):
        raise AirflowException(
            f"{kind.__name__}.serialize() returned {written!r}; it must return the dotted path of the class and a dict "
            "of the arguments that make it again."
        )
    path, arguments = written
    if path.rpartition(".")[2] == kind.__qualname__.rpartition(".")[2]:
        path = _found_again(task, kind, path)
    return path, _object(arguments, f"{kind.__name__}.serialize(), its arguments")


def _found_again(task: BaseOperator, kind: type, path: str) -> str:
    """Return the path under which the class is found where triggers run."""
    if task.dag is not None and kind.__module__ == module_name(task.dag.fileloc):
        if "<locals>" in kind.__qualname__:
            raise AirflowException(
                f"The trigger class {kind.__qualname__} stands inside a function, where it cannot be found again. "
                "Move it to the top of the DAG file, or better into a module beside it."
            )
        return f"{IN_DAG_FILE}{kind.__qualname__}"
    module = inspect.getmodule(kind)
    if module is not None and path.rpartition(".")[0] not in sys.modules and "<locals>" not in kind.__qualname__:
        # A path that means nothing here, such as one that was left when the class was moved.
        return path if _can_import(path) else f"{kind.__module__}.{kind.__qualname__}"
    return path


def _can_import(path: str) -> bool:
    from importlib import import_module

    try:
        return hasattr(import_module(path.rpartition(".")[0]), path.rpartition(".")[2])
    except Exception:  # whatever the module does when it is imported
        return False


# --- coming back -----------------------------------------------------------------------------------------------------


def is_ended(ti: RunningTask, resume: Resumption | None) -> bool:
    """Return whether the trigger has ended the task with success; then its XComs are pushed here.

    Raises:
        AirflowSkipException: it has ended the task as skipped.
        AirflowException: it has ended the task with failure.
    """
    if resume is None or resume.event is None or resume.failure is not None:
        return False
    said = read_event(resume.event)
    if said.end is None:
        return False
    for key, value in (said.xcoms or {}).items():
        ti.xcom_push(key, value)
    if said.end == "skipped":
        raise AirflowSkipException("The trigger ended this task as skipped.")
    if said.end == "failed":
        raise AirflowException("The trigger ended this task with failure.")
    return True


def go_on(task: BaseOperator, context: Context, resume: Resumption) -> Any:
    """Call the method with which the task goes on, and return what it returns."""
    if resume.failure is not None:
        told: dict[str, Any] = {"error": TRIGGER_TIMEOUT}
        if resume.failure != TIMEOUT:
            told = {"error": TRIGGER_FAILURE, "traceback": resume.failure.splitlines()}
        return task.resume_execution(FAIL, told, context)
    kwargs = {} if resume.kwargs is None else dict(decode(resume.kwargs))
    if resume.event is not None:
        kwargs["event"] = read_event(resume.event).payload
    return task.resume_execution(resume.method, kwargs, context)
