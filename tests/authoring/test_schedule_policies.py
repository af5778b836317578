"""Does a DAG take the wishes about its schedule that can be meant, and refuse the others with the mend?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from tradewind.errors import DagError
from tradewind.model.spec import SchedulePolicy
from tradewind.sdk.calendars import excluded_days
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.serialize import to_spec

JAN = datetime(2026, 1, 1)
HOLIDAYS = """BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:Christmas
DTSTART;VALUE=DATE:20261225
DTEND;VALUE=DATE:20261227
END:VEVENT
BEGIN:VEVENT
SUMMARY:A text that is so long that it goes on
  in the next line
DTSTART;VALUE=DATE:20260403
END:VEVENT
BEGIN:VEVENT
SUMMARY:Labour Day
DTSTART;VALUE=DATE:20200501
DTEND;VALUE=DATE:20200502
RRULE:FREQ=YEARLY;WKST=MO
END:VEVENT
BEGIN:VEVENT
SUMMARY:Cleaning
DTSTART;TZID=Europe/Berlin:20260715T080000
DTEND;TZID=Europe/Berlin:20260715T170000
END:VEVENT
BEGIN:VEVENT
SUMMARY:Called off
STATUS:CANCELLED
DTSTART;VALUE=DATE:20260801
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


def test_the_defaults_are_airflows_ways_and_take_no_room_in_the_spec():
    spec = to_spec(DAG("etl", schedule="@daily"))

    assert spec.policy == SchedulePolicy()
    assert spec.max_active_runs == 16
    assert spec.max_consecutive_failed_dag_runs == 0


def test_wishes_stand_in_the_spec():
    dag = DAG(
        "etl",
        schedule="@daily",
        start_date=JAN,
        catchup=True,
        overlap="skip",
        catchup_window=timedelta(days=2),
        jitter=timedelta(minutes=10),
        exclude_dates=[date(2026, 12, 24), "*-01-01"],
        pause_on_failure=True,
    )

    spec = to_spec(dag)

    assert spec.policy == SchedulePolicy("skip", 2 * 86400.0, 600.0, ("*-01-01", "2026-12-24"))
    assert spec.max_active_runs == 1
    assert spec.max_consecutive_failed_dag_runs == 1


def test_wishes_about_failed_runs_stand_in_the_spec():
    spec = to_spec(DAG("etl", run_retries=2, run_retry_delay=timedelta(minutes=10), on_run_failure="hold"))

    assert (spec.run_retries, spec.run_retry_delay_seconds, spec.holds_after_failure) == (2, 600.0, True)


def test_without_wishes_a_failed_run_is_not_tried_again_and_holds_up_none():
    spec = to_spec(DAG("etl"))

    assert (spec.run_retries, spec.holds_after_failure) == (0, False)


@pytest.mark.parametrize(
    ("kept", "days"), [(None, None), (timedelta(days=30), 30.0), (timedelta(hours=36), 1.5), (timedelta(0), 0.0)]
)
def test_how_long_runs_are_kept_stands_in_the_spec(kept, days):
    assert to_spec(DAG("etl", runs_kept_for=kept)).days_kept == days


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runs_kept_for": 30}, "runs_kept_for must be a datetime.timedelta"),
        ({"runs_kept_for": timedelta(-1)}, "runs_kept_for must be a duration; timedelta(0) for ever, or None"),
        ({"overlap": "skipp"}, "overlap 'skipp' does not exist. Did you mean 'skip'?"),
        ({"overlap": "skip", "max_active_runs": 3}, "max_active_runs must be 1 or left out with overlap='skip', not 3"),
        ({"catchup_window": timedelta(0)}, "catchup_window must be a duration above zero"),
        ({"jitter": 60}, "jitter must be a datetime.timedelta"),
        ({"pause_on_failure": 3}, "pause_on_failure must be True or False"),
        ({"run_retries": -1}, "run_retries must be a whole number of 0 or more"),
        ({"run_retries": 1, "run_retry_delay": "5m"}, "run_retry_delay must be a datetime.timedelta or a number of se"),
        ({"run_retries": 1, "run_retry_delay": -1}, "run_retry_delay must be a duration of zero or more"),
        ({"run_retry_delay": timedelta(1)}, "run_retry_delay must be left out, since run_retries is 0; or give run_"),
        ({"on_run_failure": "stop"}, "on_run_failure 'stop' does not exist. It must be one of continue, hold"),
        ({"on_run_failure": "holds"}, "on_run_failure 'holds' does not exist. Did you mean 'hold'?"),
        (
            {"pause_on_failure": True, "max_consecutive_failed_dag_runs": 3},
            "pause_on_failure must be left out, since max_consecutive_failed_dag_runs is given",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, message):
    with pytest.raises(DagArgumentError) as caught:
        DAG("etl", schedule="@daily", **arguments)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"catchup_window": timedelta(days=1)}, "catchup_window says how far back catchup goes, but catchup is off"),
        ({"schedule": "@continuous", "jitter": timedelta(1)}, "jitter and exclude_dates mean nothing to it"),
        ({"schedule": "@continuous", "exclude_dates": "2026-01-01"}, "jitter and exclude_dates mean nothing to it"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, message):
    with pytest.raises(DagError) as caught:
        to_spec(DAG("etl", max_active_runs=1, start_date=JAN, **{"schedule": "@daily"} | arguments))

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ()),
        ([], ()),
        (date(2026, 5, 1), ("2026-05-01",)),
        (datetime(2026, 5, 1, 13), ("2026-05-01",)),
        (["2026-05-02", date(2026, 5, 1), "2026-05-02"], ("2026-05-01", "2026-05-02")),
        ((date(2026, 5, 1), "2026-05-03"), ("2026-05-01/2026-05-03",)),
        ([("2026-05-01", "2026-05-03"), "2026-07-01/2026-07-02"], ("2026-05-01/2026-05-03", "2026-07-01/2026-07-02")),
        ({"*-12-25", "*-02-29"}, ("*-02-29", "*-12-25")),
    ],
)  # fmt: skip
def test_days_can_be_said_in_many_ways(given, expected):
    assert excluded_days("DAG 'etl'", given, "/nowhere") == expected


@pytest.mark.parametrize(
    "item", ["tomorrow", 20260501, "*-13-01", "*-02-30", "2026-02-30", "2026-05-01/", [1, 2, 3], "*"]
)
def test_an_item_that_is_no_day_is_named(item):
    with pytest.raises(DagArgumentError, match=r"DAG 'etl': exclude_dates has .* expected a date, '2026-12-24'"):
        excluded_days("DAG 'etl'", [item], "/nowhere")


def test_a_span_that_ends_before_it_begins_is_refused():
    with pytest.raises(DagArgumentError, match="ends before it begins"):
        excluded_days("DAG 'etl'", ["2026-05-03/2026-05-01"], "/nowhere")


def test_calendars_are_read_from_the_folder_of_the_dag_file(tmp_path):
    (tmp_path / "holidays.ics").write_text(HOLIDAYS)
    (tmp_path / "ours.txt").write_text("# founded\n*-03-08\n\n2026-06-01/2026-06-02  # moving\n")

    found = excluded_days("DAG 'etl'", ["holidays.ics", Path("ours.txt"), date(2026, 8, 8)], str(tmp_path))

    assert found == (
        "*-03-08", "*-05-01", "2026-04-03", "2026-06-01/2026-06-02", "2026-07-15", "2026-08-08",
        "2026-12-25/2026-12-26",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ics", None, "cannot be read: [Errno 2]"),
        ("a.ics", "BEGIN:VEVENT\nSUMMARY:X\nEND:VEVENT", "'X' has no DTSTART"),
        ("a.ics", "BEGIN:VEVENT\nSUMMARY:X\nDTSTART:soon\nEND:VEVENT", "'X' has the date 'soon', which is none"),
        (
            "a.ics",
            "BEGIN:VEVENT\nSUMMARY:X\nDTSTART:20260101\nRRULE:FREQ=YEARLY;BYDAY=1MO\nEND:VEVENT",
            "'X' comes again by the rule FREQ=YEARLY;BYDAY=1MO; only events of the same date each year",
        ),
        ("a.txt", "2026-01-01\nsoon\n", "line 2: exclude_dates has 'soon'"),
        ("a.txt", "b.txt\n", "line 1 names another file"),
    ],
)
def test_what_is_wrong_with_a_calendar_is_told(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)

    with pytest.raises(DagArgumentError) as caught:
        excluded_days("DAG 'etl'", name, str(tmp_path))

    assert message in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_the_defaults_of_failures_in_a_row_come_from_the_configuration():
    from tradewind.sdk import defaults

    before = defaults.current()
    defaults.use(defaults.Defaults(max_consecutive_failed_dag_runs=3))
    try:
        assert DAG("etl").max_consecutive_failed_dag_runs == 3
        assert DAG("etl", pause_on_failure=True).max_consecutive_failed_dag_runs == 1
    finally:
        defaults.use(before)
