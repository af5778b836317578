"""How is a process told to stop in order? By SIGTERM, or by Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType


def call_on_stop(stop: Callable[[], None]) -> None:
    """Call ``stop`` when this process is told to stop. For the main thread."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
