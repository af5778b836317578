"""What do all sentences about one run need? What was read of it, who is alive, and how far every limit is used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from scheduler.admission import Usage
from scheduler.held import HeldRun, Lanes
from scheduler.reasons.part import PartOfRun, load_part
from scheduler.usage import read_usage
from scheduler.versions import Version, VersionCache
from tradewind.metadata.causes import missed_deadlines
from tradewind.metadata.dags import DagRow
from tradewind.metadata.processes import ProcessRecord
from tradewind.metadata.runs import RunRecord
from tradewind.run.view import TaskKey

T = TypeVar("T")


@dataclass(slots=True)
class Scene:
    """One run, as far as it is looked at. ``whole`` is its version with all tasks, those that it leaves out too."""

    tx: Connection
    dag: DagRow
    run: RunRecord
    schedulers: list[ProcessRecord]
    now: datetime
    whole: Version
    held: HeldRun
    part: PartOfRun
    lanes: Lanes
    _usage: Usage | None = field(default=None)
    _missed: list[tuple[TaskKey | None, datetime]] | None = field(default=None)

    @property
    def no_scheduler(self) -> str:
        """What is to be added when nobody is there who could go on."""
        return no_scheduler(self.schedulers)

    def usage(self) -> Usage:
        """Return the use of every limit, as the admission of the schedulers counts it."""
        if self._usage is None:
            limits: dict[str, int | None] = {}
            for process in reversed(self._nearest()):
                limits |= dict(process.info.get("executor_limits", {}))
            self._usage = read_usage(
                self.tx,
                self.told("parallelism", 32),
                limits,
                backfill_share=self.told("backfill_share", 1.0),
                now=self.now,
                lock=False,
            )
        return self._usage

    def missed(self, key: TaskKey | None) -> str:
        """Return what is to be added when a deadline of an instance, or of the run (None), has passed."""
        if self._missed is None:
            self._missed = missed_deadlines(self.tx, self.run.pk)
        found = [due for one, due in self._missed if one == key]
        return f"; it missed its deadline of {found[-1].isoformat(timespec='seconds')}" if found else ""

    def told(self, name: str, default: T) -> T:
        """Return what the scheduler said of itself when it registered: its limits, not those of our own settings."""
        found: T = next((process.info[name] for process in self._nearest() if name in process.info), default)
        return found

    def _nearest(self) -> list[ProcessRecord]:
        """Return the schedulers, the one that has claimed the run first."""
        return sorted(self.schedulers, key=lambda process: process.id != self.run.claimed_by)


def set_scene(
    tx: Connection,
    dag: DagRow,
    run: RunRecord,
    schedulers: list[ProcessRecord],
    now: datetime,
    keys: Collection[TaskKey],
) -> Scene:
    """Read what is needed to explain these instances of a run."""
    versions = VersionCache(2)
    version = versions.get(tx, run.version_id, run.task_subset)
    whole = version if run.task_subset is None else versions.get(tx, run.version_id)
    part = load_part(tx, run, version, keys)
    held = HeldRun(run, version, part.view)
    held.read_past(tx)
    supervisors: dict[str, UUID | None] = {}
    lanes = Lanes("LocalExecutor", supervisors, dict)
    scene = Scene(tx, dag, run, schedulers, now, whole, held, part, lanes)
    spellings: dict[str, str] = scene.told("executor_spellings", {})
    scene.lanes = Lanes(scene.told("default_executor", "LocalExecutor"), supervisors, dict, spellings)
    return scene


def no_scheduler(schedulers: list[ProcessRecord]) -> str:
    """Return what is to be added when no scheduler is alive; else nothing."""
    return "" if schedulers else "; no scheduler is running: start one with `tradewind scheduler`"
