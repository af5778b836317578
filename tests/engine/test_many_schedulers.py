"""Do several schedulers on PostgreSQL work together: each run advanced once, no limit exceeded, nothing left behind?"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event

from scheduler.recovery import only_scheduler
from scheduler.verify import verify
from tests.engine.world import ScriptedExecutor, add_run, dag, is_over, run_state, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.errors import MetadataError
from tradewind.metadata.database import Database
from tradewind.metadata.pools import PoolData, set_pool
from tradewind.metadata.timers import START, TimerRow, set_timers, start_key
from tradewind.model.orders import AttemptOrder, Outcome


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url, pool_size=10)
    yield database
    database.close()


class Watch:
    """Counts what runs at once, over all schedulers, and how often each attempt was started."""

    def __init__(self) -> None:
        self.most: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()
        self.executors: list[ScriptedExecutor] = []
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def behave(self, order: AttemptOrder) -> None:
        with self._lock:
            self.starts[str(order.attempt_id)] += 1
            for limit in ("all", f"pool {order.pool}"):
                self._now[limit] += 1
                self.most[limit] = max(self.most[limit], self._now[limit])
        threading.Timer(0.01, self._leave, [order]).start()

    def _leave(self, order: AttemptOrder) -> None:
        with self._lock:
            for limit in ("all", f"pool {order.pool}"):
                self._now[limit] -= 1
        holder = next(e for e in self.executors if any(o.attempt_id == order.attempt_id for o in e.orders))
        holder.end(order, Outcome.SUCCESS)


@pytest.mark.timeout(120)
def test_three_schedulers_share_the_work_and_keep_every_limit(postgres: Database) -> None:
    spec = dag("shared", *[task(f"t{n}", pool="db") for n in range(6)], task("end", "t0", "t1"), max_active_runs=5)
    version = store(postgres, spec)
    with postgres.write() as tx:
        set_pool(tx, PoolData("db", 3))
    pks = [add_run(postgres, version, "shared", n) for n in range(20)]
    watch = Watch()

    with ExitStack() as stack:
        for _ in range(3):
            watch.executors.append(stack.enter_context(running_scheduler(postgres, watch.behave, parallelism=6)))
        wait_until(is_over(postgres, *pks), timeout=90)

    assert {run_state(postgres, pk) for pk in pks} == {"success"}
    assert watch.most["all"] <= 6
    assert watch.most["pool db"] <= 3
    assert set(watch.starts.values()) == {1}
    assert len(watch.starts) == 20 * 7
    assert verify(postgres) == []


def test_a_second_scheduler_on_sqlite_is_refused_with_the_mend(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with (
        only_scheduler(database),
        pytest.raises(MetadataError, match="already runs.*PostgreSQL"),
        only_scheduler(database),
    ):
        pass
    database.close()


def test_a_scheduler_locks_all_rows_of_dags_at_once_before_it_fires_and_claims(postgres: Database) -> None:
    """Otherwise two that fire one DAG each, and then claim runs of both, wait for each other."""
    for dag_id in ("a", "b"):
        version = store(postgres, dag(dag_id, task("t")))
        pk = add_run(postgres, version, dag_id)
    with postgres.write() as tx:  # it was asked for ahead of its time, which has come
        set_timers(tx, [TimerRow(start_key(pk), START, datetime.now(UTC), dag_id="b")])
    locked: list[object] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM dag \n" in statement and "FOR UPDATE" in statement:
            locked.append(sorted(value for value in parameters.values() if value in ("a", "b")))

    event.listen(postgres.engine, "before_cursor_execute", note)
    with running_scheduler(postgres):
        wait_until(is_over(postgres, pk), timeout=30)

    assert locked[0] == ["a", "b"]
