"""Whom does a scheduler take for dead? Not one whose clock differs, nor anybody while it was away itself."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from scheduler.recovery import RETURN_TIME, Patience, end_dead
from tradewind.metadata import processes, worker_queue
from tradewind.metadata.births import BORN, birth
from tradewind.metadata.database import Database

NOW = datetime.now(UTC)
LEASE = timedelta(seconds=30)


def register(database: Database, *, pid: int, born: str | None, at: datetime = NOW) -> UUID:
    """Register a worker on this host."""
    made = uuid4()
    with database.write() as tx:
        worker_queue.begin_lease(
            tx, made, hostname=socket.gethostname(), pid=pid, now=at, lease=LEASE, info={BORN: born}
        )
    return made


def dead(database: Database) -> list[UUID]:
    with database.write() as tx:
        return [one.id for one in end_dead(tx, False, NOW)]


@pytest.mark.parametrize("off", [timedelta(0), timedelta(minutes=-1)])
def test_a_process_is_known_by_its_birth_whatever_the_clock_of_its_host_says(
    database: Database, off: timedelta
) -> None:
    lives = uuid4()
    with database.write() as tx:
        processes.register(
            tx,
            process_id=lives,
            kind="triggerer",
            hostname=socket.gethostname(),
            pid=os.getpid(),
            now=NOW + off,  # the clock of the metadata DB, to which ours is fast
            lease=timedelta(minutes=5),
            info={},
        )
    assert dead(database) == []

    mine = birth(os.getpid())
    assert mine is not None
    pids, _, tick = mine.rpartition("/")
    reborn = register(database, pid=os.getpid(), born=f"{pids}/{int(tick) - 1}")
    gone = register(database, pid=2**22 + 1, born=mine)
    register(database, pid=2**22 + 1, born=f"pid:[1]/{tick}")  # in a container that has the name of this host
    assert set(dead(database)) == {reborn, gone}


@pytest.mark.parametrize(("away", "had_errors"), [(LEASE, False), (LEASE / 2, True)])
def test_a_scheduler_that_was_away_gives_others_time_for_a_sign_of_life(
    database: Database, away: timedelta, had_errors: bool
) -> None:
    patience = Patience(LEASE)
    late = register(database, pid=os.getpid(), born=birth(os.getpid()), at=NOW - 2 * LEASE)

    def ended(now: datetime, due: datetime, *, had_errors: bool = False) -> list[UUID]:
        with database.write() as tx:
            return [one.id for one in patience.end_expired(tx, now, due, had_errors=had_errors)]

    assert ended(NOW, NOW - away, had_errors=had_errors) == []
    soon = NOW + max(LEASE / 3, RETURN_TIME) - timedelta(seconds=1)
    assert ended(soon, soon - timedelta(seconds=3)) == []
    with database.write() as tx:
        assert worker_queue.extend_lease(tx, late, soon, LEASE, {}), "it had time for one"
    after = soon + timedelta(seconds=2)
    assert ended(after, after) == []
    much_later = after + 2 * LEASE
    assert ended(much_later, much_later - LEASE / 2) == [late], "it was merely busy"
