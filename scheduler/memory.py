"""How does a process that lives for months give back memory that it needed for a moment?

Reading the specs of a hundred DAGs, or a run of ten thousand tasks, leaves the heap of the C library full of holes,
which it keeps. Twenty MiB of an idle scheduler were such holes.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


def give_back() -> bool:
    """Hand free pages of the heap back to the operating system; costs a few milliseconds.

    Returns:
        Whether there were any. False where the C library is not glibc, which is the only one that has to be asked.
    """
    trim = _malloc_trim()
    return trim is not None and bool(trim(0))


@cache
def _malloc_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
