"""What makes the metadata DB say what the DAG folders say? Look, have parsed, store; all in one thread."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from scheduler.dagfiles.catalogue import Catalogue, Entry
from scheduler.dagfiles.find import MAX_SOURCE_BYTES, find_files, might_hold_dags, stamp_at
from scheduler.dagfiles.folders import DagFolder, dag_folders, extension_folders
from scheduler.dagfiles.parse_client import FileJob, ParseClient
from tradewind.config import Config
from tradewind.config.bundle_source import FolderSource
from tradewind.metadata import bundles, dags
from tradewind.metadata.database import Database
from tradewind.model.parsed import FileError, ParsedFile, source_digest

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 5.0
"""When to try again after the metadata DB could not be written."""

_TOO_LARGE: Final = (
    f"The file is larger than {MAX_SOURCE_BYTES // 2**20} MiB. A DAG file is kept in the metadata DB with each of its "
    "versions: move data out of it, into a file that it reads."
)

_REFRESH_REST: Final = 3.0
"""After an unchanged file was read again, wait this many times as long as that took: a quarter of a core at most."""


class FolderSync:
    """Keeps the metadata DB in step with the DAG folders, one :meth:`step` at a time."""

    def __init__(self, config: Config, database: Database, client: ParseClient, on_change: Callable[[], None]) -> None:
        """
        Args:
            on_change: called after each commit that changed which DAGs there are or what they say.
        """
        self._config, self._database, self._client, self._on_change = config, database, client, on_change
        self.folders = dag_folders(config) + extension_folders(config)
        self._is_bundled: Final = config.dag_processor.dag_bundle != FolderSource()
        self._bundle: str | None = None
        self._is_carried_over = True
        self.is_behind = False  # another scheduler reads a newer state of the DAG folder, so nothing is stored
        self._extensions: Final = frozenset(folder.path for folder in self.folders if folder.extends)
        self._first_extensions: frozenset[str] | None = None  # those of the first look: DAG files were not read yet
        self.catalogue: Final = Catalogue(config.dag_processor.refresh_interval, stamp_at)
        self._slow_limit = max(1, config.dag_processor.parsing_processes - 1)
        self._problems: frozenset[str] = frozenset()
        self._stored: set[str] | None = None  # what the metadata DB knows; None: not asked yet
        self._gone: set[str] = set()
        self._is_complete = False  # every folder could be read at the last look
        self._refreshing: str | None = None
        self._refresh_from = 0.0
        self._is_failing = False  # the last write failed; then the next failures are no news

    @property
    def is_done(self) -> bool:
        """Whether all that was seen to change is stored."""
        return not (self.catalogue.has_urgent or self._client.is_busy)

    def read_from(self, path: str, bundle: str) -> None:
        """Read the files of the DAG folder in this state of it from now on."""
        if bundle == self._bundle:
            return
        own, *others = self.folders
        self.catalogue.move(own.path, path)
        self.folders = (DagFolder(path, own.prefix), *others)
        self._bundle, self._is_carried_over, self.is_behind = bundle, False, False

    def carry_over(self) -> None:
        """When all that differs in a new state of the DAG folder is stored, say of the rest that it is in it too."""
        if self._bundle is None or self._is_carried_over or not self.is_done:
            return
        unsound = self.catalogue.unsound(self.folders[0].path)
        with self._database.write() as tx:
            if bundles.head(tx, lock=True) == self._bundle:
                count = bundles.carry_over(tx, self._bundle, but=unsound)
                log.info("dagfiles.in_use: %s, now also for %d unchanged DAGs", self._bundle, count)
        self._is_carried_over = True

    def look(self) -> None:
        """See what has changed in the folders; forget in the metadata DB what is gone."""
        problems: list[str] = []
        self._is_complete = True
        for number, folder in enumerate(self.folders):
            if number == 0 and self._is_bundled and self._bundle is None:
                self._is_complete = False  # nobody knows what is in it
                continue
            walk = find_files(Path(folder.path), ignore_syntax=self._config.core.dag_ignore_file_syntax)
            files = [found for found in walk.files if folder.only in (None, found.name)]
            gone = self.catalogue.update(folder.path, folder.prefix, files, walk.unread)
            self._gone.update(gone)
            if gone and folder.extends:
                self._force_dag_files()
            self._is_complete &= not walk.unread
            problems += walk.problems
        for problem in sorted(set(problems) - self._problems):
            log.warning("dagfiles.problem: %s", problem)
        self._problems = frozenset(problems)
        if self._first_extensions is None:
            self._first_extensions = frozenset(filter(self._extends, self.catalogue.names()))
        self.catalogue.check_dependencies()
        self._forget_gone()

    def force(self, paths: Collection[str]) -> None:
        """Have files parsed, changed or not: all when ``paths`` is empty. By name or by absolute path."""
        own = f"{os.path.abspath(self._config.core.dags_folder)}/"
        wanted = {*paths, *(path.removeprefix(own) for path in paths)}
        for name in list(self.catalogue.names()):
            entry = self.catalogue.get(name)
            if entry is not None and (not wanted or name in wanted or entry.path in wanted):
                self.catalogue.force(name)

    def _extends(self, name: str) -> bool:
        entry = self.catalogue.get(name)
        return entry is not None and entry.folder in self._extensions

    def _force_dag_files(self) -> None:
        """Have all DAG files parsed: what is loaded before them has changed."""
        for name in list(self.catalogue.names()):
            if not self._extends(name):
                self.catalogue.force(name)

    def step(self, patience: Callable[[], float | None], *, refresh: bool) -> None:
        """Hand out work, wait until some is done, and store it.

        Args:
            patience: how many seconds to wait at most; asked once the work is handed out.
            refresh: also read unchanged files whose interval is over.
        """
        self._hand_out_changed()
        if refresh:
            self._hand_out_refresh(time.monotonic())
        for parsed in self._client.wait(patience()):
            self._take(parsed)

    def next_refresh_at(self) -> float | None:
        """Return when an unchanged file is to be read again; None: nobody knows yet."""
        if self._refreshing is not None:
            return None
        at = self.catalogue.next_refresh_at()
        return None if at is None else max(at, self._refresh_from)

    # --- What is gone ----------------------------------------------------------------------------------------------

    def _forget_gone(self) -> None:
        if self._stored is None:
            with self._database.read() as tx:
                self._stored = {row.path for row in dags.list_files(tx)} | set(dags.list_active_paths(tx))
        if self._is_complete:
            # Also what went while nobody looked. Not while a folder cannot be read: its files may well be there.
            self._gone |= self._stored - set(self.catalogue.names())
        for name in sorted(self._gone):
            if self.catalogue.get(name) is None and name in self._stored:
                self._forget(name)
            self._gone.discard(name)

    def _forget(self, name: str) -> None:
        """Take a file out of the metadata DB. Raises when that cannot be written; it is tried at the next look."""
        with self._database.write() as tx:
            if self._is_outdated(tx, None if name.startswith("/") else self._bundle):
                return
            removed = dags.remove_file(tx, name)
        if self._stored is not None:
            self._stored.discard(name)
        log.info("dagfiles.removed: file=%s dags=%s", name, ",".join(removed) or "-")
        if removed:
            self.catalogue.force_conflicts()
            self._on_change()

    # --- What changed ----------------------------------------------------------------------------------------------

    def _hand_out_changed(self) -> None:
        while self._client.free > 0:
            busy = (self.catalogue.get(name) for name in self._client.names())
            slow = sum(entry is not None and entry.is_slow for entry in busy)
            entry = self.catalogue.next_changed(slow=slow < self._slow_limit)
            if entry is None:
                return
            self._read(entry)

    def _hand_out_refresh(self, now: float) -> None:
        if self._refreshing is None and now >= self._refresh_from and self._client.free > 0:
            entry = self.catalogue.next_refresh(now)
            if entry is not None and self._read(entry):
                self._refreshing = entry.name

    def _read(self, entry: Entry) -> bool:
        """Read a file, and have it parsed when it may hold DAGs and says something new. Return whether it is parsed."""
        entry.read_at_ns, entry.bundle = time.time_ns(), self._bundle_of(entry)
        try:
            source = _source_of(entry)
        except FileNotFoundError:
            self.catalogue.forget(entry.name)
            self._gone.add(entry.name)
            self._forget_gone()
            return False
        except OSError as error:
            message = f"The file cannot be read: {error.strerror}. Check its owner and its permissions."
            self._refuse(entry, message)
            return False
        if len(source) > MAX_SOURCE_BYTES:
            self._refuse(entry, _TOO_LARGE)
            return False
        digest = source_digest(source)
        if digest == entry.digest and not entry.is_forced:
            self.catalogue.same(entry, time.monotonic())
            return False
        if entry.folder in self._extensions:
            if entry.digest not in (None, digest) or entry.name not in (self._first_extensions or ()):
                self._force_dag_files()
        elif self._config.core.dag_discovery_safe_mode and not might_hold_dags(source):
            self._pass_over(entry, digest)
            return False
        entry.digest, entry.is_forced, entry.is_busy = digest, False, True
        self._client.submit(FileJob(entry.name, entry.path, entry.folder, source))
        return True

    def _refuse(self, entry: Entry, message: str) -> None:
        """Say what is wrong with a file that is not even given to a parse process."""
        entry.digest = None
        self._save(entry, ParsedFile(entry.name, b"", errors=(FileError(message),)))

    def _pass_over(self, entry: Entry, digest: str) -> None:
        """Leave a file alone that does not speak of DAGs; if it did before, its DAGs are gone."""
        if self._stored is not None and entry.name in self._stored:
            try:
                self._forget(entry.name)
            except Exception:
                self.catalogue.retry(entry, time.monotonic() + RETRY_SECONDS)
                raise
        entry.digest, entry.is_forced, entry.depends_on, entry.error = digest, False, {}, None

    def _take(self, parsed: ParsedFile) -> None:
        refreshed = self._refreshing == parsed.path
        if refreshed:
            self._refreshing = None
            self._refresh_from = time.monotonic() + parsed.seconds * _REFRESH_REST
        entry = self.catalogue.get(parsed.path)
        if entry is None:  # gone while it was read
            return
        entry.is_busy = False
        if entry.bundle != self._bundle_of(entry):  # the folder was replaced meanwhile: whether it still holds?
            self.catalogue.force(entry.name)
            return
        saved = self._save(entry, parsed)
        if refreshed and saved is not None and saved.changed and not parsed.looks_outside:
            log.warning(
                "dagfiles.unsteady: %s did not change, but %s now say something else than before, which makes a new "
                "version each time. Look for the current time or chance in the arguments of the DAG.",
                parsed.path,
                ", ".join(saved.changed),
            )

    def _save(self, entry: Entry, parsed: ParsedFile) -> dags.Saved | None:
        """Store what came of a parse. None: it could not be stored, and will be parsed again."""
        now = time.monotonic()
        self.catalogue.parsed(entry, parsed, now, time.time_ns())
        paused = self._config.core.dags_are_paused_at_creation
        try:
            at = self._database.now()
            with self._database.write() as tx:
                if self._is_outdated(tx, entry.bundle):
                    return None
                saved = dags.save_file(tx, parsed, at, paused_at_creation=paused, bundle=entry.bundle)
        except Exception:  # whatever it is, it must not cost the other files
            self.catalogue.retry(entry, now + RETRY_SECONDS)
            log.log(
                logging.DEBUG if self._is_failing else logging.ERROR,
                "dagfiles.not_saved: file=%s; it is tried again in %g s",
                parsed.path,
                RETRY_SECONDS,
                exc_info=True,
            )
            self._is_failing = True
            return None
        self._is_failing = False
        if self._stored is not None:
            self._stored.add(parsed.path)
        entry.is_in_conflict = bool(saved.taken)
        _tell(entry, parsed, saved)
        if saved.removed:
            self.catalogue.force_conflicts()
        if saved.changed or saved.removed:
            self._on_change()
        return saved

    def _bundle_of(self, entry: Entry) -> str | None:
        return self._bundle if entry.folder == self.folders[0].path else None

    def _is_outdated(self, tx: Connection, bundle: str | None) -> bool:
        """Whether another scheduler has seen a newer state of the DAG folder, so that what is known here is no news."""
        if bundle is None or bundles.head(tx, lock=True) == bundle:
            return False
        if not self.is_behind:
            log.warning(
                "dagfiles.behind: another scheduler reads a newer state of the DAG folder than %s, so nothing of it is "
                "stored from here. Give all schedulers the same files, or a git repository.",
                bundle,
            )
        self.is_behind = True
        return True


def _source_of(entry: Entry) -> bytes:
    with open(entry.path, "rb") as file:
        return file.read(MAX_SOURCE_BYTES + 1)


def _tell(entry: Entry, parsed: ParsedFile, saved: dags.Saved) -> None:
    """Log what is new about a file."""
    error = saved.errors[0] if saved.errors else None
    if error is not None and error.message != entry.error:
        log.warning("dagfiles.import_error: file=%s line=%s: %s", parsed.path, error.line or "-", error.message)
    entry.error = error.message if error else None
    if saved.changed or saved.removed:
        changed, removed = ",".join(saved.changed) or "-", ",".join(saved.removed) or "-"
        log.info("dagfiles.saved: file=%s changed=%s gone=%s seconds=%g", parsed.path, changed, removed, parsed.seconds)
        for warning in parsed.warnings:
            log.info("dagfiles.warning: %s", warning)
