"""What did a crash leave behind, and who takes it up? Leases that ended, runs that nobody holds."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final
from uuid import UUID

import psutil
from sqlalchemy import Connection

from tradewind.errors import MetadataError
from tradewind.metadata import attempts, processes, runs
from tradewind.metadata.births import BORN, birth, can_judge
from tradewind.metadata.database import Database
from tradewind.metadata.processes import ProcessRecord
from tradewind.metadata.worker_queue import KIND as WORKER

log = logging.getLogger(__name__)

ADOPT_LIMIT: Final = 200
"""Runs taken up in one step; the next step takes more."""
RETURN_TIME: Final = timedelta(seconds=6)
"""How long a worker may take to notice that the metadata DB is back, at most."""
_PASSING: Final = "command "
_PASSING_SECONDS: Final = 20.0


@contextlib.contextmanager
def only_scheduler(db: Database, *, is_passing: bool = False) -> Iterator[None]:
    """On SQLite: be the only scheduler of this database, for as long as the context lasts. The kernel ends it with us.

    Args:
        is_passing: a command that does a scheduler's work for an instant; whoever comes then waits for its end.

    Raises:
        MetadataError: another scheduler runs.
    """
    if not db.is_sqlite:
        yield
        return
    path = Path(f"{db.url.database}.scheduler.lock")
    with path.open("a+") as lock:
        deadline = time.monotonic() + _PASSING_SECONDS
        while not _lock(lock):
            lock.seek(0)
            owner = lock.read().strip()
            if (not owner or owner.startswith(_PASSING)) and time.monotonic() < deadline:
                time.sleep(0.02)  # empty: somebody comes or goes at this very moment
                continue
            raise MetadataError(
                f"A scheduler already runs on {db.url.database} (process {owner or 'unknown'}). "
                "An SQLite database takes one scheduler: stop that one first, or use PostgreSQL, where any number may "
                "run."
            )
        lock.truncate(0)
        lock.write(f"{_PASSING if is_passing else ''}{os.getpid()}")
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)  # the file outlives us, and a scheduler that begins now must not find a command in it


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end_dead(tx: Connection, is_sqlite: bool, now: datetime) -> list[ProcessRecord]:
    """End the leases of processes that are seen to be dead, instead of waiting until they run out; return them.

    Seen to be dead are processes of this host whose pid is gone or was given to another process since; and on SQLite,
    whose lock we hold, every other scheduler.
    """
    dead = [
        process
        for process in processes.list_processes(tx, alive_at=now)
        if (is_sqlite and process.kind == "scheduler" and process.pid != os.getpid())
        or (process.hostname == socket.gethostname() and not _is_running(process))
    ]
    processes.mark_ended(tx, [process.id for process in dead], now)
    return dead


def _is_running(process: ProcessRecord) -> bool:
    born = process.info.get(BORN)
    if isinstance(born, str):  # counted by the kernel, so that it holds whatever the clocks of hosts say
        return not can_judge(born) or birth(process.pid) == born
    try:
        # A process that began after the row was written is another one that got the same pid.
        return psutil.Process(process.pid).create_time() <= process.started_at.timestamp() + 1
    except psutil.NoSuchProcess:
        return False


def take_up(
    tx: Connection,
    holder: UUID,
    now: datetime,
    adopt: Callable[[Connection, list[int]], None],
) -> tuple[int, int]:
    """Report attempts whose supervisor is gone, and claim running runs that nobody holds.

    Returns:
        How many attempts were reported lost, and how many runs were claimed.
    """
    lost = attempts.report_lost(tx, now)
    claimed = runs.claim_running(tx, holder, now, ADOPT_LIMIT)
    adopt(tx, claimed)
    return lost, len(claimed)


class Patience:
    """When may a lease that has run out be taken for a death? Not while this scheduler itself was away.

    A scheduler that could not reach the metadata DB, or stood still, cannot tell whether the others could: it waits
    until they have had the time to give a sign of life. Else an hour of maintenance would cost every task that ran.
    """

    def __init__(self, lease: timedelta) -> None:
        self._lease: Final = lease
        self._until: datetime | None = None

    def end_expired(
        self, tx: Connection, now: datetime, beat_was_due: datetime, *, had_errors: bool
    ) -> list[ProcessRecord]:
        """End the leases that have run out, and return their processes; none while there is reason for patience.

        Args:
            beat_was_due: when this scheduler meant to look: a third of a lease after it looked last.
            had_errors: the metadata DB was away.
        """
        # Others were heard of a third of a lease ago at most when it went away, so two thirds of theirs were left. A
        # scheduler that had no errors may merely be busy: it was away only when its own lease has run out.
        if now - beat_was_due > self._lease / 3 * (1 if had_errors else 2):
            self._until = now + max(self._lease / 3, RETURN_TIME)
            log.info("this scheduler was away; it gives others until %s for a sign of life", self._until.isoformat())
        if self._until is not None and now < self._until:
            return []
        self._until = None
        return processes.end_expired(tx, ("scheduler", WORKER), now)
