"""What holds for every timetable, whatever the schedule, the zone and the moment?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from croniter import croniter_range
from dateutil.relativedelta import relativedelta
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tradewind.model.spec import TimetableSpec
from tradewind.model.states import RunType
from tradewind.timetables import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NextRun,
    NullTimetable,
    OnceTimetable,
    Restriction,
    from_spec,
    timetable_for,
)

LAW = settings(deadline=None)  # a busy machine is no reason to fail
SLOW_LAW = settings(deadline=None, max_examples=25)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Australia/Lord_Howe",  # moves its clocks by half an hour
    "Pacific/Apia",
    "America/Havana",
)
MINUTE = timedelta(minutes=1)

minutes = st.sampled_from(("0", "30", "15,45", "*/20", "*", "59"))
hours = st.sampled_from(("0", "1", "2", "1-3", "*/2", "*", "23"))
days = st.sampled_from(("* * *", "* * 0", "* * 1-5", "1 * *", "L * *", "31 * *", "* 3,10 *", "* * 5#2"))
crons = st.builds("{} {} {}".format, minutes, hours, days)
zones = st.sampled_from(ZONES)
moments = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
# Clocks change in few weeks of the year: half of the moments are put there.
changes = st.sampled_from(
    ("2024-03-31T01:00", "2024-10-27T01:00", "2024-03-10T07:00", "2024-11-03T06:00", "2018-02-18T02:00",
     "2018-11-04T03:00", "2024-04-06T15:00", "2024-10-05T15:30", "2011-12-30T10:00", "2024-03-30T22:00")
)  # fmt: skip
near_changes = st.builds(
    lambda at, seconds: datetime.fromisoformat(at).replace(tzinfo=UTC) + timedelta(seconds=seconds),
    changes,
    st.integers(-200_000, 200_000),
)
instants = near_changes | moments
deltas = st.sampled_from(
    (timedelta(minutes=7), timedelta(hours=6), timedelta(days=1), timedelta(seconds=1.5), relativedelta(months=1),
     relativedelta(days=2, hours=1), relativedelta(years=1), relativedelta(months=1, day=31))
)  # fmt: skip
intervals = st.just(timedelta(0)) | deltas
cron_triggers = st.builds(
    lambda cron, zone, interval, soon: CronTriggerTimetable(
        cron, timezone=zone, interval=interval, run_immediately=soon
    ),
    crons,
    zones,
    intervals,
    st.sampled_from((True, False, None, timedelta(hours=1))),
)
data_intervals = st.builds(CronDataIntervalTimetable, crons, zones) | st.builds(DeltaDataIntervalTimetable, deltas)
unions = st.builds(
    lambda cron, zone, interval: MultipleCronTriggerTimetable(*cron, timezone=zone, interval=interval),
    st.lists(crons, min_size=1, max_size=3),
    zones,
    intervals,
)
triggers = cron_triggers | unions | st.builds(lambda d, i: DeltaTriggerTimetable(d, interval=i), deltas, intervals)
rhythms = data_intervals | triggers
events = st.builds(EventsTimetable, st.lists(instants, max_size=6), st.booleans())
timetables = rhythms | events | st.builds(OnceTimetable) | st.builds(ContinuousTimetable) | st.builds(NullTimetable)


@LAW
@given(timetables)
def test_a_timetable_survives_being_stored(timetable):
    stored = msgspec.json.encode(timetable.to_spec(), order="deterministic")

    restored = from_spec(msgspec.json.decode(stored, type=TimetableSpec))

    assert restored == timetable
    assert hash(restored) == hash(timetable)
    assert msgspec.json.encode(restored.to_spec(), order="deterministic") == stored


@LAW
@given(timetables, instants, st.booleans(), st.lists(st.integers(0, 500_000), min_size=1, max_size=6))
def test_runs_follow_each_other_and_no_logical_date_comes_twice(timetable, now, catchup, waits):
    restriction = Restriction(now - timedelta(days=3), None, catchup)
    last = None
    due: list[NextRun] = []
    for seconds in waits:
        now += timedelta(seconds=seconds)
        run = timetable.next_run(last, due[-1].run_after if due else None, restriction, now)
        if run is None:
            break
        due.append(run)
        last = run.interval

    assert due == sorted(due, key=lambda run: run.run_after)
    dates = [run.logical_date for run in due]
    assert dates == sorted(set(dates))
    assert all(run.logical_date == run.interval.start <= run.interval.end <= run.run_after for run in due)
    assert all(run.run_after.utcoffset() == timedelta(0) for run in due)


@LAW
@given(rhythms, instants)
@example(
    MultipleCronTriggerTimetable("0 0 * * 1-5", "0 0 * * *", timezone="UTC", interval=timedelta(hours=-24)),
    datetime(2024, 3, 30, 23, 59, 59, tzinfo=UTC),
)
def test_without_catchup_at_most_one_missed_run_is_made(timetable, now):
    restriction = Restriction(now - timedelta(days=400), None, catchup=False)

    first = timetable.next_run(None, None, restriction, now)
    second = timetable.next_run(first.interval, first.run_after, restriction, now)

    assert second.run_after > now


@LAW
@given(data_intervals, instants)
def test_with_catchup_no_data_is_left_out(timetable, start):
    restriction = Restriction(start, None, catchup=True)
    last = None
    for _ in range(12):
        run = timetable.next_run(last, None, restriction, start)
        assert run.run_after == run.interval.end > run.interval.start
        assert run.interval.start >= start if last is None else run.interval.start == last.end
        last = run.interval


@LAW
@given(rhythms, instants, st.integers(-3, 3), st.integers(-3, 3), st.booleans())
def test_nothing_is_due_outside_of_start_and_end(timetable, now, begin, length, catchup):
    restriction = Restriction(now + timedelta(days=begin), now + timedelta(days=begin + length), catchup)

    run = timetable.next_run(None, None, restriction, now)

    if run is not None:
        is_trigger = "TriggerTimetable" in type(timetable).__name__
        begins = run.run_after if is_trigger else run.logical_date
        assert restriction.earliest <= begins <= restriction.latest


@SLOW_LAW
@given(st.builds("{} * {}".format, minutes, days), zones, near_changes)
def test_an_hourly_schedule_ticks_whenever_the_wall_shows_its_time(cron, zone, start):
    start = start.replace(second=0, microsecond=0)
    end = start + timedelta(hours=30)
    timetable = CronTriggerTimetable(cron, timezone=zone)
    found, last, restriction = set(), None, Restriction(start, end, catchup=True)
    while (run := timetable.next_run(last, None, restriction, start)) is not None:
        found.add(run.run_after)
        last = run.interval

    walls = {start + count * MINUTE: _wall(start + count * MINUTE, zone) for count in range(30 * 60 + 1)}
    times = set(croniter_range(min(walls.values()), max(walls.values()), cron))
    assert found == {instant for instant, wall in walls.items() if wall in times}


def _wall(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


@SLOW_LAW
@given(st.sampled_from(("0", "17", "30", "59")), st.integers(0, 23), zones, st.integers(2005, 2029))
def test_a_daily_schedule_ticks_once_on_each_day_of_the_zone(minute, hour, zone, year):
    timetable = CronTriggerTimetable(f"{minute} {hour} * * *", timezone=zone)
    begin = datetime(year, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    end = datetime(year, 12, 31, 23, 59, 59, tzinfo=ZoneInfo(zone)).astimezone(UTC)

    dates, last, restriction = [], None, Restriction(begin, end, catchup=True)
    while (run := timetable.next_run(last, None, restriction, begin)) is not None:
        last = run.interval
        dates.append(run.run_after.astimezone(ZoneInfo(zone)).date())

    left_out = {datetime(2011, 12, 30).date()} if (zone, year) == ("Pacific/Apia", 2011) else set()
    every = {begin.astimezone(ZoneInfo(zone)).date() + timedelta(days=n) for n in range(366)}
    assert set(dates) == {date for date in every if date.year == year} - left_out
    assert len(dates) - len(set(dates)) <= len(left_out)


@LAW
@given(rhythms, instants)
def test_a_run_by_hand_is_about_data_that_is_there(timetable, run_after):
    interval = timetable.manual_interval(run_after)

    assert interval.start <= interval.end <= run_after


@LAW
@given(instants)
def test_runs_are_named_by_when_they_are_due(now):
    timetable = timetable_for("@daily")

    name = timetable.run_id(RunType.SCHEDULED, now, now - timedelta(days=1))

    assert name == f"scheduled__{now.isoformat()}"
    assert name.endswith("+00:00")
    assert timetable.run_id(RunType.MANUAL, now, None, "Ab12Cd34") == f"manual__{now.isoformat()}_Ab12Cd34"
    assert timetable.run_id(RunType.MANUAL, now, now, "Ab12Cd34") == f"manual__{now.isoformat()}"
