"""Is the warm process of a DAG file still what a fresh import would give? What the supervisor knows of each file."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from executors.runner.links import KeeperLink
from executors.runner.source import Source as Source
from tradewind.model.orders import AttemptOrder

FileKey = tuple[str, str, str | None]
"""The DAG file's path, relative to its folder; the digest of its text; the bundle that the folder is."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an attempt can be run. ``is_cold``: its process must import the DAG file itself."""

    keeper: KeeperLink
    source: Source
    is_cold: bool


OnPlaced = Callable[[Placement | str], None]
"""Called with where to run, or with why the attempt cannot be run at all."""


@dataclass(slots=True, eq=False)
class WarmFile:
    """One DAG file at one version of its text."""

    source: Source | None = None
    keeper: KeeperLink | None = None  # its warm process, once there is one
    is_cold: bool = False  # cannot be kept imported, or is_passing; attempts are forked from the base process
    is_passing: bool = False  # there was no room for one more warm process when it was first needed
    waiting: deque[OnPlaced] = field(default_factory=deque)
    used_at: float = 0.0
    made_at: float = field(default_factory=time.monotonic)
    version_ids: dict[str, int] = field(default_factory=dict)  # the newest version of each DAG that asked
    is_being_renewed: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether an attempt can be placed now."""
        return self.is_cold or (self.keeper is not None and self.keeper.is_ready)

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be lost by letting it go."""
        return not self.waiting and self.source is not None and not (self.keeper and self.keeper.slots)

    def is_outdated(self, order: AttemptOrder) -> bool:
        """Say whether a fresh import would give something else than the warm process has.

        So it is when a module that the file imports has changed, or when the same text has become another DAG since: it
        depends on something else then.
        """
        if self.keeper is None or not self.keeper.is_ready:
            return False
        if order.version_id > self.version_ids.setdefault(order.dag_id, order.version_id):
            return True
        return any(_has_changed(stamp.path, stamp.mtime_ns, stamp.size) for stamp in self.keeper.imported)

    def answer(self, answer: Placement | str) -> None:
        """Tell all that wait."""
        while self.waiting:
            self.waiting.popleft()(answer)


def _has_changed(path: str, mtime_ns: int, size: int) -> bool:
    try:
        now = os.stat(path)
    except OSError:
        return True
    return (now.st_mtime_ns, now.st_size) != (mtime_ns, size)
