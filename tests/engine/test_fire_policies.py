"""Do scheduled runs keep out of each other's way as their DAG says, and does a DAG pause when its runs fail?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from sqlalchemy import select

from tests.engine.test_fire import daily, runs_of, schedule
from tests.engine.world import add_run, dag, is_over, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata import dags
from tradewind.metadata.dag_schedule import fire_key
from tradewind.metadata.database import Database, ring
from tradewind.metadata.models import AuditEntry, Dag, PassedTick, Timer
from tradewind.metadata.timers import FIRE, TimerRow, set_timers
from tradewind.model.orders import AttemptOrder, Outcome
from tradewind.model.spec import DagSpec, SchedulePolicy
from tradewind.model.states import RunType
from tradewind.timetables import DataInterval, NextRun

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)


def tick(database: Database, dag_id: str, at: datetime) -> None:
    """Let the schedule of a DAG be due at ``at``, whatever the clock says."""
    with database.write() as tx:
        dags.set_next_run(tx, dag_id, NextRun(at, at, DataInterval(at, at)))
        ring(tx, "dag")


def is_dealt_with(database: Database, dag_id: str, at: datetime) -> Callable[[], bool]:
    """A predicate: the tick at ``at`` has become a run or was passed over, and the schedule goes on behind it, or is
    over."""

    def predicate() -> bool:
        with database.read() as tx:
            following = dags.get_dag(tx, dag_id).next_run_after
        return following is None or following > at

    return predicate


def overlapping(policy: str, start: datetime, end: datetime) -> DagSpec:
    fields = {"max_active_runs": 1, "catchup": False, "end_date": end.isoformat()}
    return daily("etl", start, policy=SchedulePolicy(overlap=policy), **fields)


def three_ticks(database: Database, policy: str, release: threading.Event) -> list[datetime]:
    """Start a run that goes on until ``release``, and let the schedule tick twice more meanwhile."""
    ticks = [TODAY - 3 * DAY, TODAY - 2 * DAY, TODAY - DAY]
    store(database, overlapping(policy, ticks[0], ticks[-1]))
    for at in ticks:
        tick(database, "etl", at)
        wait_until(is_dealt_with(database, "etl", at), timeout=20)
        if at == ticks[0]:
            wait_until(lambda: runs_of(database, "etl")[0].state.value == "running", timeout=20)
    release.set()
    return ticks


def made(database: Database) -> list[datetime | None]:
    return [run.logical_date for run in runs_of(database, "etl")]


@pytest.mark.parametrize(("policy", "kept"), [("skip", 1), ("buffer_one", 2), ("buffer_all", 3)])
def test_runs_that_meet_are_left_out_or_wait(database, policy, kept):
    release = threading.Event()

    def behave(_order: AttemptOrder) -> Outcome:
        release.wait(20)
        return Outcome.SUCCESS

    with running_scheduler(database, behave):
        ticks = three_ticks(database, policy, release)
        wait_until(lambda: all(run.ended_at for run in runs_of(database, "etl")), timeout=20)

    assert made(database) == ticks[:kept]
    times = [(run.started_at or TODAY, run.ended_at or TODAY) for run in runs_of(database, "etl")]
    assert all(ended <= started for (_, ended), (started, _) in pairwise(times))


def test_the_run_that_is_due_ends_the_other(database):
    release = threading.Event()
    started: list[datetime | None] = []

    def behave(order: AttemptOrder) -> Outcome | None:
        started.append(order.logical_date)
        return Outcome.SUCCESS if release.is_set() else None  # goes on until it is cancelled

    with running_scheduler(database, behave) as executor:
        first, second = TODAY - 2 * DAY, TODAY - DAY
        store(database, overlapping("cancel_other", first, second))
        tick(database, "etl", first)
        wait_until(lambda: bool(started), timeout=20)
        release.set()
        tick(database, "etl", second)
        wait_until(lambda: len(executor.cancelled) == 1 and second in started, timeout=20)
        executor.end(executor.orders[0], Outcome.FAILED)
        wait_until(lambda: all(run.ended_at for run in runs_of(database, "etl")), timeout=20)

    cancelled, good = runs_of(database, "etl")
    assert (cancelled.state.value, good.state.value) == ("failed", "success")
    assert cancelled.reason == f"cancelled, since run {good.run_id!r} is due (overlap='cancel_other')"


def test_a_run_that_made_room_does_not_count_as_a_failure(database):
    first, second = TODAY - 2 * DAY, TODAY - DAY
    spec = overlapping("cancel_other", first, second)
    store(database, msgspec.structs.replace(spec, max_consecutive_failed_dag_runs=1))
    outcomes: dict[datetime | None, Outcome | None] = {first: None, second: Outcome.SUCCESS}

    with running_scheduler(database, lambda order: outcomes[order.logical_date]) as executor:
        tick(database, "etl", first)
        wait_until(lambda: bool(executor.orders), timeout=20)
        tick(database, "etl", second)
        wait_until(lambda: len(runs_of(database, "etl")) == 2, timeout=20)
        wait_until(lambda: runs_of(database, "etl")[0].ended_at is not None, timeout=20)
        wait_until(lambda: runs_of(database, "etl")[1].ended_at is not None, timeout=20)
        wait_until(lambda: not failure_timers_of(database), timeout=20)

    assert [run.state.value for run in runs_of(database, "etl")] == ["failed", "success"]
    assert not is_paused(database)


def test_a_tick_that_was_left_out_is_not_made_later(database):
    """The DAG file is read again, or the DAG paused and unpaused, when nothing is under way any more."""
    release = threading.Event()

    def behave(_order: AttemptOrder) -> Outcome:
        release.wait(20)
        return Outcome.SUCCESS

    with running_scheduler(database, behave):
        ticks = three_ticks(database, "skip", release)
        wait_until(lambda: all(run.ended_at for run in runs_of(database, "etl")), timeout=20)
        with database.write() as tx:
            following = dags.reschedule(tx, "etl", ticks[-1] + DAY / 2)
            passed = tx.execute(select(PassedTick.interval_start)).scalar_one()

    assert passed == ticks[-1]
    assert following is None


def test_backfills_and_other_dags_are_in_nobodys_way(database):
    version = store(database, overlapping("skip", TODAY - DAY, TODAY - DAY))
    add_run(database, version, "etl", run_type=RunType.BACKFILL)
    other = dag("other", task("a"))
    add_run(database, store(database, other), "other")

    with running_scheduler(database, lambda order: Outcome.SUCCESS if order.dag_id == "etl" else None):
        tick(database, "etl", TODAY - DAY)
        wait_until(is_dealt_with(database, "etl", TODAY - DAY), timeout=20)

    assert TODAY - DAY in made(database)


def test_excluded_days_and_the_window_leave_runs_out_and_jitter_only_moves_them(database):
    excluded = (TODAY - 2 * DAY).date().isoformat()
    policy = SchedulePolicy(catchup_window_seconds=3.5 * 86400, jitter_seconds=60, excluded=(excluded,))
    spec = daily("etl", TODAY - 9 * DAY, policy=policy, end_date=(TODAY - DAY).isoformat())
    store(database, spec)
    with database.write() as tx:
        dags.reschedule(tx, "etl", TODAY + DAY / 4)
        ring(tx, "dag")

    with running_scheduler(database):
        wait_until(lambda: TODAY - DAY in made(database), timeout=20)
        wait_until(lambda: all(run.ended_at for run in runs_of(database, "etl")), timeout=20)

    assert made(database) == [TODAY - 3 * DAY, TODAY - DAY]
    (delay,) = {run.run_after - run.logical_date for run in runs_of(database, "etl") if run.logical_date}
    assert timedelta(0) <= delay < timedelta(seconds=60)


# --- failures in a row -------------------------------------------------------------------------------------------


def is_paused(database: Database, dag_id: str = "etl") -> bool:
    with database.read() as tx:
        return dags.get_dag(tx, dag_id).is_paused


def failing(database: Database, outcomes: str, limit: int) -> list[int]:
    """Run a DAG once for each letter of ``outcomes`` (F or S), one after the other."""
    version = store(database, dag("etl", task("a"), max_consecutive_failed_dag_runs=limit, max_active_runs=1))
    pks = []
    ends = {f"r{n}": Outcome.FAILED if letter == "F" else Outcome.SUCCESS for n, letter in enumerate(outcomes, 1)}
    with running_scheduler(database, lambda order: ends[order.run_id]):
        for number in range(1, len(outcomes) + 1):
            pks.append(add_run(database, version, "etl", number))
            wait_until(is_over(database, pks[-1]), timeout=20)
            wait_until(lambda: not failure_timers_of(database), timeout=20)
    return pks


def failure_timers_of(database: Database) -> list[str]:
    with database.read() as tx:
        return list(tx.execute(select(Timer.key).where(Timer.kind == "failures")).scalars())


@pytest.mark.parametrize(
    ("outcomes", "limit", "pauses"),
    [("F", 1, True), ("SFF", 2, True), ("FSF", 2, False), ("FF", 3, False), ("FFF", 0, False), ("FFS", 3, False)],
)
def test_a_dag_pauses_when_so_many_of_its_newest_runs_failed(database, outcomes, limit, pauses):
    failing(database, outcomes, limit)

    assert is_paused(database) is pauses
    with database.read() as tx:
        noted = tx.execute(select(AuditEntry.action, AuditEntry.detail)).all()
    assert [tuple(row) for row in noted] == ([("dag.pause", {"failures": limit})] if pauses else [])


def test_the_end_of_a_run_and_the_pause_it_asks_for_survive_a_crash_between_them(database):
    """The timer is part of the commit that ends the run; whoever looks first pauses the DAG, and only he."""
    failing(database, "F", 1)
    with database.write() as tx:  # as if it had crashed before: not paused, the timer is there
        dags.set_paused(tx, "etl", False, datetime.now(UTC))
        set_timers(tx, [TimerRow("failures:1", "failures", datetime.now(UTC), None, "etl")])

    with running_scheduler(database):
        wait_until(lambda: is_paused(database), timeout=20)

    assert failure_timers_of(database) == []


def test_two_schedulers_pause_many_dags_without_meeting(postgres_url):
    database = Database(postgres_url, pool_size=10)
    names = [f"etl{n}" for n in range(12)]
    versions = {name: store(database, dag(name, task("a"), max_consecutive_failed_dag_runs=1)) for name in names}
    with (
        running_scheduler(database, lambda _order: Outcome.FAILED),
        running_scheduler(database, lambda _order: Outcome.FAILED),
    ):
        for name in names:
            add_run(database, versions[name], name)
        wait_until(lambda: all(is_paused(database, name) for name in names), timeout=30)

    with database.read() as tx:
        assert len(tx.execute(select(AuditEntry.dag_id)).all()) == len(names)
    database.close()


def test_a_paused_dag_has_no_timer_for_its_schedule(database):
    spec = daily("etl", TODAY - DAY, max_consecutive_failed_dag_runs=1)
    schedule(database, spec)

    with running_scheduler(database, lambda _order: Outcome.FAILED):
        wait_until(lambda: is_paused(database), timeout=20)

    with database.read() as tx:
        assert tx.execute(select(Timer.key).where(Timer.kind == FIRE, Timer.key == fire_key("etl"))).all() == []
        assert tx.execute(select(Dag.next_run_after).where(Dag.dag_id == "etl")).scalar_one() is not None
