"""Who runs the watchers of assets? A triggerer, beside the triggers of tasks: each event that one sees is recorded.

A watcher goes on after an event. One that ends is started again, at once when it has seen something, after a pause when
it has not.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from scheduler.triggerer.protocol import Add, Cancel, Failed, Fired
from tradewind.metadata import asset_watchers
from tradewind.metadata.asset_watchers import Watcher
from tradewind.metadata.database import Database
from tradewind.model.orders import AttemptOrder
from tradewind.xcom.errors import XComError
from tradewind.xcom.event_text import read_event

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 10.0
"""How long a watcher rests that failed."""


class Watching:
    """The watchers of one triggerer. Only :meth:`heard` may be called from another thread."""

    def __init__(self, db: Database, holder: UUID, log_folder: Path, wake: Callable[[], None]) -> None:
        self._db, self._holder, self._log_folder, self._wake = db, holder, log_folder, wake
        self._held: dict[UUID, Watcher] = {}
        self._told: set[UUID] = set()  # that the trigger process runs
        self._has_seen: set[UUID] = set()  # something since it was started
        self._start_at: dict[UUID, float] = {}  # when to start those again that have ended
        self._said: deque[Fired | Failed] = deque()

    def __contains__(self, key: UUID) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)

    def heard(self, message: Fired | Failed) -> bool:
        """Take what a trigger said when it is that of a watcher; False: it is not."""
        if message.wait not in self._held:
            return False
        self._said.append(message)
        self._wake()
        return True

    def record(self) -> None:
        """Write the events that were seen."""
        while self._said:
            message = self._said[0]
            watcher = self._held.get(message.wait)
            if watcher is not None and isinstance(message, Fired):
                self._record_one(watcher, message)
            elif watcher is not None and isinstance(message, Failed):
                self._has_ended(watcher, message)
            self._said.popleft()  # only now: an error of the database leaves it to be written again

    def _record_one(self, watcher: Watcher, message: Fired) -> None:
        self._has_seen.add(watcher.key)
        try:
            payload: Any = msgspec.to_builtins(read_event(message.event).payload)
        except (XComError, TypeError) as error:
            log.error("watcher %r of asset %r: its event is left out: %s", watcher.name, watcher.asset, error)
            return
        with self._db.write() as tx:
            asset_watchers.record_seen(tx, self._holder, watcher.id, payload, self._db.now())

    def _has_ended(self, watcher: Watcher, message: Failed) -> None:
        self._told.discard(watcher.key)
        if message.failure:
            log.warning(
                "watcher %r of asset %r is started again soon: %s", watcher.name, watcher.asset, message.failure
            )
        is_well = watcher.key in self._has_seen and not message.failure
        self._has_seen.discard(watcher.key)
        self._start_at[watcher.key] = time.monotonic() + (0.0 if is_well else PAUSE_SECONDS)

    def look(self, room: int) -> list[Cancel]:
        """Claim what is free, and return what the trigger process is to end."""
        with self._db.read() as tx:
            is_due = asset_watchers.is_claiming_due(tx, self._holder)
            held = [] if is_due else asset_watchers.held_watchers(tx, self._holder)
        if is_due:
            with self._db.write() as tx:
                asset_watchers.claim_watchers(tx, self._holder, max(0, room))
                held = asset_watchers.held_watchers(tx, self._holder)
        now = {watcher.key: watcher for watcher in held}
        gone = self._held.keys() - now.keys()
        self._held = now
        ended = [Cancel(key, kill=True) for key in gone if key in self._told]
        self._told -= gone
        return ended

    def to_start(self) -> list[Add]:
        """Return what the trigger process is to run, and is not running."""
        at = time.monotonic()
        waiting = [
            one for key, one in self._held.items() if key not in self._told and self._start_at.get(key, 0.0) <= at
        ]
        self._told.update(one.key for one in waiting)
        return [
            Add(
                one.key, one.trigger, one.kwargs, "", "", f"watcher {one.name} of asset {one.asset}", -1, 0,
                str(self._log_folder / "watchers" / f"{one.id}.log"), goes_on=True,
            )
            for one in waiting
        ]  # fmt: skip

    def order(self, key: UUID) -> AttemptOrder | None:
        """Return in whose name a watcher asks for variables and connections; None: it is none."""
        if key not in self._held:
            return None
        at = self._db.now()
        return AttemptOrder(key, 0, 0, "", "", "", -1, 0, 0, "", 0, "", "manual", at)

    def rest_seconds(self) -> float | None:
        """Return how long until one is to be started again; None: there is none."""
        waiting = [self._start_at.get(key, 0.0) for key in self._held if key not in self._told]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def forget_process(self) -> None:
        """The trigger process is gone: all is to be run again."""
        self._told.clear()
