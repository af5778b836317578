"""Who tells that something changed below the DAG folders? The kernel, through ``watchfiles``; else a slow beat.

A watcher only rings; what has changed is found by looking. So a lost or a needless ring is no harm.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final

from scheduler.dagfiles.ignore import IGNORE_FILE

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 5.0
"""How often to ring where the kernel cannot tell of changes."""

_STEP_MILLISECONDS: Final = 80
_DEBOUNCE_MILLISECONDS: Final = 400
_NOISE: Final = frozenset({"__pycache__", ".git", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache"})


class Watcher:
    """Calls ``ring`` from a thread of its own soon after a file that matters was written, moved or removed."""

    def __init__(self, folders: Sequence[str], ring: Callable[[], None], *, whole: str | None = None) -> None:
        """
        Args:
            whole: the folder of which every file matters; None: none is such.
        """
        self._folders, self._ring = list(folders), ring
        self._whole = None if whole is None else f"{whole}{os.sep}"
        self._matters: Collection[str] = frozenset()
        self._stop, self._again = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="dagfile-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch. Folders that are missing are waited for."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join()

    def restart(self) -> None:
        """Watch afresh: a folder is another one now than when the watch was set up, e.g. behind a link that moved."""
        self._again.set()

    def follow(self, paths: Collection[str]) -> None:
        """Say which files matter beside Python files: those that DAG files were seen to read."""
        self._matters = frozenset(paths)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._folders:
                self._stop.wait()
                return
            present = [folder for folder in self._folders if os.path.isdir(folder)]
            if len(present) < len(self._folders):
                # Beat until all are there, so that one watch covers them.
                self._beat()
                continue
            try:
                self._watch(present)
            except Exception as error:  # the library raises bare RuntimeErrors too; without it, beat
                log.warning(
                    "dagfiles.watch_failed: %s: %s. DAG files are looked at every %g s instead. On Linux raise "
                    "fs.inotify.max_user_watches and fs.inotify.max_user_instances.",
                    type(error).__name__,
                    error,
                    BEAT_SECONDS,
                )
                self._beat()

    def _beat(self) -> None:
        if not self._stop.wait(BEAT_SECONDS):
            self._ring()

    def _watch(self, folders: list[str]) -> None:
        # Imported here: it brings an event loop library along, which only this process needs.
        import watchfiles

        self._again.clear()
        self._ring()  # for what happened before the watch was set up
        changes = watchfiles.watch(
            *folders,
            watch_filter=lambda _change, path: self._is_news(path),
            stop_event=_Either(self._stop, self._again),
            step=_STEP_MILLISECONDS,
            debounce=_DEBOUNCE_MILLISECONDS,
            rust_timeout=60_000,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
        for _ in changes:
            self._ring()

    def _is_news(self, path: str) -> bool:
        name = os.path.basename(path)
        if path.endswith(".py") or name == IGNORE_FILE or path in self._matters:
            return True
        if self._whole is not None and path.startswith(self._whole):
            return not _NOISE.intersection(path.split(os.sep))
        # A folder may have come or gone with all that is in it; it mostly has no dot in its name.
        return "." not in name and not _NOISE.intersection(path.split(os.sep))


class _Either:
    """An event that is set when one of several is; all that ``watchfiles`` asks of an event."""

    def __init__(self, *events: threading.Event) -> None:
        self._events = events

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)
