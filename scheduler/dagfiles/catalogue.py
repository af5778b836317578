"""Which DAG files are known here, and which is to be read next? Plain bookkeeping: no clock, no threads, no database.

Changed files come first, in the order in which they were seen to change. Files that did not change are read again when
their interval is over, one at a time. Instants are seconds of one monotonic clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from scheduler.dagfiles.find import Found, Stamp
from tradewind.model.parsed import ParsedFile

SELF_CONTAINED: Final = 12
"""How many times longer the interval is for a file that looked at nothing but files whose changes are seen anyway."""


@dataclass(slots=True, eq=False)
class Entry:
    """One Python file of a DAG folder.

    Attributes:
        name: what it is called in the metadata DB.
        digest: of what was read last; None: nothing yet.
        depends_on: the local files that it looked at, as they were then.
        is_forced: to be parsed even if its text is the same.
        is_slow: its last parse ran into a limit.
        is_in_conflict: it defines a DAG id that another file holds.
        is_busy: being parsed.
        error: what was wrong with it the last time.
        read_at_ns: the time of day at which it was read last.
        bundle: in which state of the DAG folder it was read last; None: there are no such states.
    """

    name: str
    path: str
    folder: str
    stamp: Stamp
    digest: str | None = None
    depends_on: dict[str, Stamp | None] = field(default_factory=dict)
    is_forced: bool = False
    is_slow: bool = False
    is_in_conflict: bool = False
    is_busy: bool = False
    refresh_at: float = 0.0
    error: str | None = None
    read_at_ns: int = 0
    bundle: str | None = None


class Catalogue:
    """The DAG files known to one manager."""

    def __init__(self, refresh_seconds: float, stamp_at: Callable[[str], Stamp | None]) -> None:
        """
        Args:
            refresh_seconds: after which a file is read again although it did not change.
            stamp_at: looks at a file that others depend on.
        """
        self._refresh_seconds, self._stamp_at = refresh_seconds, stamp_at
        self._entries: dict[str, Entry] = {}
        self._urgent: dict[str, None] = {}
        self._refresh: list[tuple[float, str]] = []
        self.has_new_dependencies = False  # since somebody put it back

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str) -> Entry | None:
        """Return the entry of a file that is known."""
        return self._entries.get(name)

    def names(self) -> Iterable[str]:
        """Give the names of all files."""
        return self._entries.keys()

    @property
    def has_urgent(self) -> bool:
        """Whether a changed file waits to be read."""
        return bool(self._urgent)

    def dependencies(self) -> set[str]:
        """Return the local files that DAG files looked at."""
        return {path for entry in self._entries.values() for path in entry.depends_on}

    def update(self, folder: str, prefix: str, files: Sequence[Found], unread: Sequence[str]) -> list[str]:
        """Take in what a walk found below one folder. Return the names that are gone.

        Args:
            prefix: what is put before the name of a file to make it unique, for folders beside the DAG folder.
            unread: folders of which nothing is known; what was there before is kept.
        """
        seen = set()
        for found in files:
            name = prefix + found.name
            seen.add(name)
            entry = self._entries.get(name)
            if entry is None:
                self._entries[name] = Entry(name, found.path, folder, found.stamp)
                self._urgent[name] = None
            elif entry.stamp != found.stamp:
                entry.stamp, entry.path = found.stamp, found.path
                self._urgent[name] = None
        kept = tuple(prefix + base for base in unread)
        gone = [
            entry.name
            for entry in self._entries.values()
            if entry.folder == folder and entry.name not in seen and not (kept and entry.name.startswith(kept))
        ]
        for name in gone:
            self.forget(name)
        return gone

    def move(self, folder: str, to: str) -> None:
        """Note that the files of one folder are to be found in another; :meth:`update` will say which differ."""

        def moved(path: str) -> str:
            return to + path[len(folder) :] if path.startswith(f"{folder}/") else path

        for entry in self._entries.values():
            if entry.folder == folder:
                entry.folder, entry.path = to, moved(entry.path)
                entry.depends_on = {moved(path): stamp for path, stamp in entry.depends_on.items()}

    def unsound(self, folder: str) -> list[str]:
        """Return the files of a folder of which something could not be read, or not be stored yet."""
        return [
            entry.name
            for entry in self._entries.values()
            if entry.folder == folder and (entry.digest is None or (entry.error and not entry.is_in_conflict))
        ]

    def check_dependencies(self) -> None:
        """Mark the files that looked at a local file which has changed since."""
        now = {path: self._stamp_at(path) for path in self.dependencies()}
        for entry in self._entries.values():
            changed = {path: now[path] for path, stamp in entry.depends_on.items() if now[path] != stamp}
            if changed:
                entry.depends_on.update(changed)
                self.force(entry.name)

    def force(self, name: str) -> None:
        """Have a file parsed as soon as may be, changed or not."""
        self._entries[name].is_forced = True
        self._urgent[name] = None

    def force_conflicts(self) -> None:
        """Have the files parsed again that define a DAG id held by another file: it may be free now."""
        for entry in self._entries.values():
            if entry.is_in_conflict:
                self.force(entry.name)

    def forget(self, name: str) -> None:
        """Drop a file that is gone."""
        self._entries.pop(name, None)
        self._urgent.pop(name, None)

    def next_changed(self, *, slow: bool) -> Entry | None:
        """Take the next changed file. With ``slow`` False, files that ran into a limit the last time wait."""
        for name in self._urgent:
            entry = self._entries[name]
            if not entry.is_busy and (slow or not entry.is_slow):
                del self._urgent[name]
                return entry
        return None

    def next_refresh(self, now: float) -> Entry | None:
        """Take the next file whose interval is over."""
        while self._refresh and self._refresh[0][0] <= now:
            at, name = heapq.heappop(self._refresh)
            entry = self._entries.get(name)
            if entry is not None and entry.refresh_at == at and not entry.is_busy and name not in self._urgent:
                entry.is_forced = True
                return entry
        return None

    def next_refresh_at(self) -> float | None:
        """Return when the interval of a file is over next; never too late, now and then too early."""
        return self._refresh[0][0] if self._refresh else None

    def same(self, entry: Entry, now: float) -> None:
        """Note that a file was looked at and says what it said."""
        self._schedule(entry, entry.refresh_at if entry.refresh_at > now else now + self._refresh_seconds)

    def parsed(self, entry: Entry, result: ParsedFile, now: float, now_ns: int = 0) -> None:
        """Note the outcome of a parse.

        Args:
            now_ns: the time of day, as files are stamped with it.
        """
        entry.is_slow = result.timed_out
        stamps = {path: self._stamp_at(path) for path in result.depends_on}
        for path, stamp in stamps.items():
            if stamp is not None and entry.read_at_ns <= stamp.mtime_ns <= now_ns:
                # Written while the file was parsed: nobody knows which state was read. The next look has it read again.
                stamps[path] = None
        self.has_new_dependencies |= stamps.keys() != entry.depends_on.keys()
        entry.depends_on = stamps
        alone = not (result.looks_outside or result.errors)
        self._schedule(entry, now + self._refresh_seconds * (SELF_CONTAINED if alone else 1))

    def retry(self, entry: Entry, at: float) -> None:
        """Have a file parsed again at an instant, since its outcome could not be stored."""
        entry.digest = None
        self._schedule(entry, at)

    def _schedule(self, entry: Entry, at: float) -> None:
        entry.refresh_at = at
        heapq.heappush(self._refresh, (at, entry.name))
