"""How does a test wait for an outside process? With a deadline, and with an answer that says what was missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout: float = 10.0, *, what: str = "", every: float = 0.01) -> T:
    """Return the first true value of ``predicate``, asked again and again.

    For outside processes that give no event; inside one process wait on a ``threading.Event`` instead.

    Args:
        timeout: seconds. Being too patient costs nothing when all is well.
        what: what is awaited, for the message.
        every: seconds between two looks.

    Raises:
        AssertionError: it did not come true in time. An ``AssertionError`` of the predicate itself counts as "not
            yet", and the last one is shown.
    """
    deadline = time.monotonic() + timeout
    last: AssertionError | None = None
    while True:
        try:
            value = predicate()
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what or predicate} did not come true within {timeout:g} s") from last
        time.sleep(every)
