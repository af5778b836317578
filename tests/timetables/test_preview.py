"""Does a preview show the runs that will be made, and a spec what restricts them?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tradewind.model.spec import DagSpec, TaskSpec, TimetableSpec
from tradewind.timetables import DataInterval, Restriction, preview, restriction_of, timetable_for

NOW = datetime(2024, 10, 26, 12, tzinfo=UTC)


def days(runs):
    return [run.run_after.strftime("%d %H:%M") for run in runs]


def test_the_next_runs_follow_the_wall_clock_through_the_change():
    timetable = timetable_for("30 2 * * *", "Europe/Berlin")

    runs = preview(timetable, NOW, 3, last_interval=DataInterval.exact(datetime(2024, 10, 26, 0, 30, tzinfo=UTC)))

    assert days(runs) == ["27 01:30", "28 01:30", "29 01:30"]


def test_a_missed_run_comes_first_and_once_only_without_catchup():
    restriction = Restriction(datetime(2024, 10, 1, tzinfo=UTC))

    assert days(preview(timetable_for("@daily"), NOW, 3, restriction)) == ["26 00:00", "27 00:00", "28 00:00"]
    assert days(preview(timetable_for("@daily", create_cron_data_intervals=True), NOW, 2, restriction)) == [
        "26 00:00",
        "27 00:00",
    ]


def test_all_missed_runs_come_with_catchup():
    restriction = Restriction(datetime(2024, 10, 1, tzinfo=UTC), catchup=True)

    assert days(preview(timetable_for("@daily"), NOW, 2, restriction)) == ["01 00:00", "02 00:00"]


def test_a_schedule_that_ends_has_fewer_runs():
    restriction = Restriction(NOW, NOW + timedelta(days=2))

    assert len(preview(timetable_for("@daily"), NOW, 9, restriction)) == 2
    assert len(preview(timetable_for("@once"), NOW, 9)) == 1
    assert len(preview(timetable_for("@continuous"), NOW, 9)) == 1
    assert preview(timetable_for(None), NOW, 9) == []
    assert preview(timetable_for("@daily"), NOW, 0) == []


def dag(*tasks: TaskSpec, **fields: object) -> DagSpec:
    return DagSpec("d", TimetableSpec("NullTimetable"), tasks, **fields)  # type: ignore[arg-type]


def task(start: str | None = None, end: str | None = None) -> TaskSpec:
    return TaskSpec("t", start_date=start, end_date=end)


@pytest.mark.parametrize(
    ("spec", "earliest", "latest"),
    [
        (dag(), None, None),
        (dag(start_date="2024-01-02T00:00:00+01:00", end_date="2024-02-01"), "2024-01-01T23:00", "2024-02-01"),
        (dag(task(start="2024-01-05"), task()), "2024-01-05", None),
        (dag(task(start="2024-01-05"), start_date="2024-01-07"), "2024-01-05", None),
        (dag(task(end="2024-03-01"), task(), end_date="2024-02-01"), None, "2024-02-01"),
        (dag(task(end="2024-03-01"), end_date="2024-02-01"), None, "2024-03-01"),
        (dag(task(end="2024-03-01")), None, "2024-03-01"),
    ],
)
def test_start_and_end_are_the_dags_and_its_tasks(spec, earliest, latest):
    restriction = restriction_of(spec)

    assert restriction.earliest == (earliest and datetime.fromisoformat(earliest).replace(tzinfo=UTC))
    assert restriction.latest == (latest and datetime.fromisoformat(latest).replace(tzinfo=UTC))
    assert restriction.catchup is False
    assert restriction_of(dag(catchup=True)).catchup
