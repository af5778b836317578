"""Who folds what was sent, and when is it done? A scheduler, if one is alive; else whoever sent it, then and there.

The same function folds it in both cases, so nothing else comes of a command on a machine where no scheduler runs: runs
are cleared, marked and held, and what can start then starts with the next scheduler.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Connection

from scheduler.advance import Advancer
from scheduler.held import Lanes
from scheduler.plan import Policy
from scheduler.recovery import end_dead, only_scheduler
from scheduler.versions import VersionCache
from tradewind.config import Config
from tradewind.errors import MetadataError
from tradewind.metadata import inbox, processes, run_choice, runs
from tradewind.metadata.database import Database
from tradewind.model.states import RunState

BATCH: Final = 100
"""Runs that are folded in one transaction, and asked about in one question."""
PATIENCE: Final = timedelta(seconds=10)
"""How long nothing may happen before a command stops waiting. What it sent stays sent."""
_FIRST_LOOK, _LAST_LOOK = 0.005, 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has come of something that was sent.

    Attributes:
        waiting: in how many runs it is not folded yet; 0: it is done.
        states: how many of the runs are in which state now.
        has_scheduler: whether a scheduler is alive, to start what is to be done.
    """

    waiting: int
    states: dict[RunState, int]
    has_scheduler: bool


def fold_or_wait(
    db: Database,
    config: Config,
    request_id: UUID,
    pks: Sequence[int],
    *,
    patience: timedelta = PATIENCE,
    tell: Callable[[int, int], None] = lambda _done, _of_all: None,
) -> Outcome:
    """Return when what was sent to some runs is folded, or when nothing has happened for a while.

    Args:
        request_id: under which it was sent.
        patience: so long a scheduler that is alive may take for the next runs.
        tell: is told how many runs of all are done.
    """
    key = inbox.command_key(request_id)
    todo = list(pks)
    versions = VersionCache()
    deadline = time.monotonic() + patience.total_seconds()
    pause = _FIRST_LOOK
    while todo:
        with db.read() as tx:
            waiting = run_choice.still_waiting(tx, todo[:BATCH], key)
        if not waiting:
            del todo[:BATCH]
        elif not _fold(db, config, waiting, versions):
            if time.monotonic() >= deadline:
                break
            time.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK)
            continue
        tell(len(pks) - len(todo), len(pks))
        deadline, pause = time.monotonic() + patience.total_seconds(), _FIRST_LOOK
    return _outcome(db, pks, todo, key)


def _outcome(db: Database, pks: Sequence[int], todo: Sequence[int], key: str) -> Outcome:
    states: Counter[RunState] = Counter()
    waiting = 0
    with db.read() as tx:
        for start in range(0, len(pks), BATCH):
            states.update(run_choice.count_states(tx, pks[start : start + BATCH]))
        for start in range(0, len(todo), BATCH):
            waiting += len(run_choice.still_waiting(tx, todo[start : start + BATCH], key))
        has_scheduler = bool(processes.list_processes(tx, kind="scheduler", alive_at=db.now()))
    return Outcome(waiting, dict(states), has_scheduler)


def _fold(db: Database, config: Config, pks: Sequence[int], versions: VersionCache) -> bool:
    """Fold what was said to some runs, unless a scheduler is alive to do so. Returns whether it was done."""
    with _in_place_of_scheduler(db) as is_free:
        if not is_free:
            return False
        with db.write() as tx:
            now = db.now()
            end_dead(tx, db.is_sqlite, now)
            if processes.list_processes(tx, kind="scheduler", alive_at=now):
                return False
            _fold_in(tx, db, config, pks, versions)
    return True


def _fold_in(tx: Connection, db: Database, config: Config, pks: Sequence[int], versions: VersionCache) -> None:
    now = db.now()
    holder = uuid4()  # of no process: a claim that anybody may take over, and that ends with this transaction
    runs.claim_running(tx, holder, now, len(pks), only=pks)
    lanes = Lanes(default=config.core.executor[0].name, supervisors={}, limits=dict)
    policy = Policy(
        max_losses=config.scheduler.max_infrastructure_losses,
        max_retry_delay=timedelta(seconds=config.core.max_task_retry_delay),
    )
    advancer = Advancer(holder, policy=policy, parallelism=0, lanes=lanes, versions=versions)
    advancer.step(tx, now, rows=inbox.read_rows(tx, holder, pks))
    runs.release_claims(tx, holder)


@contextlib.contextmanager
def _in_place_of_scheduler(db: Database) -> Iterator[bool]:
    """Hold the place of the scheduler, if it is free. With PostgreSQL the guard of the commit is enough."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(only_scheduler(db, is_passing=True))
        except MetadataError:
            yield False
            return
        yield True
