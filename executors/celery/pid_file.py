"""Which workers run on this machine? Each holds a lock on its pid file, so one left behind is known as such."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradewind.errors import Conflict, UsageError


def default_path(home: Path, name: str) -> Path:
    """Return where a worker of this name says its process id."""
    return home / f"worker-{name.replace(os.sep, '_')}.pid"


def pid_files(home: Path) -> list[Path]:
    """Return the files of all workers of this home, those that have ended too."""
    return sorted(home.glob("worker-*.pid"))


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep this process's id in a file, locked, while the context lasts.

    Raises:
        Conflict: a worker that runs has the file.
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise UsageError(
            f"The pid file {path} cannot be written: {error.strerror}. Name another with --pid."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Conflict(
                f"A worker with the pid file {path} runs already (process {file.read().strip() or 'unknown'}). Give "
                "this one a name of its own: --celery-hostname second@%h."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def running_pid(path: Path) -> int | None:
    """Return the process that holds a pid file; None when none does any more."""
    try:
        with path.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                text = file.read().strip()
                return int(text) if text.isdecimal() else None
    except FileNotFoundError:
        pass
    return None
