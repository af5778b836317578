"""In which state of the DAG folder are DAG files read now? Bundles are made here, and offered to all who run tasks.

Three ways, one for each form of ``[dag_processor] dag_bundle``: the folder as it is, where there are no bundles; the
folder, each state of which is stored in the metadata DB; and a git repository.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from executors.bundles.git import GitMirror
from executors.bundles.shelf import Shelf
from scheduler.dagfiles.snapshot import FolderSnapshots, StillChanging
from tradewind.config import Config
from tradewind.config.bundle_source import GitSource
from tradewind.errors import DagError, TradewindError
from tradewind.metadata import bundles
from tradewind.metadata.database import Database
from tradewind.model.bundles import CONTENT_AT_ONCE, BundleName, Manifest, name_of

log = logging.getLogger(__name__)

_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Reading:
    """Where DAG files are read now: a folder of this host, and the bundle that it is."""

    path: str
    bundle: str


class Bundling(Protocol):
    """Makes bundles, in the thread that reads DAG files."""

    @property
    def folder(self) -> str | None:
        """The folder in which people write DAG files; None: they do so elsewhere."""

    @property
    def problem(self) -> str | None:
        """Why no newer bundle could be made at the last look."""

    def start(self, on_news: Callable[[], None]) -> None:
        """Look by itself, where looking takes long; ``on_news`` is called from any thread."""

    def look(self) -> Reading | None:
        """Return where DAG files are to be read now; None: nobody knows yet. Offers what is new."""

    def hurry(self) -> None:
        """Look soon: another scheduler has offered a newer bundle."""

    def stop(self) -> None:
        """Look no more."""


class DatabaseBundling:
    """The DAG folder of this host, kept in the metadata DB."""

    def __init__(self, config: Config, database: Database) -> None:
        folder = config.core.dags_folder.absolute()
        self.folder: str | None = str(folder)
        self.problem: str | None = None
        self._database = database
        self._snapshots = FolderSnapshots(folder)
        self._shelf = Shelf(config.dag_processor.dag_bundle_storage_path.absolute())
        self._now: Reading | None = None

    def start(self, on_news: Callable[[], None]) -> None:
        pass

    def look(self) -> Reading | None:
        for _ in range(_TRIES):
            try:
                self._take()
            except StillChanging:
                continue
            except (DagError, OSError) as error:
                self.problem = str(error)
                break
            self.problem = None
            break
        else:
            log.info("dagfiles.still_changing: %s is being written; it is looked at again soon", self.folder)
        return self._now

    def _take(self) -> None:
        manifest = self._snapshots.take()
        name = name_of(manifest)
        if self._now is not None and self._now.bundle == str(name):
            return
        path = self._shelf.put(name.root, manifest, self._snapshots.load)
        self._upload(path, name, manifest)
        self._now = Reading(str(path), str(name))

    def _upload(self, path: Path, name: BundleName, manifest: Manifest) -> None:
        """Store what the metadata DB has not, file by file in small transactions, and offer the whole in one."""
        with self._database.read() as tx:
            missing = bundles.missing_contents(tx, (file.digest for file in manifest.files))
        count = len(missing)
        part: dict[str, bytes] = {}
        for file in manifest.files:
            if file.digest in missing and file.digest not in part:
                part[file.digest] = (path / file.path).read_bytes()
                if sum(map(len, part.values())) > CONTENT_AT_ONCE:
                    self._store(part)
                    missing -= part.keys()
                    part = {}
        self._store(part)
        at = self._database.now()
        with self._database.write() as tx:
            bundles.offer(tx, str(name), manifest, at)
        log.info("dagfiles.bundle: %s with %d files, %d of them new", name, len(manifest.files), count)

    def _store(self, contents: dict[str, bytes]) -> None:
        if contents:
            with self._database.write() as tx:
                bundles.store_contents(tx, contents)

    def hurry(self) -> None:
        pass  # its own folder has to change first

    def stop(self) -> None:
        self._shelf.close()


class GitBundling:
    """A git repository. It is asked in a thread of its own, since a network may take its time."""

    folder: str | None = None

    def __init__(self, config: Config, database: Database, source: GitSource) -> None:
        storage = config.dag_processor.dag_bundle_storage_path.absolute()
        self.problem: str | None = None
        self._source, self._database = source, database
        self._mirror, self._shelf = GitMirror(source, storage / "git"), Shelf(storage)
        self._seconds = config.dag_processor.bundle_refresh_check_interval
        self._now: Reading | None = None
        self._found: Reading | None = None  # by the thread; not offered yet
        self._soon, self._is_over = threading.Event(), False
        self._thread: threading.Thread | None = None

    def start(self, on_news: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._serve, args=(on_news,), name="dagfiles-git", daemon=True)
        self._thread.start()

    def look(self) -> Reading | None:
        if self._thread is None:
            self._ask()
        found = self._found
        if found is not None and found != self._now:
            at = self._database.now()
            with self._database.write() as tx:
                bundles.offer(tx, found.bundle, None, at)
            log.info("dagfiles.bundle: %s of %s", found.bundle, self._source.safe_url)
            self._now = found
        return self._now

    def hurry(self) -> None:
        self._soon.set()

    def stop(self) -> None:
        self._is_over = True
        self._soon.set()
        if self._thread is not None:
            self._thread.join(5)  # not longer: a hanging network must not keep the scheduler from ending
        self._shelf.close()

    def _serve(self, on_news: Callable[[], None]) -> None:
        while not self._is_over:
            self._soon.clear()
            before = self._found, self.problem
            self._ask()
            if (self._found, self.problem) != before:
                on_news()
            self._soon.wait(self._seconds)

    def _ask(self) -> None:
        started = time.monotonic()
        try:
            commit = self._mirror.newest()
            name = BundleName("git", commit, self._source.folder)
            if self._found is None or self._found.bundle != str(name):
                top = self._shelf.put(name.root, self._mirror.manifest(commit), self._mirror.contents)
                path = top / self._source.folder
                if not path.is_dir():
                    raise DagError(
                        f"Commit {commit} of {self._source.safe_url} has no folder {self._source.folder!r}. Check "
                        "subdirectory= in [dag_processor] dag_bundle."
                    )
                self._found = Reading(str(path), str(name))
        except (TradewindError, OSError) as error:
            self.problem = str(error)
            return
        log.debug("dagfiles.git: %s in %.3g s", commit, time.monotonic() - started)
        self.problem = None


def bundling_of(config: Config, database: Database) -> Bundling | None:
    """Return what makes bundles as ``[dag_processor] dag_bundle`` says; None: there are none."""
    source = config.dag_processor.dag_bundle
    if isinstance(source, GitSource):
        return GitBundling(config, database, source)
    return DatabaseBundling(config, database) if source.is_shipped else None
