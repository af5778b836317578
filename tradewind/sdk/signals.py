"""How is a task stopped from outside? SIGALRM when its time is over, SIGTERM when it is cancelled; both raise in it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tradewind.sdk.exceptions import AirflowTaskTimeout, TaskTerminated


@contextmanager
def time_limit(seconds: float | None, who: str) -> Iterator[None]:
    """Raise :class:`AirflowTaskTimeout` in the block once it has run for ``seconds``; no limit when None.

    Works in the main thread only, which is where tasks run; elsewhere the supervisor's own limit holds alone.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> NoReturn:
        raise AirflowTaskTimeout(f"{who} ran longer than its execution_timeout of {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.000_001))  # 0 would switch the timer off
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def ends_on_sigterm(*, taken_over: bool) -> Iterator[None]:
    """Raise :class:`TaskTerminated` in the block when SIGTERM comes; leaves the signal alone unless ``taken_over``."""
    if not taken_over or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TaskTerminated("Task was told to end (SIGTERM)")

    global _is_taken_over
    before = signal.signal(signal.SIGTERM, stop)
    _is_taken_over = True
    try:
        yield
    finally:
        _is_taken_over = False
        signal.signal(signal.SIGTERM, before)


def group_is_the_tasks() -> bool:
    """Whether this process was started for one task and leads a session of its own, so that its group is the task's.

    Whoever started it ends the whole group with the task. What a task starts belongs into that group then: so it ends
    even when the task's process is killed and can clean up nothing.
    """
    return _is_taken_over and os.getsid(0) == os.getpid()


def end_own_group() -> None:
    """Send SIGTERM to all processes of this group but this one."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        os.killpg(0, signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


_is_taken_over = False
