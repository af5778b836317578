"""Which trigger keeps all others waiting? Each step of a trigger is timed, so that one that blocks has a name."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final
from uuid import UUID

WARN_SECONDS: Final = 0.2
"""A step that takes longer is told: all other triggers stood still for that time."""


class Board:
    """Says which trigger is in the middle of a step. Written by the loop's thread, read by any."""

    def __init__(self, on_blocked: Callable[[UUID, float], None]) -> None:
        """
        Args:
            on_blocked: called after a step that took longer than :data:`WARN_SECONDS`.
        """
        self._on_blocked = on_blocked
        self._step: tuple[UUID, float, int] | None = None
        self._others = 0.0

    def begin(self, wait: UUID, thread: int) -> None:
        """Note that a step begins. Called in the loop's thread."""
        self._step = wait, time.monotonic(), thread
        self._others = _cpu_of_others()

    def end(self) -> None:
        """Note that it is over. Called in the loop's thread."""
        step, self._step = self._step, None
        if step is None or (seconds := time.monotonic() - step[1]) <= WARN_SECONDS:
            return
        # While other threads computed, this one may have waited for its turn: that is nobody's fault.
        seconds -= _cpu_of_others() - self._others
        if seconds > WARN_SECONDS:
            self._on_blocked(step[0], seconds)

    def blocked(self) -> tuple[UUID, float, str] | None:
        """Return who is in a step that takes long, for how many seconds, and where it stands; None: nobody."""
        step = self._step
        if step is None or (seconds := time.monotonic() - step[1]) <= WARN_SECONDS:
            return None
        frame = sys._current_frames().get(step[2])
        return step[0], seconds, "".join(traceback.format_stack(frame)[-6:]) if frame is not None else ""


def _cpu_of_others() -> float:
    """Return the CPU seconds of the other threads of this process."""
    return time.process_time() - time.thread_time()


class Timed(Coroutine[Any, Any, None]):
    """A coroutine whose steps are noted on a board."""

    def __init__(self, inner: Coroutine[Any, Any, None], wait: UUID, board: Board, thread: int) -> None:
        self._inner, self._wait, self._board, self._thread = inner, wait, board, thread

    def send(self, value: Any) -> Any:
        """Take a step."""
        self._board.begin(self._wait, self._thread)
        try:
            return self._inner.send(value)
        finally:
            self._board.end()

    def throw(self, kind: Any, value: Any = None, trace: TracebackType | None = None) -> Any:
        """Take a step that begins with an error."""
        self._board.begin(self._wait, self._thread)
        try:
            # One argument: the form with three is deprecated.
            return self._inner.throw(kind if value is None else value)
        finally:
            self._board.end()

    def close(self) -> None:
        """End it."""
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # cr_frame and its kin, which libraries look at
