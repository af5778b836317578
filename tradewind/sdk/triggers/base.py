"""What is a trigger? ``BaseTrigger``: an async watcher that can be written down, run elsewhere, and fires an event."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Hashable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from tradewind.xcom.event_text import Said


class TriggerEvent:
    """What a trigger fires. ``payload`` is handed to the task, so it must be storable as an XCom."""

    def __init__(self, payload: Any) -> None:
        self.payload = payload

    def said(self) -> Said:
        """Return what the task is told."""
        return Said(self.payload)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TriggerEvent) and self.said() == other.said()

    __hash__ = None  # type: ignore[assignment]  # the payload may be anything

    def __repr__(self) -> str:
        return f"TriggerEvent<{self.payload!r}>"


class BaseTaskEndEvent(TriggerEvent):
    """An event that ends the task as it is, without its method being called."""

    task_instance_state: ClassVar[str]

    def __init__(self, *, xcoms: Mapping[str, Any] | None = None) -> None:
        """
        Args:
            xcoms: what the task leaves for others, by key.
        """
        super().__init__(self.task_instance_state)
        self.xcoms = None if xcoms is None else dict(xcoms)

    def said(self) -> Said:
        """Return what the task is told."""
        return Said(end=self.task_instance_state, xcoms=self.xcoms)


class TaskSuccessEvent(BaseTaskEndEvent):
    """Ends the task with success."""

    task_instance_state = "success"


class TaskFailedEvent(BaseTaskEndEvent):
    """Ends the task with failure. Retries apply."""

    task_instance_state = "failed"


class TaskSkippedEvent(BaseTaskEndEvent):
    """Ends the task as skipped."""

    task_instance_state = "skipped"


@dataclass
class StartTriggerArgs:
    """With which trigger does a task with ``start_from_trigger`` begin?

    Attributes:
        trigger_cls: dotted path of the trigger's class.
        next_method: of the operator, called with the event.
        trigger_kwargs: for the trigger; those that are template fields of the operator are rendered.
        next_kwargs: for the method, beside the event.
        timeout: how long to wait at most.
    """

    trigger_cls: str
    next_method: str
    trigger_kwargs: dict[str, Any] | None = None
    next_kwargs: dict[str, Any] | None = None
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class WaitingTask:
    """The task instance that waits for a trigger, as the trigger sees it."""

    id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int


class BaseTrigger(ABC):
    """Base of triggers. It is made twice: in the task, and again from :meth:`serialize` where triggers run.

    Attributes:
        task_instance: who waits; None in the task itself.
        trigger_id: the id of that wait.
    """

    supports_triggerer_queue: bool = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self.task_instance: Any = None
        self.trigger_id: Any = None

    @property
    def task_id(self) -> str | None:
        """The id of the task that waits."""
        return None if self.task_instance is None else str(self.task_instance.task_id)

    @property
    def log(self) -> logging.Logger:
        """The logger whose lines go to the log of the task that waits."""
        return logging.getLogger(f"{type(self).__module__}.{type(self).__name__}")

    @abstractmethod
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the dotted path of the class, and the arguments that make the same trigger again."""

    @abstractmethod
    def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch, and yield an event: an async generator. The first event ends the wait.

        It may be run again from its start, elsewhere: when its process dies, or another triggerer takes over.
        """

    async def cleanup(self) -> None:  # noqa: B027  a hook: the default is to do nothing
        """Let go of what this object holds. Called whenever it ends, also when it will be run elsewhere."""

    async def on_kill(self) -> None:  # noqa: B027  as above
        """End what is watched, e.g. a remote job. Called when a person or the run gave up the task that waits."""

    def __repr__(self) -> str:
        path, kwargs = self.serialize()
        shown = ", ".join(f"{name}={value}" for name, value in kwargs.items())
        return f"<{path} {shown}>"


class BaseEventTrigger(BaseTrigger):
    """Base of triggers that watch for events outside of any task, such as those of an asset's watcher."""

    supports_triggerer_queue = False

    def shared_stream_key(self) -> Hashable | None:
        """Return what is equal for triggers that can share what they read; None: nothing is shared."""
        return None

    @classmethod
    def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Yield raw events for all that share them."""
        raise NotImplementedError(f"{cls.__name__} has no open_shared_stream().")

    def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Yield this trigger's events from the shared ones."""
        raise NotImplementedError(f"{type(self).__name__} has no filter_shared_stream().")
