"""Which timetable does a DAG get for what it says, and what does it hear when it says nonsense?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from dateutil.relativedelta import relativedelta

from tradewind.errors import DagError
from tradewind.model.spec import TimetableSpec
from tradewind.timetables import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    from_spec,
    timetable_for,
)


def wrong(value: Any) -> Any:
    """Give a value that no type checker would let through."""
    return value


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 2 * * *", CronTriggerTimetable("0 2 * * *", timezone="Europe/Berlin")),
        ("@daily", CronTriggerTimetable("0 0 * * *", timezone="Europe/Berlin")),
        ("@midnight", CronTriggerTimetable("0 0 * * *", timezone="Europe/Berlin")),
        ("0 2 * * * 30", CronTriggerTimetable("0 2 * * * 30", timezone="Europe/Berlin")),
        (timedelta(hours=6), DeltaTriggerTimetable(timedelta(hours=6))),
        (pendulum.duration(hours=6), DeltaTriggerTimetable(timedelta(hours=6))),
        (relativedelta(months=1), DeltaTriggerTimetable(relativedelta(months=1))),
        (None, NullTimetable()),
        ("@once", OnceTimetable()),
        ("@continuous", ContinuousTimetable()),
        (OnceTimetable(), OnceTimetable()),
    ],
)
def test_a_schedule_means_a_trigger_timetable(schedule, expected):
    assert timetable_for(schedule, "Europe/Berlin") == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("@daily", CronDataIntervalTimetable("0 0 * * *", "Europe/Berlin")),
        (timedelta(hours=6), DeltaDataIntervalTimetable(timedelta(hours=6))),
        ("@once", OnceTimetable()),
    ],
)
def test_a_schedule_means_data_intervals_when_the_configuration_says_so(schedule, expected):
    assert timetable_for(schedule, "Europe/Berlin", create_cron_data_intervals=True) == expected


def test_a_timetable_that_is_given_is_kept_as_it_is():
    given = CronDataIntervalTimetable("@daily", "Asia/Tokyo")

    assert timetable_for(given, "Europe/Berlin") is given


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("@dayly", "There is no schedule preset '@dayly'. Did you mean '@daily'?"),
        ("@Once", "Did you mean '@once'?"),
        ("0 2 * *", "has 4 fields; cron has 5"),
        ("daily", "has 1 field; cron has 5"),
        ("", "has 0 fields"),
        ("0 2 * * * * 2030", "has 7 fields"),
        ("61 2 * * *", "[61 2 * * *] is not acceptable, out of range"),
        ("0 2 * * FOO", "is not a cron expression"),
        ("0 2 30 2 *", "names days that no calendar has, so it would never run"),
        ("0 0 * * 5L", "The last such weekday of the month is L5 here."),
        ("R 2 * * *", "random field"),
        ("H 2 * * *", "hash_id"),
        (5, "The schedule is 5 (int); expected a cron string"),
        (["@daily"], "'@daily' is no asset"),
        (timedelta(0), "does not lead forward in time"),
        (timedelta(hours=-1), "Give a positive duration"),
        (relativedelta(months=-1), "does not lead forward"),
        (relativedelta(day=1), "does not lead forward"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused_with_the_mend(schedule, message):
    for data_intervals in (False, True):
        with pytest.raises(DagError) as caught:
            timetable_for(schedule, "UTC", data_intervals)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CronTriggerTimetable("@daily", interval=wrong(3)), "The interval of CronTriggerTimetable is 3"),
        (lambda: CronTriggerTimetable("@daily", run_immediately=wrong("soon")), "run_immediately is 'soon'"),
        (
            lambda: DeltaTriggerTimetable(wrong("6h")),
            "The delta of DeltaTriggerTimetable is '6h'; expected a timedelta",
        ),
        (lambda: CronTriggerTimetable("@daily", timezone="Europe/Berln"), "Did you mean 'Europe/Berlin'?"),
        (lambda: CronTriggerTimetable(wrong(None)), "The cron expression is None; expected text"),
        (lambda: from_spec(TimetableSpec("CronTriggerTimetabel")), "Did you mean 'CronTriggerTimetable'?"),
    ],
)
def test_a_timetable_with_wrong_arguments_says_which(make, message):
    with pytest.raises(DagError) as caught:
        make()
    assert message in str(caught.value)


def test_a_spec_says_the_schedule_in_letters_and_in_words():
    spec = timetable_for("@weekly", ZoneInfo("Europe/Berlin")).to_spec()

    assert spec.kind == "CronTriggerTimetable"
    assert (spec.summary, spec.description) == ("0 0 * * 0", "At 00:00, only on Sunday")
    assert spec.args["timezone"] == "Europe/Berlin"
    assert timetable_for(timedelta(hours=6)).to_spec().description == "Every 6 hours"
    assert timetable_for(None).to_spec().summary == "None"


def test_timetables_differ_by_what_they_mean():
    berlin = timetable_for("@daily", "Europe/Berlin")

    assert berlin != timetable_for("@daily", "UTC")
    assert berlin != timetable_for("@daily", "Europe/Berlin", create_cron_data_intervals=True)
    assert len({berlin, timetable_for("0 0 * * *", "Europe/Berlin")}) == 1
    assert berlin != "0 0 * * *"


def test_only_a_continuous_schedule_limits_its_runs_and_only_none_is_never_due():
    assert timetable_for("@continuous").active_runs_limit == 1
    assert timetable_for("@daily").active_runs_limit is None
    assert timetable_for("@daily").can_be_scheduled
    assert not timetable_for(None).can_be_scheduled


def test_a_manual_run_of_data_intervals_is_about_the_last_whole_one():
    run_after = datetime(2024, 3, 31, 12, tzinfo=UTC)

    start, end = CronDataIntervalTimetable("@daily", "Europe/Berlin").manual_interval(run_after)

    assert start == datetime(2024, 3, 29, 23, tzinfo=UTC)
    assert end == datetime(2024, 3, 30, 23, tzinfo=UTC)
