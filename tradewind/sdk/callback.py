"""Which user code does a deadline call? ``AsyncCallback`` and ``SyncCallback``: a callable or its path."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from tradewind.errors import DagError

_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


class Callback:
    """User code to be called later, in a process of its own: a callable, or the dotted path of one.

    It gets ``kwargs``, and ``context`` when it can take it: the run's, with ``deadline``. A class (a notifier) is made
    with these arguments and then called, or awaited.

    Raises:
        ImportError: a text that is no dotted path.
        ValueError: ``kwargs`` has ``context`` in it, which is given by us.
    """

    path: str
    kwargs: dict[str, Any]

    def __init__(self, callback_callable: Callable[..., Any] | str, kwargs: dict[str, Any] | None = None) -> None:
        if kwargs and "context" in kwargs:
            raise ValueError(f"{type(self).__name__}: 'context' is given to every callback. Take it out of kwargs.")
        self._function = callback_callable if callable(callback_callable) else None
        self.path = self.get_callback_path(callback_callable)
        self.kwargs = kwargs or {}

    @classmethod
    def get_callback_path(cls, _callback: Callable[..., Any] | str) -> str:
        """Return the dotted path of a callable; a path is returned as it is, checked as far as it can be imported."""
        if callable(_callback):
            cls.verify_callable(_callback)
            return f"{_callback.__module__}.{_callback.__qualname__}"
        if not isinstance(_callback, str) or not _PATH.fullmatch(_callback.strip()):
            raise ImportError(
                f"{cls.__name__}: {_callback!r} is neither a function nor the dotted path of one, such as "
                "'package.module.function'. Give one of the two."
            )
        path = _callback.strip()
        try:
            found = import_path(path)
        except ImportError:
            return path  # it may well be there where it is called
        if not callable(found):
            raise AttributeError(f"{cls.__name__}: {path} is not callable. Give the path of a function.")
        cls.verify_callable(found)
        return path

    @classmethod
    def verify_callable(cls, callback: Callable[..., Any]) -> None:
        """Raise AttributeError when ``callback`` is not of the kind that this class is for."""

    def function(self) -> Callable[..., Any]:
        """Return what is to be called.

        Raises:
            ImportError: the path leads nowhere in this process.
        """
        return self._function if self._function is not None else import_path(self.path)

    @classmethod
    def serialized_fields(cls) -> tuple[str, ...]:
        """The names of the attributes that make up a callback."""
        return ("path", "kwargs")

    def serialize(self) -> dict[str, Any]:
        """Return the attributes that make up this callback."""
        return {name: getattr(self, name) for name in self.serialized_fields()}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Callback) or type(self) is not type(other):
            return NotImplemented
        return self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash((type(self), self.path))


class AsyncCallback(Callback):
    """A coroutine function, or a class whose instances can be awaited."""

    @classmethod
    def verify_callable(cls, callback: Callable[..., Any]) -> None:
        """Refuse what cannot be awaited."""
        if not (inspect.iscoroutinefunction(callback) or hasattr(callback, "__await__")):
            raise AttributeError(
                f"AsyncCallback: {callback} cannot be awaited. Make it an `async def`, or use SyncCallback."
            )


class SyncCallback(Callback):
    """An ordinary function, or a class whose instances can be called. ``executor``: where, when not in the default."""

    def __init__(
        self,
        callback_callable: Callable[..., Any] | str,
        kwargs: dict[str, Any] | None = None,
        executor: str | None = None,
    ) -> None:
        super().__init__(callback_callable, kwargs)
        self.executor = executor

    @classmethod
    def serialized_fields(cls) -> tuple[str, ...]:
        """The names of the attributes that make up a callback."""
        return (*super().serialized_fields(), "executor")


def import_path(path: str) -> Any:
    """Return what a dotted path leads to.

    Raises:
        ImportError: there is no such module, or no such name in it.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except AttributeError:
        raise ImportError(f"{module} has no name {name!r}.") from None


def checked(who: str, callback: Any) -> Callback:
    """Return ``callback`` when it is one that can be called later.

    Raises:
        DagError: it is something else.
    """
    if not isinstance(callback, AsyncCallback | SyncCallback):
        raise DagError(
            f"{who}: callback must be an AsyncCallback or a SyncCallback, not {callback!r} "
            f"({type(callback).__name__}). Write SyncCallback(function)."
        )
    return callback
