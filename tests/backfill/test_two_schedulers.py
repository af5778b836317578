"""Do two schedulers on PostgreSQL keep the window of a backfill, however they meet?"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from scheduler.verify import verify
from tests.backfill.world import create, day, is_complete, read, runs_of, slots_of, store_scheduled
from tests.engine.world import running_scheduler, task
from tests.support.waiting import wait_until
from tradewind.metadata import backfills
from tradewind.metadata.database import Database
from tradewind.model.backfills import Reprocess, SlotState
from tradewind.model.orders import AttemptOrder, Outcome
from tradewind.timetables import CronDataIntervalTimetable

TRIES = 20 * int(os.environ.get("CHAOS_SEEDS", "5"))
"""So many runs: `make test` makes 100, `make chaos` 1,000."""
MOST_ROUNDS = 10
AGAIN = Reprocess.COMPLETED


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url, pool_size=10)
    yield database
    database.close()


DAGS = ("etl0", "etl1", "etl2", "etl3")
"""Several backfills at once, so that both schedulers have something to do and meet at each."""


class Watch:
    """Looks, from inside each task, how many runs of its backfill are queued or running, over all schedulers."""

    def __init__(self, db: Database, backfill_ids: Mapping[str, int]) -> None:
        self.most: Counter[str] = Counter()
        self.most_at_work: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()
        self._db, self._backfill_ids = db, backfill_ids
        self._at_work: dict[str, set[int]] = {dag_id: set() for dag_id in backfill_ids}
        self._lock = threading.Lock()

    def behave(self, order: AttemptOrder) -> Outcome:
        with self._lock:
            self.starts[str(order.attempt_id)] += 1
            at_work = self._at_work[order.dag_id]
            at_work.add(order.run_pk)
            self.most_at_work[order.dag_id] = max(self.most_at_work[order.dag_id], len(at_work))
        with self._db.read() as tx:
            active = backfills.active_runs(tx, self._backfill_ids[order.dag_id])
        with self._lock:
            self.most[order.dag_id] = max(self.most[order.dag_id], len(active))
            at_work.discard(order.run_pk)
        return Outcome.SUCCESS


class Behaviour:
    """What tasks do: they look, for the backfills of the round. They wait until somebody says which those are."""

    def __init__(self) -> None:
        self._watch: Watch | None = None
        self._is_known = threading.Condition()

    def look_for(self, watch: Watch | None) -> None:
        with self._is_known:
            self._watch = watch
            self._is_known.notify_all()

    def __call__(self, order: AttemptOrder) -> Outcome:
        with self._is_known:
            self._is_known.wait_for(lambda: self._watch is not None)
            watch = self._watch
        assert watch is not None
        return watch.behave(order)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_rerun", [False, True], ids=["new runs", "runs done again"])
def test_two_schedulers_meeting_at_random_never_have_two_runs_of_a_window_of_one(
    postgres: Database, is_rerun: bool, caplog: pytest.LogCaptureFixture
) -> None:
    minutely = CronDataIntervalTimetable("* * * * *")
    for dag_id in DAGS:
        store_scheduled(postgres, dag_id, task("t"), schedule=minutely)
    tries = max(TRIES // 2 // len(DAGS), 1)
    if is_rerun:
        before = [create(postgres, dag_id, max_active_runs=16, **minutes(tries)).id for dag_id in DAGS]
        with running_scheduler(postgres):
            wait_until(are_complete(postgres, before), timeout=800)
    with postgres.write() as tx:  # the database itself refuses a second one, whenever it comes
        tx.execute(text("CREATE UNIQUE INDEX only_one ON dag_run (backfill_id) WHERE state IN ('queued', 'running')"))

    with ExitStack() as stack:
        behaviour = Behaviour()
        executors = [stack.enter_context(running_scheduler(postgres, behaviour, poll_seconds=0.05)) for _ in range(2)]
        for number in range(MOST_ROUNDS):
            behaviour.look_for(None)
            span = minutes(tries, 0 if is_rerun else number * tries)
            made = {dag_id: create(postgres, dag_id, max_active_runs=1, reprocess=AGAIN, **span).id for dag_id in DAGS}
            watch = Watch(postgres, made)
            behaviour.look_for(watch)
            wait_until(are_complete(postgres, made.values()), timeout=800)
            check(postgres, watch, made, tries, runs=tries if is_rerun else (number + 1) * tries)
            if all(executor.orders for executor in executors):
                break  # else one of the two was too late for all of it, and they never met
        else:
            pytest.fail(f"one of the two did nothing in {MOST_ROUNDS} rounds")

    assert [record.getMessage() for record in caplog.records if "duplicate key" in record.getMessage()] == []
    assert verify(postgres) == []


def are_complete(db: Database, backfill_ids: Collection[int]) -> Callable[[], bool]:
    """A predicate: nothing of any of them waits or runs any more."""
    return lambda: all(is_complete(db, one)() for one in backfill_ids)


def minutes(count: int, start: int = 0) -> dict[str, Any]:
    """The span of so many minutes."""
    first = day(1) + timedelta(minutes=start)
    return {"first": first, "last": first + timedelta(minutes=count - 1)}


def check(db: Database, watch: Watch, made: Mapping[str, int], tries: int, runs: int) -> None:
    """Hold one round against the window of one."""
    assert watch.most_at_work == watch.most == dict.fromkeys(DAGS, 1)
    assert set(watch.starts.values()) == {1}
    assert len(watch.starts) == tries * len(DAGS)
    for dag_id, backfill_id in made.items():
        assert read(db, backfill_id).outcome == "success"
        assert {slot.state for slot in slots_of(db, backfill_id)} == {SlotState.MADE}
        assert len(runs_of(db, dag_id)) == runs
