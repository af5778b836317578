"""Where is the log of a try, as a file to be read? On this machine, or fetched from the log store, or put together.

Several processes may have written for one try: a task that waited went on elsewhere, a trigger waited for it. Their
lines are put into the order of their times. What was fetched is kept in a folder of this process, and only what is new
is fetched again.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from executors.logs.merging import merge
from executors.logs.pieces import logs_of_try, pieces_of
from executors.logs.store import BLOCK_BYTES, LogStore, LogStoreError
from tradewind.errors import TradewindError

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 1.0
"""How long what was seen in the store counts: pages ask several times in a row."""
LOOK_SECONDS: Final = 2.0
"""Between two looks at the store for a page that is open and a log that grows; later and later when it does not."""
LONGEST_LOOK_SECONDS: Final = 15.0
AWAY_SECONDS: Final = 10.0
"""How long nobody asks a store that did not do its work: pages would wait for it one after another."""
PATIENCE_SECONDS: Final = 8.0
"""How long a page waits for the store. What it fetches then is there for the next one."""
MAX_KEPT: Final = 200
MAX_KEPT_BYTES: Final = 2 << 30
THREADS: Final = 4
_PREFIX: Final = "tradewind-logs-"


@dataclass(frozen=True, slots=True)
class FoundLog:
    """A log as a file of this machine.

    Attributes:
        path: where it can be read now; the file may not exist, when there is none.
        trouble: why it may not be all there is; empty when nothing is wrong.
    """

    path: Path
    trouble: str = ""


@dataclass(slots=True, eq=False)
class _Kept:
    """What is known of the log of one try."""

    name: str
    folder: Path  # holds what was fetched
    lock: threading.Lock = field(default_factory=threading.Lock)
    path: Path | None = None
    trouble: str = ""
    seen_at: float = float("-inf")
    size: int = 0
    grown_at: float = 0.0
    parts: tuple[tuple[Path, int], ...] = ()  # of which it was put together last
    look: Future[None] | None = None


class LogFiles:
    """Finds logs. Safe to use from several threads; a server may fork before the first call."""

    def __init__(self, base: Path, open_store: Callable[[], LogStore | None] | None) -> None:
        """
        Args:
            base: the log folder of this machine.
            open_store: gives the log store; None: there is none, and logs are where they were written.
        """
        self._base, self._open_store = base, open_store
        self._store: LogStore | None = None
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._folder: Path | None = None
        self._trouble, self._away_until = "", float("-inf")

    @property
    def has_store(self) -> bool:
        """Whether logs come from a store, and so a little later than they are written."""
        return self._open_store is not None

    def find(self, name: Path) -> FoundLog:
        """Return the log of a try, or of a call, by its path below the log folder."""
        if self._open_store is None:
            return FoundLog(self._base / name)
        kept = self._keep(str(name))
        if self._is_away():
            return FoundLog(kept.path or self._base / name, kept.trouble or self._trouble)
        if time.monotonic() - kept.seen_at >= FRESH_SECONDS:
            try:
                self._look(kept).result(PATIENCE_SECONDS)
            except TimeoutError:
                return FoundLog(
                    kept.path or self._base / name,
                    "The log store has not answered yet: this may not be all. Look again in a moment.",
                )
        return FoundLog(kept.path or self._base / name, kept.trouble)

    def size(self, name: Path) -> int:
        """Return how long a log is, as far as is known; looks for more soon, and does not wait for it."""
        if self._open_store is None:
            return _size(self._base / name)
        kept = self._keep(str(name))
        now = time.monotonic()
        wait = min(LONGEST_LOOK_SECONDS, max(LOOK_SECONDS, (now - kept.grown_at) / 10))
        if now - kept.seen_at >= wait and not self._is_away():
            self._look(kept)
        return _size(kept.path) if kept.path is not None and kept.path.parent != kept.folder else kept.size

    def close(self) -> None:
        """Remove what was fetched."""
        with self._lock:
            pool, self._pool = self._pool, None
            folder, self._folder = self._folder, None
            self._kept.clear()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        atexit.unregister(self.close)

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    # --- what is kept ------------------------------------------------------------------------------------------------

    def _keep(self, name: str) -> _Kept:
        with self._lock:
            if self._folder is None:
                self._folder = _make_folder()
                atexit.register(self.close)
            kept = self._kept.get(name)
            if kept is None:
                folder = self._folder / blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
                kept = self._kept[name] = _Kept(name, folder)
            self._kept.move_to_end(name)
            return kept

    def _look(self, kept: _Kept) -> Future[None]:
        with self._lock:
            if kept.look is None or kept.look.done():
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="log-look")
                kept.look = self._pool.submit(self._refresh, kept)
            return kept.look

    def _refresh(self, kept: _Kept) -> None:
        """Bring what is kept of a log up to date. Never raises."""
        with kept.lock:
            try:
                self._fetch(kept)
                kept.trouble = ""
            except TradewindError as error:
                kept.trouble = self._trouble = f"{error} Shown is what this machine has of the log."
                self._away_until = time.monotonic() + AWAY_SECONDS
            except OSError as error:
                kept.trouble = (
                    f"What the log store has cannot be kept in {kept.folder.parent}: {error}. Make room there."
                )
            except Exception as error:  # the database away, for the connection; a page must not fail for it
                log.exception("The log %s cannot be fetched.", kept.name)
                kept.trouble = f"The log store cannot be used: {type(error).__name__}: {error}."
            if kept.path is None and _size(self._base / kept.name):
                kept.path = self._base / kept.name
            size = 0 if kept.path is None else _size(kept.path)
            if size != kept.size:
                kept.size, kept.grown_at = size, time.monotonic()
            kept.seen_at = time.monotonic()
        self._let_go()

    def _let_go(self) -> None:
        """Forget what nobody has asked for lately, when there is too much."""
        with self._lock:
            total = sum(kept.size for kept in self._kept.values())
            while len(self._kept) > 1 and (len(self._kept) > MAX_KEPT or total > MAX_KEPT_BYTES):
                _, kept = self._kept.popitem(last=False)
                total -= kept.size
                shutil.rmtree(kept.folder, ignore_errors=True)

    # --- what there is -----------------------------------------------------------------------------------------------

    def _fetch(self, kept: _Kept) -> None:
        folder, _, name = kept.name.rpartition("/")
        here = _sizes(self._base / folder, name)
        store = self._the_store()
        there = {} if store is None else store.sizes(folder)
        parts: list[tuple[Path, int]] = []
        for one in sorted({*logs_of_try(name, here), *logs_of_try(name, there)}, key=_order):
            pieces = pieces_of(one, there)
            end = pieces[-1].end if pieces else 0
            if here.get(one, 0) >= end:
                parts.append((self._base / folder / one, here.get(one, 0)))
            else:
                assert store is not None
                parts.append((self._get(store, kept, folder, one, there), end))
        parts = [(path, size) for path, size in parts if size]
        if len(parts) <= 1:
            kept.path = parts[0][0] if parts else None
        elif tuple(parts) != kept.parts or kept.path is None:
            kept.path = merge([path for path, _ in parts], kept.folder / "whole.log")
        kept.parts = tuple(parts)

    def _get(self, store: LogStore, kept: _Kept, folder: str, name: str, there: dict[str, int]) -> Path:
        """Fetch what is new of one log, to behind what was fetched before."""
        kept.folder.mkdir(parents=True, exist_ok=True)
        path = kept.folder / name
        pieces = pieces_of(name, there)
        have = _size(path)
        if have > pieces[-1].end:  # it is another log of this name
            path.unlink()
            have = 0
        with path.open("ab") as file:
            for piece in pieces:
                while have < piece.end:
                    stop = min(piece.end, have + BLOCK_BYTES)
                    data = store.read(f"{folder}/{piece.name}", have - piece.start, stop - piece.start)
                    if not data:
                        raise LogStoreError(f"{piece.name} in {store.where} is shorter than it was. Look again.")
                    file.write(data)
                    have += len(data)
        return path

    def _the_store(self) -> LogStore | None:
        if self._store is None and self._open_store is not None:
            self._store = self._open_store()
        return self._store


def _order(name: str) -> tuple[int, str]:
    return len(name), name  # the one that began the try first, for lines of the same time


def _sizes(folder: Path, name: str) -> dict[str, int]:
    """Return name and size of the files of this machine that begin with a name."""
    try:
        with os.scandir(folder) as found:
            return {one.name: one.stat().st_size for one in found if one.is_file() and one.name.startswith(name)}
    except OSError:
        return {}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _make_folder() -> Path:
    """Make a folder for what this process fetches, and remove those of processes that are gone."""
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError, ValueError):
            pid = int(old.name.removeprefix(_PREFIX).partition("-")[0])
            if old.stat().st_uid == os.getuid() and not _is_running(pid):
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
