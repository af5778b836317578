"""Do excluded dates, a catch-up window and jitter leave out and move what they should, and nothing else?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timetables.test_laws import instants, rhythms
from tradewind.model.spec import DagSpec, SchedulePolicy
from tradewind.timetables import (
    CronTriggerTimetable,
    NextRun,
    Restriction,
    Timetable,
    is_excluded,
    next_planned,
    timetable_for,
)

LAW = settings(deadline=None, max_examples=60)
T0 = datetime(2026, 12, 21, tzinfo=UTC)  # a Monday
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def spec(policy: SchedulePolicy, dag_id: str = "etl", zone: str = "UTC") -> DagSpec:
    return DagSpec(dag_id, timetable_for(None).to_spec(), (), policy=policy, timezone=zone)


def planned(
    timetable: Timetable,
    policy: SchedulePolicy,
    *,
    count: int = 8,
    start: datetime = T0,
    now: datetime | None = None,
    catchup: bool = True,
    zone: str = "UTC",
) -> list[NextRun]:
    """The first runs, as if each were made at the moment at which it is due."""
    at, found = now or start, list[NextRun]()
    restriction = Restriction(start, None, catchup)
    while len(found) < count:
        last, due = (found[-1].interval, found[-1].run_after) if found else (None, None)
        run = next_planned(spec(policy, zone=zone), timetable, restriction, last, due, at)
        if run is None:
            break
        found.append(run)
        at = max(at, run.run_after)
    return found


def days(runs: list[NextRun], zone: str = "UTC") -> list[str]:
    return [run.run_after.astimezone(ZoneInfo(zone)).strftime("%m-%d") for run in runs]


def test_an_excluded_day_has_no_run():
    policy = SchedulePolicy(excluded=("*-12-25", "2026-12-23", "2026-12-27/2026-12-29"))

    assert days(planned(timetable_for("@daily"), policy, count=6)) == [
        "12-21", "12-22", "12-24", "12-26", "12-30", "12-31",
    ]  # fmt: skip


def test_a_day_is_one_of_the_time_zone_of_the_dag():
    policy = SchedulePolicy(excluded=("2026-12-22",))
    late = CronTriggerTimetable("0 16 * * *", timezone="UTC")  # one in the morning of the next day in Tokyo

    assert days(planned(late, policy, count=3, zone="Asia/Tokyo"), "Asia/Tokyo") == ["12-23", "12-24", "12-25"]


def test_a_schedule_whose_days_are_all_excluded_has_no_run():
    every_year = tuple(sorted(f"*-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32)))

    assert planned(timetable_for("@daily"), SchedulePolicy(excluded=every_year)) == []


def test_the_run_after_an_excluded_one_is_about_its_own_interval():
    runs = planned(timetable_for("@daily", create_cron_data_intervals=True), SchedulePolicy(excluded=("2026-12-23",)))

    assert [run.interval.start.day for run in runs[:3]] == [21, 23, 24]  # what ends on the 23rd is left out
    assert all(run.interval.end - run.interval.start == DAY for run in runs)


@pytest.mark.parametrize(
    ("day", "excluded"),
    [
        ("2026-12-24", True), ("2026-12-25", False), ("2027-01-06", True), ("2030-01-06", True),
        ("2026-08-03", True), ("2026-08-14", True), ("2026-08-15", False), ("2026-08-02", False),
    ],
)  # fmt: skip
def test_dates_spans_and_yearly_days(day, excluded):
    assert is_excluded(("2026-12-24", "2026-08-03/2026-08-14", "*-01-06"), date.fromisoformat(day)) is excluded


@LAW
@given(rhythms, instants, st.integers(1, 200), st.integers(0, 400))
def test_no_run_is_made_that_is_further_back_than_the_window(timetable, now, window_hours, missed_days):
    policy = SchedulePolicy(catchup_window_seconds=window_hours * 3600.0)
    restriction = Restriction(now - missed_days * DAY, None, catchup=True)

    run = next_planned(spec(policy), timetable, restriction, None, None, now)

    assert run is not None
    assert run.run_after >= now - window_hours * HOUR


@pytest.mark.parametrize("schedule", ["@hourly", timedelta(hours=1)])
@pytest.mark.parametrize("intervals", [False, True])
def test_all_that_was_missed_within_the_window_is_made(schedule, intervals):
    timetable = timetable_for(schedule, create_cron_data_intervals=intervals)
    policy = SchedulePolicy(catchup_window_seconds=6 * 3600)

    runs = planned(timetable, policy, count=7, start=T0 - 900 * DAY, now=T0)

    assert [run.run_after for run in runs] == [T0 - 6 * HOUR + n * HOUR for n in range(7)]


def test_a_window_that_holds_all_changes_nothing():
    policy = SchedulePolicy(catchup_window_seconds=365 * 86400)

    assert planned(timetable_for("@hourly"), policy, now=T0 + DAY) == planned(
        timetable_for("@hourly"), SchedulePolicy(), now=T0 + DAY
    )


@LAW
@given(rhythms, instants, st.integers(1, 100_000), st.booleans())
def test_jitter_moves_when_a_run_begins_and_nothing_else(timetable, now, jitter, catchup):
    restriction = Restriction(now - 3 * DAY, None, catchup)
    delay = (
        planned(timetable_for("@daily"), SchedulePolicy(jitter_seconds=jitter), count=1)[0].run_after
        - planned(timetable_for("@daily"), SchedulePolicy(), count=1)[0].run_after
    )

    moved = next_planned(spec(SchedulePolicy(jitter_seconds=jitter)), timetable, restriction, None, None, now + delay)
    plain = next_planned(spec(SchedulePolicy()), timetable, restriction, None, None, now)

    assert moved is not None
    assert plain is not None
    assert timedelta(0) <= delay < timedelta(seconds=jitter)
    assert (moved.run_after, moved.logical_date, moved.interval) == (
        plain.run_after + delay, plain.logical_date, plain.interval,
    )  # fmt: skip


def test_jitter_spreads_dags_and_is_always_the_same_for_one():
    policy = SchedulePolicy(jitter_seconds=600)

    def first(dag_id: str) -> datetime:
        run = next_planned(spec(policy, dag_id), timetable_for("@daily"), Restriction(T0, None, True), None, None, T0)
        assert run is not None
        return run.run_after

    delays = [first(f"etl{n}") - T0 for n in range(200)]
    assert delays == [first(f"etl{n}") - T0 for n in range(200)]
    assert min(delays) < timedelta(seconds=60)
    assert max(delays) > timedelta(seconds=540)
    assert len(set(delays)) > 100
