"""Which keeper runs an attempt? The warm process of its DAG file and version; the base process when it cannot be warm.

Warm processes are made when they are needed and let go when there are too many, or when nothing has needed them for a
while: an idle installation costs no memory for them. The base process, too, ends after a longer while.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from executors.runner import linux
from executors.runner.environment import MARKER
from executors.runner.links import KeeperLink, Watcher, start_base_process
from tradewind.model.orders import AttemptOrder

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60.0
"""How long a warm process is kept for nothing: a DAG that runs each minute finds it."""
BASE_IDLE_SECONDS: Final = 180.0

FileKey = tuple[str, str]
"""The DAG file's path, relative to its folder, and the digest of its text."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an attempt can be run. ``source`` is given when its process must import the DAG file itself."""

    keeper: KeeperLink
    dag_path: str
    source: bytes | None


@dataclass(frozen=True, slots=True)
class Source:
    """A DAG file as it was when the run was made."""

    path: Path
    text: bytes


OnPlaced = Callable[[Placement | str], None]
"""Called with where to run, or with why the attempt cannot be run at all."""
FindSource = Callable[[AttemptOrder, Callable[[Source | str], None]], None]
"""Find the text of a DAG file without blocking, and call back in the loop's thread with it, or with what went wrong."""


@dataclass(slots=True, eq=False)
class _File:
    """One DAG file at one version."""

    source: Source | None = None
    keeper: KeeperLink | None = None  # its warm process, once there is one
    is_cold: bool = False  # cannot be kept imported; its attempts are forked from the base process
    waiting: deque[OnPlaced] = field(default_factory=deque)
    used_at: float = 0.0

    @property
    def is_idle(self) -> bool:
        return not self.waiting and self.source is not None and not (self.keeper and self.keeper.slots)


class Keepers:
    """The base process and the warm processes of one supervisor. Belongs to the thread of the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        watcher: Watcher,
        find_source: FindSource,
        *,
        environment: Mapping[str, str],
        defaults: Mapping[str, Any],
        dags_folder: str,
        max_warm: int,
        import_timeout_seconds: float,
    ) -> None:
        self._loop, self._watcher, self._find_source = loop, watcher, find_source
        self._environment, self._defaults, self._dags_folder = environment, defaults, dags_folder
        self._max_warm, self._import_timeout = max_warm, import_timeout_seconds
        self._files: dict[FileKey, _File] = {}
        self._base: KeeperLink | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._used_at = 0.0
        self._sweep: asyncio.TimerHandle | None = None

    def place(self, order: AttemptOrder, on_placed: OnPlaced) -> None:
        """Find where the attempt can be run; ``on_placed`` is called now or later."""
        key = (order.file_path, order.source_digest)
        file = self._files.get(key)
        if file is None:
            file = self._files[key] = _File()
            self._let_go(self._max_warm)
        file.used_at = self._used_at = time.monotonic()
        if file.is_cold or (file.keeper is not None and file.keeper.is_ready):
            on_placed(self._placement(file))
            return
        file.waiting.append(on_placed)
        if len(file.waiting) == 1 and file.keeper is None:
            self._find_source(order, partial(self._source_found, key, file))

    def ended_one(self) -> None:
        """An attempt has ended: something may be idle now."""
        self._used_at = time.monotonic()
        if self._sweep is None:
            self._sweep = self._loop.call_later(IDLE_SECONDS, self._sweep_idle)
        if len(self._files) > self._max_warm:
            self._let_go(self._max_warm)

    @property
    def warm_count(self) -> int:
        """How many DAG files are kept imported now."""
        return sum(1 for file in self._files.values() if file.keeper is not None)

    def close(self) -> None:
        """End the base process and everything below it, and wait for its end."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for file in self._files.values():
            if file.keeper is not None:
                file.keeper.close()
        self._files.clear()
        self._close_base()

    # --- warm processes ---

    def _source_found(self, key: FileKey, file: _File, found: Source | str) -> None:
        if isinstance(found, str):
            self._files.pop(key, None)
            _answer(file, found)
            return
        file.source = found
        ours, theirs = socket.socketpair()
        try:
            base = self._base_link()
        except OSError as error:
            ours.close()
            theirs.close()
            self._files.pop(key, None)
            _answer(file, f"The base process could not be started: {error}")
            return
        file.keeper = KeeperLink(
            self._loop, ours, self._watcher, partial(self._ready, key, file), partial(self._gone, key, file)
        )
        base.spawn(theirs)
        file.keeper.load(str(found.path), found.text, self._dags_folder, self._import_timeout)

    def _ready(self, key: FileKey, file: _File, unfit: str | None) -> None:
        if unfit is not None:
            self._turn_cold(key, file, unfit)
            return
        self._serve(file)

    def _gone(self, key: FileKey, file: _File, why: str) -> None:
        """A warm process has ended by itself: while it imported, or later by an accident."""
        keeper, file.keeper = file.keeper, None
        if keeper is not None and not keeper.is_ready:
            self._turn_cold(key, file, f"its process ended during the import: {why}")
            return
        log.warning("The warm process of DAG file %s is gone: %s. Its tasks are started again.", key[0], why)
        if self._files.get(key) is file:
            del self._files[key]

    def _turn_cold(self, key: FileKey, file: _File, why: str) -> None:
        log.info("DAG file %s is imported for each of its tasks anew, since %s.", key[0], why)
        if file.keeper is not None:
            file.keeper.close()
            file.keeper = None
        file.is_cold = True
        self._serve(file)

    def _serve(self, file: _File) -> None:
        _answer(file, self._placement(file))

    def _placement(self, file: _File) -> Placement | str:
        assert file.source is not None
        if file.keeper is not None:
            return Placement(file.keeper, str(file.source.path), None)
        try:
            return Placement(self._base_link(), str(file.source.path), file.source.text)
        except OSError as error:
            return f"The base process could not be started: {error}"

    # --- the base process ---

    def _base_link(self) -> KeeperLink:
        if self._base is None:
            self._process, sock = start_base_process(self._environment)
            self._base = KeeperLink(self._loop, sock, self._watcher, self._base_ready, self._base_gone)
            self._base.set_up(self._defaults)
        return self._base

    def _base_ready(self, unfit: str | None) -> None:
        if unfit is not None:
            log.error("The base process cannot be used: %s.", unfit)
            self._close_base()

    def _base_gone(self, why: str) -> None:
        """The base process died. The kernel ends what it forked; what escaped that is found by its mark."""
        process, self._process, self._base = self._process, None, None
        code = _wait(process)
        log.error("The base process is gone (exit code %s): %s. A new one is started when it is needed.", code, why)
        linux.kill_marked(f"{MARKER}={self._environment[MARKER]}")

    def _close_base(self) -> None:
        base, process = self._base, self._process
        self._base = self._process = None
        if base is not None:
            base.close()
            _wait(process)

    # --- letting go ---

    def _let_go(self, max_files: int) -> None:
        """Let go of the files used least recently, of those that run nothing, until ``max_files`` are left."""
        idle = sorted(((file.used_at, key) for key, file in self._files.items() if file.is_idle))
        for _used_at, key in idle[: max(0, len(self._files) - max_files)]:
            self._drop(key)

    def _drop(self, key: FileKey) -> None:
        file = self._files.pop(key)
        if file.keeper is not None:
            file.keeper.close()

    def _sweep_idle(self) -> None:
        self._sweep = None
        now = time.monotonic()
        for file in self._files.values():
            if not file.is_idle:
                file.used_at = now
        for key in [k for k, f in self._files.items() if f.is_idle and now - f.used_at >= IDLE_SECONDS]:
            self._drop(key)
        if (
            not self._files
            and self._base is not None
            and not self._base.slots
            and now - self._used_at >= BASE_IDLE_SECONDS
        ):
            self._close_base()
        if self._base is not None:
            self._sweep = self._loop.call_later(IDLE_SECONDS, self._sweep_idle)


def _answer(file: _File, answer: Placement | str) -> None:
    while file.waiting:
        file.waiting.popleft()(answer)


def _wait(process: subprocess.Popen[bytes] | None) -> int | None:
    if process is None:
        return None
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:  # it kills all below it within 10 s, unless something cannot be killed
        process.kill()
        return process.wait()
