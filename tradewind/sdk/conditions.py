"""Should a task run at all? ``@task.run_if`` and ``@task.skip_if``: asked in its process, before it begins."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tradewind.sdk.exceptions import AirflowSkipException

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

Condition = Callable[["Context"], bool | tuple[bool, str | None]]
"""Says yes or no, and may say why in a second value."""
Hook = Callable[["Context"], Any]
_DEFAULT = "Task was skipped due to condition."


class _TaskMaker(Protocol):
    settings: dict[str, Any]


T = TypeVar("T", bound=_TaskMaker)


def conditional(word: str, condition: Condition, skip_message: str | None, *, skips_when: bool) -> Callable[[T], T]:
    """Return a decorator for what ``@task`` has made: its tasks are skipped when ``condition`` says ``skips_when``.

    Args:
        word: how the user wrote it, e.g. ``@task.run_if``.
        skip_message: the reason that is shown, unless the condition gives one.
    """

    @functools.wraps(condition)
    def ask(context: Context) -> None:
        answer = condition(context)
        message = skip_message or _DEFAULT
        if isinstance(answer, tuple):
            answer, own_message = answer
            message = own_message or message
        if bool(answer) is skips_when:
            raise AirflowSkipException(message)

    def decorate(maker: T) -> T:
        settings = getattr(maker, "settings", None)
        if not isinstance(settings, dict):
            raise TypeError(f"{word} goes above @task, and got {maker!r}. Write it in the line before @task.")
        settings["pre_execute"] = _both(settings.get("pre_execute"), ask)
        return maker

    return decorate


def _both(first: Hook | None, second: Hook) -> Hook:
    if first is None:
        return second

    def pre_execute(context: Context) -> None:
        first(context)
        second(context)

    return pre_execute
