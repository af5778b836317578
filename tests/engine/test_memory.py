"""Does memory that was needed for a moment go back?"""

from __future__ import annotations

import psutil

from scheduler.memory import give_back


def test_holes_in_the_heap_are_given_back() -> None:
    blocks = [bytearray(2000) for _ in range(20_000)]
    pin = bytearray(2000)  # above the holes, so that the heap cannot simply shrink
    del blocks
    before = psutil.Process().memory_info().rss

    assert give_back()

    assert psutil.Process().memory_info().rss < before - 20 * 2**20
    assert len(pin) == 2000
