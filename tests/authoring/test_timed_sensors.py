"""How does a task wait for a time? And what becomes of sensors that wait without a slot?"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from tests.authoring.support import DAY, Rehearsal
from tradewind.model.orders import Outcome
from tradewind.sdk.channel import ConnectionData
from tradewind.sdk.dag import DAG
from tradewind.sdk.sensors.file import FileSensor
from tradewind.sdk.sensors.moments import (
    DateTimeSensor,
    DateTimeSensorAsync,
    TimeDeltaSensor,
    TimeDeltaSensorAsync,
    TimeSensor,
    TimeSensorAsync,
    WaitSensor,
)
from tradewind.sdk.sensors.weekday import DayOfWeekSensor
from tradewind.sdk.weekday import WeekDay

FAST: Any = {"poke_interval": 0, "timeout": 0}
"""Too late after one look that found nothing."""


def trial(dag: DAG, **settings: Any) -> Any:
    """Return a rehearsal whose results are looked into without saying each time that they are there."""
    return Rehearsal(dag, **settings)


# --- time ------------------------------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)


def ends(sensor_of: Any) -> Outcome:
    with DAG("d") as dag:
        sensor_of()
    return trial(dag).attempt("t").outcome


@pytest.mark.parametrize(
    ("target", "is_over"),
    [
        ("{{ logical_date }}", True),
        ("2024-03-05", True),
        ("2999-01-01T00:00:00", False),
        (datetime.now(UTC) - HOUR, True),
        (datetime.now(UTC) + HOUR, False),
        (datetime(2024, 1, 1), True),
    ],
)
def test_a_datetime_sensor_waits_for_an_instant(target, is_over):
    outcome = ends(lambda: DateTimeSensor(task_id="t", target_time=target, **FAST))

    assert outcome is (Outcome.SUCCESS if is_over else Outcome.FAILED)


def test_an_instant_that_is_none_fails_the_task():
    with DAG("d") as dag:
        DateTimeSensor(task_id="t", target_time=5, **FAST)  # type: ignore[arg-type]

    assert "target_time must be a text or a datetime" in trial(dag).attempt("t").error


@pytest.mark.parametrize(("delta", "is_over"), [(HOUR, True), (60, True), ("{{ 60 * 24 * 365 * 100 }}", False)])
def test_a_delta_is_counted_from_the_end_of_the_data_or_from_when_the_run_is_due(delta, is_over):
    for date in (DAY, None):
        with DAG("d") as dag:
            TimeDeltaSensor(task_id="t", delta=delta, **FAST)
        outcome = trial(dag, logical_date=date).attempt("t").outcome
        assert outcome is (Outcome.SUCCESS if is_over else Outcome.FAILED)


def test_a_time_of_day_is_that_of_the_day_on_which_the_try_began():
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("America/New_York")
    with DAG("d", start_date=datetime(2024, 1, 1, tzinfo=zone)) as dag:
        sensor = TimeSensor(task_id="t", target_time=time(23, 30), mode="reschedule", timeout=10**9)
    began = datetime(2024, 3, 5, 20, tzinfo=zone)  # it is over long ago, however late it is today

    assert trial(dag).attempt("t", part=1, first_started_at=began).outcome is Outcome.SUCCESS
    days = [datetime.now(zone).date()]
    target = sensor.target_datetime
    days.append(datetime.now(zone).date())  # another one, if it is just midnight
    assert target in [datetime.combine(day, time(23, 30), zone) for day in days]


def test_a_time_of_day_must_be_one():
    with DAG("d"), pytest.raises(TypeError, match=r"datetime\.time"):
        TimeSensor(task_id="t", target_time="06:00")  # type: ignore[arg-type]


def test_a_wait_sensor_of_less_than_a_second_does_not_wait():
    assert ends(lambda: WaitSensor(task_id="t", time_to_wait=timedelta(milliseconds=900))) is Outcome.SUCCESS


@pytest.mark.parametrize(("day", "is_over"), [("TUESDAY", True), ([WeekDay.MONDAY, "friday"], False)])
def test_a_weekday_sensor_goes_by_the_logical_date(day, is_over):
    outcome = ends(lambda: DayOfWeekSensor(task_id="t", week_day=day, use_task_logical_date=True, **FAST))

    assert outcome is (Outcome.SUCCESS if is_over else Outcome.FAILED)


def test_a_weekday_sensor_goes_by_today():
    other = WeekDay((datetime.now(UTC) + timedelta(days=3)).isoweekday())

    assert ends(lambda: DayOfWeekSensor(task_id="t", week_day=list(WeekDay), **FAST)) is Outcome.SUCCESS
    assert ends(lambda: DayOfWeekSensor(task_id="t", week_day=other, **FAST)) is Outcome.FAILED


# --- without a slot --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "trigger", "timeout"),
    [
        (lambda: DateTimeSensorAsync(task_id="t", target_time="2999-01-01"), "DateTimeTrigger", None),
        (lambda: TimeDeltaSensor(task_id="t", delta=10**8, deferrable=True, timeout=50), "DateTimeTrigger", 50.0),
        (lambda: TimeSensor(task_id="t", target_time=time(0, 0), deferrable=True), "DateTimeTrigger", None),
        (lambda: TimeSensor(task_id="t", target_time=time(0, 0), start_from_trigger=True), "DateTimeTrigger", None),
        (lambda: WaitSensor(task_id="t", time_to_wait=1, deferrable=True), "DateTimeTrigger", None),
        (lambda: FileSensor(task_id="t", filepath="/nowhere", deferrable=True, timeout=9), "FileTrigger", 9.0),
    ],
)
def test_a_deferrable_sensor_waits_with_a_trigger(make, trigger, timeout):
    with DAG("d") as dag:
        make()
    rehearsal = trial(dag)
    rehearsal.memory.connections["fs_default"] = ConnectionData("fs_default", "fs")

    result = rehearsal.attempt("t")

    assert result.outcome is Outcome.DEFERRED, result.error
    assert result.then.wait.trigger.endswith(trigger)
    assert result.then.wait.method == "execute_complete"
    assert result.then.wait.timeout_seconds == timeout


def test_a_deferrable_delta_that_is_over_returns_at_once():
    with DAG("d") as dag:
        TimeDeltaSensor(task_id="t", delta=1, deferrable=True)
    rehearsal = trial(dag)

    assert rehearsal.attempt("t").outcome is Outcome.SUCCESS
    assert rehearsal.xcoms("t") == {"return_value": True}


@pytest.mark.parametrize(("old", "new"), [(TimeSensorAsync, "TimeSensor"), (TimeDeltaSensorAsync, "TimeDeltaSensor")])
def test_old_names_defer_and_name_the_new_one(old, new):
    with DAG("d"), pytest.warns(DeprecationWarning, match=rf"{new}\(deferrable=True\)"):
        sensor = old(task_id="t", **({"delta": 1} if new == "TimeDeltaSensor" else {"target_time": time(1)}))

    assert sensor.deferrable


@pytest.mark.parametrize(
    ("setting", "failure", "outcome", "word"),
    [
        ({}, "timeout", Outcome.FAILED, "AirflowSensorTimeout"),
        ({"soft_fail": True}, "timeout", Outcome.SKIPPED, "soft_fail"),
        ({"never_fail": True}, "it broke", Outcome.SKIPPED, "never_fail"),
        ({}, "it broke", Outcome.FAILED, "TaskDeferralError"),
    ],
)
def test_what_becomes_of_a_sensor_whose_wait_ended_badly(setting, failure, outcome, word):
    from tradewind.model.orders import Resumption

    with DAG("d") as dag:
        DateTimeSensorAsync(task_id="t", target_time="2999-01-01", **setting)

    result = trial(dag).attempt("t", resume=Resumption("execute_complete", failure=failure))

    assert result.outcome is outcome
    assert word in result.error
