"""Where may tests kill a process? At named points that do nothing unless the environment names them.

``TRADEWIND_TEST_KILL_AT=after-commit`` ends the process with SIGKILL when it passes that point for the first time,
``after-commit:3`` at the third pass. ``TRADEWIND_TEST_KILL_ONCE=/path`` lets only the first process do so that manages
to create that file, so that the next one, which inherits the environment, lives.
"""

from __future__ import annotations

import os
import signal
from typing import Final

KILL_AT: Final = "TRADEWIND_TEST_KILL_AT"
KILL_ONCE: Final = "TRADEWIND_TEST_KILL_ONCE"

_passes: dict[str, int] = {}


def crash_point(name: str) -> None:
    """End this process at once, as ``kill -9`` would, when a test asks for it at the point ``name``."""
    wanted = os.environ.get(KILL_AT)
    if wanted is None:
        return
    point, _, number = wanted.partition(":")
    if point != name:
        return
    _passes[name] = _passes.get(name, 0) + 1
    if _passes[name] == int(number or 1) and _is_first():
        os.kill(os.getpid(), signal.SIGKILL)


def _is_first() -> bool:
    path = os.environ.get(KILL_ONCE)
    if path is None:
        return True
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True
