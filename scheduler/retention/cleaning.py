"""How is what is old removed? Step by step: each step is one small transaction, and the caller rests between them.

Killed at any moment, nothing is half there: a run is either whole, or out of sight and finished by the next clean-up.
The order of tables that somebody names does not matter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from executors.logs.store import LogStore
from scheduler.retention import archive
from scheduler.retention.leftovers import remove_logs, remove_stored_logs, remove_xcoms
from scheduler.retention.pace import Pace
from scheduler.retention.tables import RUNS, XCOMS
from tradewind import faults
from tradewind.metadata import audit, retention_rest, retention_runs
from tradewind.metadata.database import Database
from tradewind.metadata.retention_rest import HAS_PARTS, KINDS, Scope
from tradewind.metadata.retention_runs import LeavingRun

RUNS_AT_ONCE: Final = 50
"""How many runs are put out of sight together."""
ARCHIVED: Final = frozenset({"asset_event", "audit", "backfill", "callback"})
"""What of the rest is worth keeping; the versions of DAGs lie where their files are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be removed.

    Attributes:
        scopes: table -> how old, and of which DAGs. A table that is not named stays as it is.
        own_cutoffs: DAGs whose runs have a cutoff of their own; None: they are kept for ever.
        min_runs: how many of the newest runs of each DAG stay, however old.
        archive: the folder that rows are written into before they go; None: they are not kept.
        log_folder: where the logs of tasks are on this machine.
        log_store: where those of all machines are; None: nowhere.
        object_store: where larger XComs are; None: nowhere.
        actor, via, action: who it is in the audit log.
    """

    scopes: Mapping[str, Scope]
    own_cutoffs: Mapping[str, datetime | None] = field(default_factory=dict)
    min_runs: int = 1
    archive: Path | None = None
    log_folder: Path
    log_store: LogStore | None = None
    object_store: str | None = None
    actor: str = "scheduler"
    via: str = "scheduler"
    action: str = "retention"

    def cutoff(self, table: str, dag_id: str) -> datetime | None:
        """Return before when a run of a DAG must have ended to go; None: none of it goes."""
        scope = self.scopes[table]
        return self.own_cutoffs.get(dag_id, scope.before) if scope.has(dag_id) else None


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction.

    Attributes:
        gone: how many rows of which table.
        seconds: how long it took.
        rest: how long to leave the metadata DB to others.
    """

    gone: Counter[str]
    seconds: float
    rest: float


class Cleaner:
    """Removes what a :class:`Wish` says. One at a time: see ``tradewind.metadata.retention_lock``."""

    def __init__(self, db: Database, wish: Wish, pace: Pace, now: datetime, folder: Path | None = None) -> None:
        """
        Args:
            folder: what the archive calls this clean-up; None: a name is found, if there is an archive.
        """
        self._db, self._wish, self._pace, self._now = db, wish, pace, now
        self._folder: Final = (
            archive.new_folder(wish.archive, now) if folder is None and wish.archive is not None else folder
        )

    def steps(self) -> Iterator[Step]:
        """Give each step after it was done; the caller rests as long as it says, and may stop at any."""
        yield from self._finish()
        for table in (RUNS, XCOMS):
            if table in self._wish.scopes:
                for dag_id in self._dags():
                    cutoff, started = self._wish.cutoff(table, dag_id), time.perf_counter()
                    if cutoff is not None and self._has_old(dag_id, cutoff):
                        yield from (self._runs if table == RUNS else self._xcoms)(dag_id, cutoff)
                    else:
                        yield self._step(Counter(), started)
        for name in KINDS:
            if name in self._wish.scopes:
                yield from self._kind(name, self._wish.scopes[name])

    def _dags(self) -> Iterator[str]:
        last = ""
        while True:
            with self._db.read() as tx:
                following = retention_runs.next_dag(tx, last)
            if following is None:
                return
            yield following
            last = following

    def _has_old(self, dag_id: str, before: datetime) -> bool:
        with self._db.read() as tx:
            return retention_runs.has_old_runs(tx, dag_id, before)

    def _needed(self, dag_id: str) -> list[int]:
        with self._db.read() as tx:
            return retention_runs.needed_runs(tx, dag_id, self._wish.min_runs)

    # --- runs --------------------------------------------------------------------------------------------------------

    def _runs(self, dag_id: str, before: datetime) -> Iterator[Step]:
        gone, lasting = 0, self._needed(dag_id)
        while True:
            started = time.perf_counter()
            with self._db.read() as tx:
                needed = [*lasting, *retention_runs.followed_runs(tx, dag_id)]
                is_any = bool(retention_runs.old_runs(tx, dag_id, before, needed, limit=1))
            if not is_any:
                yield self._step(Counter(), started)
                break
            started = time.perf_counter()
            with self._db.write() as tx:
                found = retention_runs.put_out_of_sight(
                    tx,
                    dag_id,
                    before,
                    needed=needed,
                    limit=min(RUNS_AT_ONCE, self._pace.rows),
                    archive=None if self._folder is None else str(self._folder),
                )
                faults.crash_point("retention-before-hiding")
            faults.crash_point("retention-after-hiding")
            if not found:
                break
            gone += found
            yield self._step(Counter(), started)
            yield from self._finish()
        if gone:
            self._note(dag_id, {"runs": gone, "before": before.isoformat()})

    def _finish(self) -> Iterator[Step]:
        """Remove the runs that are out of sight: those of this clean-up, and what one left that was killed."""
        while True:
            with self._db.read() as tx:
                leaving = retention_runs.leaving_runs(tx, RUNS_AT_ONCE)
            if not leaving:
                return
            self._keep(leaving)
            self._remove_files(leaving)
            faults.crash_point("retention-before-deleting")
            pks, empty = [run.pk for run in leaving], set[str]()
            while True:
                limit, started = self._pace.rows, time.perf_counter()
                with self._db.write() as tx:
                    gone = retention_runs.delete_rows(tx, pks, limit, empty)
                    faults.crash_point("retention-while-deleting")
                faults.crash_point("retention-after-deleting")
                yield self._step(gone, started)
                if gone.total() < limit:
                    break

    def _keep(self, leaving: list[LeavingRun]) -> None:
        for folder in sorted({run.archive for run in leaving if run.archive is not None}):
            runs = [run for run in leaving if run.archive == folder]
            for table in retention_runs.ARCHIVED:
                archive.write_rows(Path(folder), table, self._rows(table, [run.pk for run in runs]))
            archive.write_rows(Path(folder), RUNS, [run.columns for run in runs])

    def _rows(self, table: str, pks: Iterable[int]) -> Iterator[Mapping[str, Any]]:
        for pk in pks:
            with self._db.read() as tx:  # one for each run, so that none lasts long
                yield from retention_runs.rows_of(tx, table, pk)

    def _remove_files(self, leaving: list[LeavingRun]) -> None:
        with self._db.read() as tx:
            places = retention_runs.xcom_places(tx, [run.pk for run in leaving])
            taken = retention_runs.names_taken(tx, leaving)
        for run in leaving:
            if (run.dag_id, run.run_id) in taken:
                continue  # what lies there is that one's
            remove_logs(self._wish.log_folder, run.dag_id, run.run_id)
            if self._wish.log_store is not None:
                remove_stored_logs(self._wish.log_store, run.dag_id, run.run_id)
            if run.pk in places or self._wish.object_store:
                remove_xcoms(places.get(run.pk, ()), self._wish.object_store, run.dag_id, run.run_id)

    def _xcoms(self, dag_id: str, before: datetime) -> Iterator[Step]:
        last, removed, lasting = 0, 0, self._needed(dag_id)
        while True:
            with self._db.read() as tx:
                needed = [*lasting, *retention_runs.followed_runs(tx, dag_id)]
                found = retention_runs.runs_with_old_xcoms(
                    tx, dag_id, before, needed=needed, after=last, limit=RUNS_AT_ONCE
                )
                places = retention_runs.xcom_places(tx, [pk for pk, _ in found])
            if not found:
                break
            if self._folder is not None:
                archive.write_rows(self._folder, XCOMS, self._rows(XCOMS, [pk for pk, _ in found]))
            for pk, run_id in found:
                if pk in places:
                    remove_xcoms(places[pk], None, dag_id, run_id)
            pks = [pk for pk, _ in found]
            while True:
                limit, started = self._pace.rows, time.perf_counter()
                with self._db.write() as tx:
                    gone = retention_runs.delete_xcoms(tx, pks, limit)
                removed += gone
                yield self._step(Counter({XCOMS: gone}), started)
                if gone < limit:
                    break
            last = pks[-1]
        if removed:
            self._note(dag_id, {"xcoms": removed, "before": before.isoformat()})

    # --- the rest ----------------------------------------------------------------------------------------------------

    def _kind(self, name: str, scope: Scope) -> Iterator[Step]:
        after, removed = None, 0
        while True:
            limit = self._pace.rows
            with self._db.read() as tx:
                page = retention_rest.read_page(tx, name, scope, after, limit)
            if self._folder is not None and name in ARCHIVED:
                archive.write_rows(self._folder, name, page.rows)
            is_all = not page.rows
            while not is_all:
                started = time.perf_counter()
                with self._db.write() as tx:
                    gone = retention_rest.delete_page(tx, name, page.rows, scope, limit)
                removed += gone
                yield self._step(Counter({name: gone}), started)
                is_all = gone < limit or name not in HAS_PARTS
            if page.after is None:
                break
            after = page.after
        if removed and name != "session":
            self._note(None, {name: removed, "before": scope.before.isoformat()})

    # --- ------------------------------------------------------------------------------------------------------------

    def _step(self, gone: Counter[str], started: float) -> Step:
        seconds = time.perf_counter() - started
        return Step(+gone, seconds, self._pace.note(gone.total(), seconds))

    def _note(self, dag_id: str | None, detail: dict[str, object]) -> None:
        wish = self._wish
        with self._db.write() as tx:
            audit.note(tx, self._now, actor=wish.actor, via=wish.via, action=wish.action, dag_id=dag_id, detail=detail)
