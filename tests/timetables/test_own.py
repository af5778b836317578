"""Do timetables that users write for Airflow mean here what they mean there?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
import pytest

from tradewind.errors import DagError
from tradewind.model.states import RunType
from tradewind.timetables import (
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DagRunInfo,
    DataInterval,
    MultipleCronTriggerTimetable,
    OwnCodeNeeded,
    OwnTimetable,
    Restriction,
    Timetable,
    from_spec,
    needs_own_code,
    preview,
    timetable_for,
)

FRIDAY = datetime(2026, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


class Weekdays(Timetable):
    """Each weekday is an interval of its own; written against Airflow's interface."""

    description = "Each weekday, when it is over"

    def __init__(self, hour: int = 0) -> None:
        self.hour = hour

    def _on_weekday(self, at: pendulum.DateTime, step: int) -> pendulum.DateTime:
        while at.weekday() >= 5:
            at = at.add(days=step)
        return at

    def infer_manual_data_interval(self, *, run_after):
        start = self._on_weekday(run_after.start_of("day").subtract(days=1), -1)
        return DataInterval(start=start, end=start.add(days=1))

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        if last_automated_data_interval is not None:
            start = last_automated_data_interval.end
        elif restriction.earliest is None:
            return None
        else:
            start = restriction.earliest
        start = self._on_weekday(start.add(hours=self.hour), 1)
        if restriction.latest is not None and start > restriction.latest:
            return None
        return DagRunInfo.interval(start=start, end=start.add(days=1))

    def serialize(self):
        return {"hour": self.hour}

    def generate_run_id(self, *, run_type, run_after, data_interval, **extra):
        return f"{run_type}-{data_interval.start.format('YYYY-MM-DD') if data_interval else 'none'}"


class NotOnTheFirst(CronTriggerTimetable):
    """Builds upon a timetable of ours."""

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        found = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        while found is not None and found.run_after.day == 1:
            found = super().next_dagrun_info(last_automated_data_interval=found.data_interval, restriction=restriction)
        return found


class Steps(CronDataIntervalTimetable):
    """Uses the steps along the ticks by the names that they have in Airflow."""

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        start = self._align_to_next(restriction.earliest)
        if last_automated_data_interval is not None:
            start = self._get_next(last_automated_data_interval.start)
        return DagRunInfo.interval(self._get_prev(self._get_next(start)), self._align_to_prev(self._get_next(start)))


def test_the_users_methods_are_asked_with_pendulums_instants():
    runs = preview(Weekdays(), FRIDAY, 3, Restriction(FRIDAY, FRIDAY + 4 * DAY, catchup=True))

    assert [run.interval for run in runs] == [DataInterval(FRIDAY + n * DAY, FRIDAY + (n + 1) * DAY) for n in (0, 3, 4)]
    assert all(type(run.run_after) is datetime and run.run_after.tzinfo is UTC for run in runs)


def test_a_run_by_hand_and_the_names_of_runs_are_the_users():
    monday = FRIDAY + 3 * DAY

    assert Weekdays().manual_interval(monday + DAY / 3) == DataInterval(FRIDAY, FRIDAY + DAY)
    assert Weekdays().run_id(RunType.MANUAL, monday, monday, interval=DataInterval.exact(FRIDAY)) == "manual-2026-01-02"


def test_a_class_that_builds_upon_ours_can_ask_it():
    timetable = NotOnTheFirst("0 12 * * *", timezone="Europe/Berlin")

    runs = preview(timetable, FRIDAY, 40, Restriction(FRIDAY - 3 * DAY, None, catchup=True))

    assert [run.run_after.day for run in runs[:4]] == [30, 31, 2, 3]
    assert [run.run_after.hour for run in runs] == [11] * 40
    assert timetable.manual_interval(FRIDAY) == DataInterval.exact(FRIDAY)
    assert timetable.run_id(RunType.MANUAL, FRIDAY, FRIDAY) == f"manual__{FRIDAY.isoformat()}"


def test_the_steps_along_the_ticks_have_airflows_names():
    runs = preview(Steps("@daily"), FRIDAY, 3, Restriction(FRIDAY + DAY / 2, None, catchup=True))

    assert [run.interval.start for run in runs] == [FRIDAY + n * DAY for n in (1, 2, 3)]


def test_where_the_users_code_does_not_run_nothing_is_guessed():
    stored = from_spec(Weekdays(3).to_spec())

    assert stored == OwnTimetable("tests.timetables.test_own.Weekdays", {"hour": 3})
    assert stored.summary == "Weekdays"
    assert needs_own_code(stored)
    assert not needs_own_code(timetable_for("@daily"))
    with pytest.raises(OwnCodeNeeded, match=r"Weekdays is the user's own code, which does not run here"):
        stored.next_run(None, None, Restriction(FRIDAY), FRIDAY)


def test_two_of_the_same_class_with_other_data_are_not_the_same():
    assert Weekdays(3).to_spec() != Weekdays(4).to_spec()
    assert Weekdays(3) == Weekdays(3)


def saying(method: str, value: Any) -> Timetable:
    """A timetable one of whose methods gives ``value``, or raises it."""

    def answer(self, **_arguments):
        if isinstance(value, Exception):
            raise value
        return value

    return type("Odd", (Weekdays,), {method: answer, "__module__": __name__})()


@pytest.mark.parametrize(
    ("method", "value", "message"),
    [
        ("next_dagrun_info", KeyError("x"), "Odd: next_dagrun_info() raised KeyError: 'x'"),
        ("next_dagrun_info", "tomorrow", "gave 'tomorrow'; expected a DagRunInfo"),
        ("next_dagrun_info", DagRunInfo.exact(datetime(2026, 1, 1)), "aware instants"),
        ("infer_manual_data_interval", None, "gave None; expected a DataInterval"),
        ("generate_run_id", "a/b", "gave 'a/b'; expected a text of 1 to 250 characters without '/'"),
        ("serialize", {"x": object()}, "expected a dict of JSON values"),
        ("serialize", [1], "expected a dict of JSON values"),
        ("validate", ValueError("no hours"), "validate() raised ValueError: no hours"),
    ],
)
def test_what_the_users_code_says_wrong_is_told(method, value, message):
    odd = saying(method, value)
    ask = {
        "next_dagrun_info": lambda: odd.next_run(None, None, Restriction(FRIDAY), FRIDAY),
        "infer_manual_data_interval": lambda: odd.manual_interval(FRIDAY),
        "generate_run_id": lambda: odd.run_id(RunType.SCHEDULED, FRIDAY),
        "serialize": odd.to_spec,
        "validate": odd.check,
    }[method]

    with pytest.raises(DagError) as caught:
        ask()

    assert message in str(caught.value)


def test_a_class_without_a_schedule_says_what_it_lacks():
    class Bare(Timetable):
        pass

    with pytest.raises(DagError, match=r"Bare does not define next_dagrun_info\(\)"):
        Bare().next_run(None, None, Restriction(FRIDAY), FRIDAY)


# --- several cron expressions ------------------------------------------------------------------------------------


def test_a_schedule_of_no_expression_is_refused():
    with pytest.raises(DagError, match="has no cron expression"):
        MultipleCronTriggerTimetable(timezone="UTC")
