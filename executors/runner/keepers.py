"""Which keeper runs an attempt? The warm process of its DAG file and version; the base process when it cannot be warm.

Warm processes are made when they are needed. They are let go when there are too many, or when nothing has needed them
for a while: an idle installation costs no memory for them. A file that is needed for the first time gets none when as
many are there as may be: where a hundred DAGs are due in the same second, a process that is let go after one task costs
more than it saves. The base process stays, since making it would be what the first task of the night waits for longest.
A warm process is replaced when the modules that its DAG file imports change, and at the interval at which DAG files are
read anew, since a file may depend on something else.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from executors.runner.base_link import BaseProcess
from executors.runner.links import KeeperLink, Watcher
from executors.runner.source import Source
from executors.runner.warm_file import FileKey, OnPlaced, Placement, WarmFile
from tradewind.model.orders import AttemptOrder

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60.0
"""How long a warm process is kept for nothing: a DAG that runs each minute finds it."""
IMPORT_MARGIN_SECONDS: Final = 5.0

FindSource = Callable[[AttemptOrder, Callable[[Source | str], None]], None]
"""Find the text of a DAG file without blocking, and call back in the loop's thread with it, or with what went wrong."""


class Keepers:
    """The base process and the warm processes of one supervisor. Belongs to the thread of the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        watcher: Watcher,
        find_source: FindSource,
        base: BaseProcess,
        *,
        max_warm: int,
        import_timeout_seconds: float,
        renew_seconds: float,
    ) -> None:
        """
        Args:
            renew_seconds: a warm process older than this is replaced by a new one, while it goes on serving.
        """
        self._loop, self._watcher, self._find_source, self._base = loop, watcher, find_source, base
        self._import_timeout = import_timeout_seconds
        self._max_warm, self._renew_seconds = max_warm, renew_seconds
        self._files: dict[FileKey, WarmFile] = {}
        self._retired: set[KeeperLink] = set()  # take nothing new; end with the last attempt that they have
        self._sweep: asyncio.TimerHandle | None = None

    def prepare(self) -> None:
        """Start the base process, so that the first attempt need not wait for it."""
        try:
            self._base.link()
        except OSError as error:
            log.error("The base process cannot be started: %s. It is tried again for the first task.", error)

    def place(self, order: AttemptOrder, on_placed: OnPlaced) -> None:
        """Find where the attempt can be run; ``on_placed`` is called now or later."""
        key = (order.file_path, order.source_digest, order.bundle)
        file = self._files.get(key)
        if file is not None and file.is_outdated(order):
            self._retire(self._files.pop(key))
            file = None
        if file is None:
            is_full = self._count_kept() >= self._max_warm
            file = self._files[key] = WarmFile(version_ids={order.dag_id: order.version_id}, is_passing=is_full)
        elif file.is_passing and self._is_used_more(file):
            self._keep(key, file)
        file.used_at = time.monotonic()
        if file.is_ready:
            on_placed(self._placement(file))
            if file.used_at - file.made_at > self._renew_seconds and not file.is_being_renewed:
                file.is_being_renewed = True
                self._find_source(order, partial(self._source_found, key, WarmFile(used_at=file.used_at)))
            return
        file.waiting.append(on_placed)
        if len(file.waiting) == 1 and file.keeper is None:
            self._find_source(order, partial(self._source_found, key, file))

    def ended_one(self) -> None:
        """An attempt has ended: something may be idle now."""
        if self._sweep is None:
            self._sweep = self._loop.call_later(IDLE_SECONDS, self._sweep_idle)
        self._let_go()
        for keeper in [keeper for keeper in self._retired if not keeper.slots]:
            self._retired.discard(keeper)
            keeper.close()

    def close(self) -> None:
        """End all processes, and wait for their end."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for keeper in [*self._retired, *(file.keeper for file in self._files.values() if file.keeper is not None)]:
            keeper.close()
        self._retired.clear()
        self._files.clear()
        self._base.close()

    # --- making ---

    def _source_found(self, key: FileKey, file: WarmFile, found: Source | str) -> None:
        if isinstance(found, str):
            self._drop(key, file)
            file.answer(found)
            return
        file.source = found
        if file.is_passing:
            file.is_cold = True
            self._put_in_place(key, file)
        else:
            self._import(key, file, found)

    def _import(self, key: FileKey, file: WarmFile, found: Source) -> None:
        """Have a warm process made that imports the file."""
        try:
            base = self._base.link()
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._drop(key, file)
            file.answer(f"The base process could not be reached: {error}")
            return
        file.keeper = KeeperLink(
            self._loop, ours, self._watcher, partial(self._ready, key, file), partial(self._gone, key, file)
        )
        base.spawn(theirs)
        file.keeper.load(found, self._import_timeout)
        limit = self._import_timeout + IMPORT_MARGIN_SECONDS
        self._loop.call_later(limit, self._give_up_import, key, file, file.keeper)

    def _give_up_import(self, key: FileKey, file: WarmFile, keeper: KeeperLink) -> None:
        """The alarm of a warm process should have ended it; a DAG file that uses the alarm itself has disarmed it."""
        if file.keeper is keeper and not keeper.is_ready:
            self._turn_cold(key, file, "its import takes too long")

    def _ready(self, key: FileKey, file: WarmFile, unfit: str | None) -> None:
        if unfit is not None:
            self._turn_cold(key, file, unfit)
        else:
            self._put_in_place(key, file)

    def _turn_cold(self, key: FileKey, file: WarmFile, why: str) -> None:
        log.info("DAG file %s is imported for each of its tasks anew, since %s.", key[0], why)
        if file.keeper is not None:
            file.keeper.close()
            file.keeper = None
        file.is_cold = True
        self._put_in_place(key, file)

    def _put_in_place(self, key: FileKey, file: WarmFile) -> None:
        """Let a file that can run attempts do so, in the place of the one that it renews."""
        before = self._files.get(key)
        if before is not file:
            if before is not None:
                self._retire(before)
                file.waiting.extend(before.waiting)
                before.waiting.clear()
            self._files[key] = file
        file.answer(self._placement(file))

    def _placement(self, file: WarmFile) -> Placement | str:
        assert file.source is not None
        if file.keeper is not None:
            return Placement(file.keeper, file.source, is_cold=False)
        try:
            return Placement(self._base.link(), file.source, is_cold=True)
        except OSError as error:
            return f"The base process could not be started: {error}"

    # --- ends ---

    def _gone(self, key: FileKey, file: WarmFile, why: str) -> None:
        """A warm process has ended by itself: while it imported, or later by an accident."""
        keeper, file.keeper = file.keeper, None
        if keeper is not None and not keeper.is_ready:
            self._turn_cold(key, file, f"its process ended during the import: {why}")
            return
        log.warning("The warm process of DAG file %s is gone: %s. Its tasks are started again.", key[0], why)
        if keeper is not None:
            self._retired.discard(keeper)
        self._drop(key, file)

    def _drop(self, key: FileKey, file: WarmFile) -> None:
        """Forget a file; the one that it was to renew goes on."""
        current = self._files.get(key)
        if current is file:
            del self._files[key]
        elif current is not None:
            current.is_being_renewed = False

    def _retire(self, file: WarmFile) -> None:
        if file.keeper is None:
            return
        if file.keeper.slots:
            self._retired.add(file.keeper)
        else:
            file.keeper.close()

    # --- how many ---

    def _count_kept(self) -> int:
        return sum(not file.is_cold and not file.is_passing for file in self._files.values())

    def _is_used_more(self, file: WarmFile) -> bool:
        """Whether a file that has no warm process, and is needed again, should have one: was it needed since another
        was that has one? When that one is still at work, there is one too many for a while."""
        kept = [other.used_at for other in self._files.values() if not other.is_cold and not other.is_passing]
        return len(kept) < self._max_warm or min(kept) < file.used_at

    def _keep(self, key: FileKey, file: WarmFile) -> None:
        """Let a file have a warm process after all."""
        file.is_passing = file.is_cold = False
        file.made_at = time.monotonic()
        self._let_go()
        if file.source is not None:
            self._import(key, file, file.source)

    def _let_go(self) -> None:
        """Let go of the files used least recently, of those that run nothing, until there are not too many."""
        too_many = self._count_kept() - self._max_warm
        if too_many <= 0:
            return
        idle = sorted((file.used_at, key) for key, file in self._files.items() if file.keeper and file.is_idle)
        for _used_at, key in idle[:too_many]:
            self._retire(self._files.pop(key))

    def _sweep_idle(self) -> None:
        """Let go of what has not been needed for a while."""
        self._sweep = None
        now = time.monotonic()
        for key, file in list(self._files.items()):
            if not file.is_idle:
                file.used_at = now
            elif now - file.used_at >= IDLE_SECONDS:
                self._retire(self._files.pop(key))
        if self._files:
            self._sweep = self._loop.call_later(IDLE_SECONDS, self._sweep_idle)
