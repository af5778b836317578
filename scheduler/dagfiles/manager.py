"""Who keeps the metadata DB in step with the DAG folders while a scheduler runs? One thread, woken by a watcher.

No user code runs here. What cannot be read, parsed or stored costs that file alone, and is tried again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from executors.stored_values import StoredValues
from scheduler.dagfiles.answers import answer_from
from scheduler.dagfiles.bundling import bundling_of
from scheduler.dagfiles.folders import parse_environment, parse_setup
from scheduler.dagfiles.foresight import Foresight
from scheduler.dagfiles.parse_client import ParseClient
from scheduler.dagfiles.sync import RETRY_SECONDS, FolderSync
from scheduler.dagfiles.watch import Watcher
from tradewind.config import Config
from tradewind.health.pulse import UNWATCHED, Limits, Part
from tradewind.metadata import dags
from tradewind.metadata.database import Database
from tradewind.model.parsed import FileError, ParsedFile

log = logging.getLogger(__name__)

BUNDLE: Final = "dag_bundle"
"""What stands in place of a file when the error is that no bundle could be made."""

LOOK_SECONDS: Final = 30.0
"""How often to look at all files though nothing rang: changes on network file systems ring nobody."""

REST_SECONDS: Final = 10.0
"""How long the parse server is kept without work."""


class DagFileManager:
    """Finds, watches, has parsed and stores DAG files.

    :meth:`start` and :meth:`stop` run it beside a scheduler. Without a start, :meth:`sync_once` does the work once, in
    the calling thread; :meth:`stop` ends it as well.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        on_change: Callable[[], None] = lambda: None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            on_change: called after each commit that changed which DAGs there are or what they say; returns at once.
            environ: the environment of this process, of which DAG files see what holds no secret of Tradewind; the
                variables and connections in it are given to files that ask for them.
        """
        own = os.environ if environ is None else environ
        answer = answer_from(StoredValues(database, config, own))
        parallel = config.dag_processor.parsing_processes
        self._client = ParseClient(parse_setup(config), parse_environment(config, own), parallel, answer)
        self._on_change, self._database = on_change, database
        self._sync = FolderSync(config, database, self._client, self._changed)
        self._foresight = Foresight(database, self._client, lambda: self._sync.folders)
        self._bundling = bundling_of(config, database)
        self._problem: str | None = None
        written = [folder.path for folder in self._sync.folders]
        if self._bundling is not None:  # DAG files are read from another folder than people write them in, if any
            written[:1] = [] if self._bundling.folder is None else [self._bundling.folder]
        self._written: Final = tuple(written)
        whole = None if self._bundling is None else self._bundling.folder
        self._watcher = Watcher(self._written, self._ring, whole=whole)
        self._thread: threading.Thread | None = None
        self._stopping, self._rung = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._asked: list[tuple[Sequence[str], threading.Event]] = []  # by parse_now, guarded by the lock
        self._answering: list[threading.Event] = []
        self._look_at = self._rest_at = 0.0
        self._looked_at: float | None = None
        self.pulse = Part("DAG files", UNWATCHED)
        """Is told when the thread turns, and when it has looked at all files."""
        self._roots: list[tuple[int, int] | None] = []

    def start(self) -> None:
        """Begin to work in a thread of its own. Called once."""
        self._thread = threading.Thread(target=self._run, name="dagfiles", daemon=True)
        if self._bundling is not None:
            self._bundling.start(self._ring)
        self._thread.start()
        self._watcher.start()

    def stop(self) -> None:
        """End the work, and all processes that were started for it. Called once."""
        self._stopping.set()
        self._client.wake()
        if self._thread is not None:
            self._watcher.stop()
            self._thread.join()
        if self._bundling is not None:
            self._bundling.stop()
        self._client.close()
        with self._lock:
            for _, done in self._asked:
                done.set()

    def sync_once(self) -> None:
        """Bring the metadata DB in step with the folders: read what is new or changed, forget what is gone.

        For a manager that was not started. Returns when all is stored; a file whose import does not end is given up at
        its limit.
        """
        self._see()
        patience = lambda: None if self._client.is_busy else 0.0  # noqa: E731  it is used twice
        while not self._sync.is_done:
            self._sync.step(patience, refresh=False)
        self._sync.carry_over()
        self._foresight.ask()
        while self._foresight.is_waiting:
            self._sync.step(patience, refresh=False)
            self._foresight.take()
        self._client.rest()

    def parse_now(self, paths: Sequence[str] = (), timeout: float | None = None) -> bool:
        """Have files parsed whether they changed or not, and wait until that is stored. Safe from any thread.

        Args:
            paths: absolute, or as files are called in the metadata DB; new files among them are found. Empty: all.
            timeout: seconds to wait at most. None: as long as it takes.

        Returns:
            False when it was not done in time, or the manager was stopped before.
        """
        if self._thread is None:
            self._see()
            self._sync.force(paths)
            self.sync_once()
            return True
        done = threading.Event()
        with self._lock:
            self._asked.append((paths, done))
        self._ring()
        return done.wait(timeout) and not self._stopping.is_set()

    @property
    def server_pid(self) -> int | None:
        """The process id of the parse server, when there is one."""
        return self._client.server_pid

    @property
    def looked_seconds(self) -> float | None:
        """How many seconds ago it last looked at all files; None before the first time."""
        return None if self._looked_at is None else time.monotonic() - self._looked_at

    def ask_timetables(self) -> None:
        """Have the timetables that are users' own code asked for the runs that somebody wants to know. Returns at once;
        safe from any thread."""
        self._foresight.is_asked = True
        self._client.wake()

    def _changed(self) -> None:
        self._foresight.is_asked = True
        self._on_change()

    def _ring(self) -> None:
        self._rung.set()
        self._client.wake()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
                self.pulse.turned()
            except Exception as error:  # the top of the loop: the next turn finds what this one left
                self.pulse.failed(f"{type(error).__name__}, told in the log")
                log.exception("dagfiles.turn_failed: it is tried again in %g s", RETRY_SECONDS)
                self._look_at = 0.0
                self._stopping.wait(RETRY_SECONDS)
        for done in self._answering:
            done.set()

    def _turn(self) -> None:
        if self._rung.is_set() or time.monotonic() >= self._look_at:
            self._rung.clear()
            self._look()
        if self._foresight.is_due:
            self._foresight.ask()
        self._sync.carry_over()  # before a wait that may be long, and after one that may have brought the last of it
        self._sync.step(self._patience, refresh=True)
        self._sync.carry_over()
        self._foresight.take()
        if self._sync.catalogue.has_new_dependencies and self._sync.is_done:
            self._sync.catalogue.has_new_dependencies = False
            self._watcher.follow(self._sync.catalogue.dependencies())
            self._rung.set()  # one may have changed before the watcher knew that it matters
        if self._client.is_busy:
            self._rest_at = time.monotonic() + REST_SECONDS
        elif self._client.server_pid is not None and time.monotonic() >= self._rest_at:
            self._client.rest()
        if self._sync.is_done and not self._foresight.is_due:
            for done in self._answering:
                done.set()
            self._answering.clear()

    def _look(self) -> None:
        with self._lock:
            asked, self._asked = self._asked, []
        self._answering += [done for _, done in asked]
        self._see()
        for paths, _ in asked:
            self._sync.force(paths)
        self._foresight.is_asked = True
        self._look_at = time.monotonic() + LOOK_SECONDS
        self._looked_at = time.monotonic()
        self.pulse.worked()
        roots = [_identity(path) for path in self._written]
        if self._roots and roots != self._roots:
            self._watcher.restart()
        self._roots = roots

    def _see(self) -> None:
        """See in which state the DAG folder is, and what has changed in it and in the others."""
        if self._bundling is not None:
            if self._sync.is_behind:
                self._bundling.hurry()
            found = self._bundling.look()
            if found is not None:
                self._sync.read_from(found.path, found.bundle)
        self._sync.look()
        if self._bundling is not None and self._bundling.problem != self._problem:
            self._tell_problem(self._bundling.problem)

    def _tell_problem(self, problem: str | None) -> None:
        """Show why the DAG folder is not taken as it is now, where errors of DAG files are shown."""
        if problem is not None:
            log.error("dagfiles.no_bundle: %s", problem)
        with self._database.write() as tx:
            if problem is None:
                dags.remove_file(tx, BUNDLE)
            else:
                dags.save_file(tx, ParsedFile(BUNDLE, b"", errors=(FileError(problem),)), self._database.now())
        self._problem = problem

    def _patience(self) -> float:
        """Return for how many seconds there is nothing to do, unless a parse ends or somebody rings."""
        if self._foresight.is_due or (self._answering and self._sync.is_done):
            return 0.0
        ends = [self._look_at]
        if self._client.server_pid is not None and not self._client.is_busy:
            ends.append(self._rest_at)
        refresh_at = self._sync.next_refresh_at()
        if refresh_at is not None:
            ends.append(refresh_at)
        return max(0.0, min(ends) - time.monotonic())


def limits_of(config: Config) -> Limits:
    """Return how long the thread may be silent: two looks, and a file in between that takes its whole time."""
    seconds = 2 * LOOK_SECONDS + config.dag_processor.dag_file_processor_timeout
    return Limits(seconds + config.database.statement_timeout_seconds, seconds)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
