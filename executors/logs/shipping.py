"""How does a log come into the log store? In pieces while it grows, and whole once it is over.

The beginning of a log lies under the name of the log itself; what follows lies in parts, each named after the byte at
which it begins. Only the last piece is ever written anew, until it is large enough. In the end the log is written whole
under its own name, and the parts are removed. Most logs are small, and are written once.

All of this may be done twice, or be broken off anywhere: whoever reads puts bytes where they belong, see
``executors.logs.pieces``. One process writes a log, and one ships it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from executors.logs.pieces import is_part, part_name, pieces_of
from executors.logs.spool import Entry, ShippedSpool
from executors.logs.store import BLOCK_BYTES, LogStore, LogStoreError

log = logging.getLogger(__name__)

SEAL_BYTES: Final = 256 << 10
"""A piece of at least this size is not written again."""
THREADS: Final = 4
"""Logs that are shipped at once."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
QUIET_SECONDS: Final = 1.0
"""A log whose writer was killed is over when it has not grown for so long: its last words may be on their way."""
SAY_AGAIN_SECONDS: Final = 60.0


def due_after(age_seconds: float) -> float:
    """Return how long to wait between two pieces of a log that somebody may be looking at: longer as it gets old."""
    return min(15.0, 2.0 + age_seconds / 100.0)


@dataclass(slots=True, eq=False)
class _Log:
    """One log on its way. While ``job`` runs it belongs to a thread of the pool."""

    name: str
    entries: dict[str, Entry] = field(default_factory=dict)
    since: float = 0.0
    sealed: int = 0  # bytes in pieces that are not written again
    shipped: int = 0
    is_known: bool = False  # we know what the store has of it
    inode: int = -1
    due_at: float = 0.0
    pause: float = 0.0  # after an error
    seen_size: int = -1
    quiet_since: float = 0.0
    job: Future[None] | None = None
    job_entries: list[Entry] = field(default_factory=list)  # that it does away with
    is_ending: bool = False

    @property
    def is_ended(self) -> bool:
        return all(entry.is_ended for entry in self.entries.values())


class Shipper:
    """Ships the logs of one spool. One thread calls it."""

    def __init__(
        self,
        store: LogStore,
        base: Path,
        spool: ShippedSpool,
        *,
        removes: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            base: the log folder.
            removes: whether logs are removed from this machine when they are over and shipped.
        """
        self._store, self._base, self._spool, self._removes, self._clock = store, base, spool, removes, clock
        self._logs: dict[str, _Log] = {}
        self._known: dict[str, str] = {}  # file name of an entry -> log
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ship")
        self._said_at = -SAY_AGAIN_SECONDS
        self._troubled: set[str] = set()

    def __len__(self) -> int:
        return len(self._logs)

    def step(self, *, is_left: bool) -> None:
        """Look at the spool, and begin to ship what is due. ``is_left``: its writer is gone, so all will end."""
        self._look()
        for one in list(self._logs.values()):
            if one.job is not None and one.job.done():
                self._settle(one, one.job)
            if one.job is None and one.entries and self._is_due(one, is_left):
                one.is_ending = self._ends(one, is_left)
                one.job_entries = [entry for entry in one.entries.values() if entry.is_ended or one.is_ending]
                one.job = self._pool.submit(self._ship, one, one.is_ending)

    def settle(self, seconds: float) -> None:
        """Wait until all that was begun has ended, at most so long."""
        wait([one.job for one in self._logs.values() if one.job is not None], seconds)

    def close(self) -> None:
        """End the threads; what is under way is given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> None:
        for entry in self._spool.entries(set(self._known)):
            one = self._logs.get(entry.name)
            if one is None:
                one = self._logs[entry.name] = _Log(entry.name, since=self._clock())
            self._known[entry.key] = entry.name
            one.entries[entry.key] = entry
            before = entry.key.partition(".")[0]
            if entry.is_ended:
                if one.entries.pop(before, None) is not None:  # the same attempt, as it was when it ran
                    self._known.pop(before, None)
                one.due_at = min(one.due_at, self._clock() + one.pause)

    def _ends(self, one: _Log, is_left: bool) -> bool:
        if is_left:
            return one.is_ended or self._clock() - one.quiet_since >= QUIET_SECONDS
        return one.is_ended and any(entry.is_over for entry in one.entries.values())

    def _is_due(self, one: _Log, is_left: bool) -> bool:
        now = self._clock()
        size = self._size(one)
        if size != one.seen_size:
            one.seen_size, one.quiet_since = size, now
        if now < one.due_at:
            return False
        return size != one.shipped or one.is_ended or self._ends(one, is_left)

    def _size(self, one: _Log) -> int:
        try:
            return (self._base / one.name).stat().st_size
        except OSError:
            return 0

    def _settle(self, one: _Log, job: Future[None]) -> None:
        """Take note of what became of a job."""
        now = self._clock()
        one.job = None
        error = job.exception()
        if error is not None:
            one.pause = min(max(FIRST_PAUSE_SECONDS, one.pause * 2), LONGEST_PAUSE_SECONDS)
            one.due_at = now + one.pause
            one.is_known = False
            self._ill(one.name, error)
            return
        self._well(one.name)
        one.pause = 0.0
        one.due_at = now + due_after(now - one.since)
        for entry in one.job_entries:
            if one.entries.get(entry.key) is entry:
                del one.entries[entry.key]
                del self._known[entry.key]
                self._spool.remove(entry.key)
        if one.entries:
            if one.is_ended:
                one.due_at = now
        else:
            del self._logs[one.name]

    def _well(self, name: str) -> None:
        self._troubled.discard(name)
        if not self._troubled and self._said_at >= 0:
            log.warning("The log store %s does its work again.", self._store.where)
            self._said_at = -SAY_AGAIN_SECONDS

    def _ill(self, name: str, error: BaseException) -> None:
        self._troubled.add(name)
        if self._clock() - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = self._clock()
            told = error if isinstance(error, LogStoreError | OSError) else f"{type(error).__name__}: {error}"
            log.error("%d logs wait on this machine to be shipped; trying again. %s", len(self._troubled), told)

    # --- in a thread of the pool -------------------------------------------------------------------------------------

    def _ship(self, one: _Log, is_end: bool) -> None:
        """Ship what is new; with the end of a log, write it whole.

        Raises:
            LogStoreError: the store is away.
            OSError: the log cannot be read.
        """
        path = self._base / one.name
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                if is_end and stat.st_size > SEAL_BYTES:
                    self._store.put_file(one.name, path)
                    self._store.remove(self._parts(one.name))
                else:
                    self._ship_pieces(one, file, stat)
        except FileNotFoundError:
            return  # never written, or removed since: there is nothing to ship
        if is_end and self._removes:
            path.unlink(missing_ok=True)
            self._remove_empty(path.parent)

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # something else lies there
            while folder != self._base:
                folder.rmdir()
                folder = folder.parent

    def _ship_pieces(self, one: _Log, file: BinaryIO, stat: os.stat_result) -> None:
        if stat.st_ino != one.inode or stat.st_size < one.shipped:
            one.inode, one.sealed, one.shipped, one.is_known = stat.st_ino, 0, 0, False
        if not one.is_known and stat.st_size > SEAL_BYTES:
            self._recall(one, stat.st_size)
        one.is_known = True
        while one.shipped < stat.st_size:
            file.seek(one.sealed)
            data = file.read(BLOCK_BYTES)
            self._store.put(part_name(one.name, one.sealed), data)
            one.shipped = one.sealed + len(data)
            if len(data) >= SEAL_BYTES:
                one.sealed = one.shipped

    def _recall(self, one: _Log, size: int) -> None:
        """Find out what the store has of a log: an earlier process has shipped some, or an error was no error."""
        folder, _, name = one.name.rpartition("/")
        found = pieces_of(name, self._store.sizes(folder))
        end = found[-1].end if found else 0
        if end > size or not found:
            one.sealed = one.shipped = 0
            return
        one.shipped = end
        one.sealed = end if found[-1].size >= SEAL_BYTES else found[-1].start

    def _parts(self, name: str) -> list[str]:
        folder, _, name = name.rpartition("/")
        return [f"{folder}/{one}" for one in self._store.sizes(folder) if is_part(one, name)]
