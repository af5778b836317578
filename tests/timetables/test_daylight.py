"""When do runs come on the days that are unlike others? Literal instants, to be checked against a calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta

from tradewind.timetables import (
    ContinuousTimetable,
    CronTriggerTimetable,
    DataInterval,
    NextRun,
    OnceTimetable,
    Restriction,
    Timetable,
    timetable_for,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def first_run(timetable: Timetable, restriction: Restriction, now: str, last: DataInterval | None = None) -> NextRun:
    run = timetable.next_run(last, None, restriction, at(now))
    assert run is not None
    return run


def due(timetable: Timetable, start: str, count: int) -> list[str]:
    last, found = None, []
    for _ in range(count):
        run = first_run(timetable, Restriction(at(start), None, catchup=True), start, last)
        last = run.interval
        found.append(run.run_after.strftime("%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "zone", "start", "expected"),
    [
        # Berlin, 2024-03-31: 02:00 becomes 03:00 at 01:00 UTC. 2024-10-27: 03:00 becomes 02:00 at 01:00 UTC.
        ("30 2 * * *", "Europe/Berlin", "2024-03-30", ["03-30T01:30", "03-31T01:30", "04-01T00:30"]),
        ("0 3 * * *", "Europe/Berlin", "2024-03-30", ["03-30T02:00", "03-31T01:00", "04-01T01:00"]),
        ("30 2 * * *", "Europe/Berlin", "2024-10-26", ["10-26T00:30", "10-27T01:30", "10-28T01:30"]),
        ("30 * * * *", "Europe/Berlin", "2024-03-31", ["03-31T00:30", "03-31T01:30", "03-31T02:30"]),
        ("30 * * * *", "Europe/Berlin", "2024-10-27", ["10-27T00:30", "10-27T01:30", "10-27T02:30"]),
        ("0 */2 * * *", "Europe/Berlin", "2024-10-26T22:00", ["10-26T22:00", "10-27T01:00", "10-27T03:00"]),
        ("15,45 2 * * *", "Europe/Berlin", "2024-03-31", ["03-31T01:15", "04-01T00:15", "04-01T00:45"]),
        # Sao Paulo, 2018-11-04: midnight becomes 01:00. 2018-02-18: midnight becomes 23:00 of the day before.
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03", ["11-03T03:00", "11-04T03:00", "11-05T02:00"]),
        ("30 23 * * *", "America/Sao_Paulo", "2018-02-17", ["02-17T01:30", "02-18T02:30", "02-19T02:30"]),
        # Lord Howe moves by half an hour, 2024-04-07: 02:00 becomes 01:30 at 15:00 UTC.
        ("0,30 * * * *", "Australia/Lord_Howe", "2024-04-06T14:00", ["04-06T14:00", "04-06T14:30", "04-06T15:00"]),
        ("0 * * * *", "Australia/Lord_Howe", "2024-04-06T14:00", ["04-06T14:00", "04-06T15:30", "04-06T16:30"]),
        # Apia left out 2011-12-30 whole.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29", ["12-29T22:00", "12-30T22:00", "12-31T22:00"]),
        # Leap days and the ends of months.
        ("0 0 29 2 *", "UTC", "2023-01-01", ["02-29T00:00", "02-29T00:00"]),
        ("0 0 31 * *", "UTC", "2024-01-01", ["01-31T00:00", "03-31T00:00", "05-31T00:00"]),
        ("0 0 L * *", "UTC", "2024-01-01", ["01-31T00:00", "02-29T00:00", "03-31T00:00"]),
        ("0 0 * * 5#5", "UTC", "2024-01-01", ["03-29T00:00", "05-31T00:00"]),
        ("0 0 13 * 5", "UTC", "2024-09-01", ["09-06T00:00", "09-13T00:00", "09-20T00:00"]),
        (relativedelta(months=1), "UTC", "2024-01-31", ["01-31T00:00", "02-29T00:00", "03-29T00:00"]),
        (timedelta(days=1), "Europe/Berlin", "2024-03-30T12:00", ["03-30T12:00", "03-31T12:00", "04-01T12:00"]),
    ],
)
def test_runs_come_at_these_instants(schedule, zone, start, expected):
    assert due(timetable_for(schedule, zone), start, len(expected)) == expected


def test_hourly_data_intervals_pass_the_change_of_lord_howe():
    timetable = timetable_for("0 * * * *", "Australia/Lord_Howe", create_cron_data_intervals=True)

    assert due(timetable, "2024-04-06T13:00", 4) == ["04-06T14:00", "04-06T15:30", "04-06T16:30", "04-06T17:30"]


def test_a_timedelta_without_catchup_begins_now_unaligned():
    run = first_run(timetable_for(timedelta(hours=6)), Restriction(at("2024-01-01")), "2024-01-10T12:34:56")

    assert run.run_after == run.logical_date == at("2024-01-10T12:34:56")


@pytest.mark.parametrize(
    ("soon", "expected"),
    [
        (True, "2024-01-10T00:00"),
        (False, "2024-01-11T00:00"),
        (None, "2024-01-11T00:00"),
        (timedelta(hours=11), "2024-01-11T00:00"),
        (timedelta(hours=12), "2024-01-10T00:00"),
    ],
)
def test_a_dag_without_start_begins_with_the_tick_that_run_immediately_says(soon, expected):
    timetable = CronTriggerTimetable("@daily", run_immediately=soon)

    run = first_run(timetable, Restriction(catchup=True), "2024-01-10T12:00")

    assert run.run_after == at(expected)


def test_a_longer_interval_never_takes_a_logical_date_that_is_taken():
    timetable = CronTriggerTimetable("@hourly", interval=timedelta(days=1))
    last = DataInterval.exact(at("2024-01-10T12:00"))  # made before the interval was given

    run = first_run(timetable, Restriction(), "2024-01-10T12:30", last)

    assert run.run_after == at("2024-01-10T13:00")
    assert last.start < run.logical_date < run.run_after


def test_once_is_once():
    once = OnceTimetable()
    first = first_run(once, Restriction(), "2024-01-10")
    later = Restriction(at("2024-02-01"))

    assert first.run_after == first.logical_date == at("2024-01-10")
    assert once.next_run(first.interval, first.run_after, Restriction(), at("2024-01-11")) is None
    assert once.next_run(None, at("2024-01-10"), Restriction(), at("2024-01-11")) is None
    assert first_run(once, later, "2024-01-10").run_after == at("2024-02-01")
    assert once.next_run(None, None, Restriction(at("2024-02-01"), at("2024-01-31")), at("2024-01-10")) is None


def test_continuous_runs_cover_time_without_a_gap():
    continuous = ContinuousTimetable()
    first = first_run(continuous, Restriction(at("2024-01-01")), "2024-01-02")
    second = first_run(continuous, Restriction(), "2024-01-02T05:00", first.interval)

    assert first.interval == (at("2024-01-01"), at("2024-01-02"))
    assert second.interval == (at("2024-01-02"), at("2024-01-02T05:00"))
    assert continuous.next_run(None, None, Restriction(None, at("2024-01-01")), at("2024-01-02")) is None
