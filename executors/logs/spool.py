"""What has this process written that the log store does not have yet? A folder of small files, one for each log.

It lies in the log folder, so that whoever starts on this machine next ships what a killed process has left. A file is
named after the attempt that writes, and holds the name of its log. Its ending says how far things are: none while the
attempt runs, ``.paused`` when it has ended and its task may go on in the same log, ``.over`` when nothing comes after.

Whoever writes holds the lock ``writer``, whoever ships the lock ``shipper``. A spool with neither was left behind.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

log = logging.getLogger(__name__)

FOLDER: Final = ".outgoing"
"""Holds the spools, in the log folder."""
_WRITER: Final = "writer"
_SHIPPER: Final = "shipper"
_AGAIN_SECONDS: Final = 2.0
PAUSED: Final = ".paused"
OVER: Final = ".over"


class Entry(NamedTuple):
    """One log that somebody writes, or has written."""

    key: str
    name: str  # of the log, below the log folder
    is_ended: bool  # its attempt has ended
    is_over: bool  # nothing comes after it


class Spool:
    """The spool of this process, as the writer sees it. Never blocks for long, never raises for what the disk does."""

    def __init__(self, base: Path) -> None:
        """
        Args:
            base: the log folder.
        """
        self.folder: Final = base / FOLDER / uuid4().hex
        self._lock = threading.Lock()
        self._unwritten: dict[str, tuple[str, str]] = {}  # key -> name and ending, while the disk is full
        self._writer = -1

    def open(self) -> None:
        """Make the folder. Called once.

        Raises:
            OSError: it cannot be made.
        """
        fresh = self.folder.with_name(f".new-{self.folder.name}")
        fresh.mkdir(parents=True)
        self._writer = os.open(fresh / _WRITER, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._writer, fcntl.LOCK_EX)
        fresh.rename(self.folder)  # only now: one without a lock would be taken for left behind

    def begin(self, key: str, name: str) -> None:
        """Somebody is about to write a log."""
        with self._lock:
            if not self._write(key, name, ""):
                self._keep(key, name, "")

    def end(self, key: str, *, is_over: bool) -> None:
        """They have ended. ``is_over``: nobody goes on with this log."""
        ending = OVER if is_over else PAUSED
        with self._lock:
            if key in self._unwritten:
                self._unwritten[key] = self._unwritten[key][0], ending
                return
            with suppress(OSError):  # gone: shipped, by somebody who took us for dead
                os.rename(self.folder / key, self.folder / f"{key}{ending}")

    def close(self) -> None:
        """Let go of it, for the shipper to end what is left."""
        with self._lock:
            if self._writer >= 0:
                os.close(self._writer)
                self._writer = -1

    def _write(self, key: str, name: str, ending: str) -> bool:
        try:
            with open(self.folder / f"{key}{ending}", "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(name)
        except OSError:
            with suppress(OSError):
                os.unlink(self.folder / f"{key}{ending}")
            return False
        return True

    def _keep(self, key: str, name: str, ending: str) -> None:
        """Write it later: when there is room for a log again, it must not be forgotten."""
        if not self._unwritten:
            log.error(
                "What is to be shipped to the log store cannot be noted in %s; trying again. Is the disk full?",
                self.folder,
            )
            threading.Thread(target=self._write_later, name="log-spool", daemon=True).start()
        self._unwritten[key] = name, ending

    def _write_later(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(_AGAIN_SECONDS)
            with self._lock:
                for key, (name, ending) in list(self._unwritten.items()):
                    if self._writer >= 0 and not self._write(key, name, ending):
                        break
                    del self._unwritten[key]
                if not self._unwritten:
                    return


class ShippedSpool:
    """A spool as its shipper sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._locks: list[int] = []
        self._is_left = False

    def take(self) -> bool:
        """Become its shipper; False when it has one, or is gone."""
        return self._take(_SHIPPER)

    def take_left(self) -> bool:
        """Become its shipper when nobody writes to it either."""
        return self.is_left() and self.take()

    def is_left(self) -> bool:
        """Return whether its writer is gone, or it is itself. It stays so: a spool has one writer in its life."""
        self._is_left = self._is_left or not self.folder.exists() or self._take(_WRITER)
        return self._is_left

    def _take(self, name: str) -> bool:
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT if name == _SHIPPER else 0)
        try:
            fd = os.open(self.folder / name, flags, 0o644)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink == 0:
                raise BlockingIOError  # somebody has just finished and removed it
        except OSError:
            os.close(fd)
            return False
        self._locks.append(fd)
        return True

    def entries(self, known: set[str]) -> Iterator[Entry]:
        """Give the entries, without those whose file names are known."""
        try:
            with os.scandir(self.folder) as found:
                names = [one.name for one in found]
        except FileNotFoundError:
            return
        for file_name in names:
            if file_name in known or file_name in (_WRITER, _SHIPPER):
                continue
            _key, _, ending = file_name.partition(".")
            with suppress(FileNotFoundError):  # renamed just now
                name = (self.folder / file_name).read_text(encoding="utf-8", errors="surrogateescape")
                if name:
                    yield Entry(file_name, name, bool(ending), f".{ending}" == OVER)

    def remove(self, key: str) -> None:
        """Forget an entry: the log store has what it is about."""
        with suppress(FileNotFoundError):
            os.unlink(self.folder / key)

    def close(self, *, is_done: bool) -> None:
        """Let go of it. ``is_done``: nothing is left in it, and it goes."""
        if is_done:
            shutil.rmtree(self.folder, ignore_errors=True)
        for fd in self._locks:
            os.close(fd)
        self._locks.clear()


def left_spools(base: Path) -> Iterator[Path]:
    """Give the folders of all spools on this machine, left behind or not."""
    with suppress(FileNotFoundError), os.scandir(base / FOLDER) as found:
        yield from (Path(one.path) for one in found if not one.name.startswith("."))
