"""Who still needs a bundle's folder? Who holds its lock, which ends with the process that took it and its forks.

A lock of the kernel (``flock``) on a file beside the folder: shared by all that use it, taken alone by who removes it.
So no list of users can be wrong, whoever is killed and whenever.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_HELD: Final[list[int]] = []


def lock_shared(path: Path) -> int:
    """Hold a lock file together with others, for as long as the descriptor returned is open here or in a fork."""
    return _lock(path, fcntl.LOCK_SH)


def lock_alone(path: Path) -> int | None:
    """Hold a lock file alone, without waiting; None: somebody else holds it."""
    try:
        return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def lock_waiting(path: Path) -> int:
    """Hold a lock file alone, when nobody else does any more."""
    return _lock(path, fcntl.LOCK_EX)


def hold(path: str) -> None:
    """Hold a lock file until this process and all its forks have ended. Nothing is held when the path is empty."""
    if path:
        with suppress(OSError):  # then it may be removed early, which is told where it matters: a file is missing
            _HELD.append(lock_shared(Path(path)))


def _lock(path: Path, how: int) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, how)
            if _is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # who removed the folder removed this file as well, while we waited


def _is_at(fd: int, path: Path) -> bool:
    try:
        there = os.stat(path)
    except OSError:
        return False
    mine = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
