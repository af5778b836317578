"""How does a task wait? Sensors: what they see, when they give up, and what they hand over to look again later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.authoring.support import DAY, Rehearsal, load, only
from tests.support.waiting import wait_until
from tradewind.model.orders import Outcome
from tradewind.sdk import defaults
from tradewind.sdk.channel import ConnectionData
from tradewind.sdk.context import Context
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    DagArgumentError,
)
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.sensors.base import BaseSensorOperator, PokeReturnValue, poke_mode_only
from tradewind.sdk.sensors.bash import BashSensor
from tradewind.sdk.sensors.file import FileSensor
from tradewind.sdk.sensors.moments import (
    TimeDeltaSensor,
)
from tradewind.sdk.sensors.python import PythonSensor

FAST: Any = {"poke_interval": 0, "timeout": 0}
"""Too late after one look that found nothing."""


def trial(dag: DAG, **settings: Any) -> Any:
    """Return a rehearsal whose results are looked into without saying each time that they are there."""
    return Rehearsal(dag, **settings)


class Watch(BaseSensorOperator):
    """Sees what it is told to, look by look; an exception in the list is raised."""

    def __init__(self, *, sees, **kwargs) -> None:
        super().__init__(**kwargs)
        self.sees = list(sees)

    def poke(self, context):
        seen = self.sees.pop(0)
        if isinstance(seen, BaseException):
            raise seen
        return seen


def rehearse(**settings: Any) -> Any:
    with DAG("d") as dag:
        Watch(task_id="w", **settings)
    return trial(dag)


# --- the loop --------------------------------------------------------------------------------------------------------


def test_a_sensor_looks_until_it_sees_and_leaves_what_it_found():
    rehearsal = rehearse(
        sees=[False, None, PokeReturnValue(False, "no"), PokeReturnValue(True, {"a": 1})], poke_interval=0
    )

    result = rehearsal.attempt("w")

    assert result.outcome is Outcome.SUCCESS
    assert rehearsal.xcoms("w") == {"return_value": {"a": 1}}


def test_a_plain_truth_leaves_nothing():
    rehearsal = rehearse(sees=["yes"])

    assert rehearsal.attempt("w").outcome is Outcome.SUCCESS
    assert rehearsal.xcoms("w") == {}


def test_too_late_is_a_failure_that_is_not_tried_again():
    result = rehearse(sees=[False], retries=3, **FAST).attempt("w")

    assert (result.outcome, result.may_retry) == (Outcome.FAILED, False)
    assert "AirflowSensorTimeout" in result.error
    assert "timeout of 0 s" in result.error


_SKIPPED, _FAILED, _FINAL = (Outcome.SKIPPED, False), (Outcome.FAILED, True), (Outcome.FAILED, False)


# As in Airflow 3.3.2: what each setting makes of each end.
@pytest.mark.parametrize(
    ("setting", "ends"),
    [
        (None, {"late": _FINAL, "error": _FAILED, "fail": _FINAL, "skip": _SKIPPED, "own": _FINAL, "limit": _FAILED}),
        ("soft_fail", {"late": _SKIPPED, "error": _FAILED, "fail": _SKIPPED, "own": _SKIPPED, "limit": _SKIPPED}),
        ("never_fail", {"late": _FINAL, "error": _SKIPPED, "fail": _SKIPPED, "own": _SKIPPED, "limit": _SKIPPED}),
        ("silent_fail", {"late": _FINAL, "error": _FINAL, "fail": _FINAL, "skip": _SKIPPED, "own": _FINAL}),
    ],
)
def test_how_a_sensor_ends_that_does_not_see(setting, ends):
    sees: dict[str, Any] = {
        "late": False,
        "error": ValueError("x"),
        "fail": AirflowFailException("x"),
        "skip": AirflowSkipException("x"),
        "own": AirflowSensorTimeout("x"),
        "limit": AirflowTaskTimeout("x"),
    }
    for end, expected in ends.items():
        settings = {setting: True} if setting else {}
        result = rehearse(sees=[sees[end]], **FAST, **settings).attempt("w")
        assert (result.outcome, result.may_retry) == expected, end


def test_silent_errors_mean_not_yet_and_are_logged(caplog):
    result = rehearse(sees=[ValueError("not there"), True], poke_interval=0, silent_fail=True).attempt("w")

    assert result.outcome is Outcome.SUCCESS
    assert "ValueError: not there" in caplog.text


# --- letting go of the slot ------------------------------------------------------------------------------------------


def test_a_rescheduling_sensor_lets_go_and_says_when_it_looks_again():
    rehearsal = rehearse(sees=[False], mode="reschedule", poke_interval=timedelta(minutes=5), on_failure_callback=print)

    before = datetime.now(UTC)
    result = rehearsal.attempt("w")

    assert result.outcome is Outcome.RESCHEDULED
    wait = result.then.resume_at - before
    assert timedelta(minutes=5) <= wait < timedelta(minutes=6)


def test_the_time_of_a_rescheduling_sensor_runs_from_the_first_look_of_the_try():
    rehearsal = rehearse(sees=[False], mode="reschedule", timeout=100)
    now = datetime.now(UTC)

    early = rehearsal.attempt("w", part=3, first_started_at=now - timedelta(seconds=90))
    rehearsal.dag.get_task("w").sees = [False]
    late = rehearsal.attempt("w", part=4, first_started_at=now - timedelta(seconds=110))
    rehearsal.dag.get_task("w").sees = [False]
    anew = rehearsal.attempt("w", try_number=2)  # as in Airflow: the next try begins to count again

    assert [early.outcome, late.outcome, anew.outcome] == [Outcome.RESCHEDULED, Outcome.FAILED, Outcome.RESCHEDULED]
    assert "AirflowSensorTimeout" in late.error


def test_any_task_may_ask_to_be_called_again_later():
    at = datetime(2030, 1, 1, 3, tzinfo=UTC)

    def later(until):
        raise AirflowRescheduleException(until)

    with DAG("d") as dag:
        PythonOperator(task_id="later", python_callable=later, op_args=[at])
        PythonOperator(task_id="naive", python_callable=later, op_args=[at.replace(tzinfo=None)])

    result = trial(dag).attempt("later")
    assert (result.outcome, result.then.resume_at) == (Outcome.RESCHEDULED, at)
    assert "needs a datetime with a time zone" in trial(dag).attempt("naive").error


def test_a_task_knows_how_often_it_was_rescheduled():
    seen = []

    def look(task_reschedule_count, ti):
        seen.append((task_reschedule_count, ti.get_first_reschedule_date({})))

    with DAG("d") as dag:
        PythonOperator(task_id="t", python_callable=look)
    rehearsal = trial(dag)
    rehearsal.attempt("t")
    rehearsal.attempt("t", part=2, first_started_at=DAY)

    assert seen == [(0, None), (2, DAY)]


# --- how long between two looks --------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 3000), st.none() | st.integers(1, 1000), st.integers(0, 10_000))
def test_waits_grow_by_doubling_and_keep_to_their_limits(interval, number, longest, waited):
    with DAG("d"):
        sensor = Watch(
            task_id="w", sees=[], poke_interval=interval, timeout=20_000, exponential_backoff=True, max_wait=longest
        )
    pause = sensor._pause(waited, number, Context({"run_id": "r"}))

    least = max(int(interval * 2.0 ** (min(number, 40) - 2)), 1)
    bounds = [20_000 - waited] if longest is None else [20_000 - waited, longest]
    assert min(least, *bounds) <= pause <= min(2 * least, *bounds)
    assert pause == sensor._pause(waited, number, Context({"run_id": "r"}))


def test_without_backoff_the_interval_stays_the_same():
    with DAG("d"):
        sensor = Watch(task_id="w", sees=[], poke_interval=timedelta(seconds=7), max_wait=1)

    assert {sensor._pause(0, number, Context({"run_id": "r"})) for number in range(1, 9)} == {7.0}


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "nope"}, "mode must be one of poke, reschedule"),
        ({"poke_interval": -1}, "poke_interval must be a timedelta or a number of seconds, not below 0"),
        ({"poke_interval": "60"}, "poke_interval"),
        ({"timeout": timedelta(seconds=-1)}, "timeout"),
        ({"timeout": None, "max_wait": "x"}, "max_wait"),
        ({"soft_fail": True, "never_fail": True}, "exclude each other"),
        ({"pok_interval": 1}, "Did you mean 'poke_interval'"),
    ],
)
def test_wrong_arguments_are_refused_when_the_file_is_read(settings, words):
    with DAG("d"), pytest.raises(ValueError, match=words):
        Watch(task_id="w", sees=[], **settings)


def test_durations_are_kept_in_seconds_and_the_timeout_has_a_default():
    with DAG("d"):
        sensor = Watch(task_id="w", sees=[], poke_interval=timedelta(minutes=1), max_wait=5)
        assert (sensor.poke_interval, sensor.timeout, sensor.max_wait) == (60.0, 604800.0, timedelta(seconds=5))
    before = defaults.current()
    defaults.use(defaults.Defaults(sensor_timeout_seconds=60, deferrable=True))
    try:
        with DAG("d"):
            assert Watch(task_id="w", sees=[]).timeout == 60
            assert TimeDeltaSensor(task_id="t", delta=1).deferrable
            assert not TimeDeltaSensor(task_id="u", delta=1, deferrable=False).deferrable
    finally:
        defaults.use(before)


def test_a_sensor_class_may_insist_on_its_slot():
    @poke_mode_only
    class Greedy(Watch):
        pass

    with DAG("d"):
        assert Greedy(task_id="a", sees=[]).mode == "poke"
        with pytest.raises(DagArgumentError, match="the only one that this sensor can"):
            Greedy(task_id="b", sees=[], mode="reschedule")
    with pytest.raises(ValueError, match="subclasses of BaseSensorOperator"):
        poke_mode_only(PythonOperator)  # type: ignore[type-var]


def test_a_sensor_without_poke_says_what_it_needs():
    with DAG("d") as dag:
        BaseSensorOperator(task_id="w")

    assert "def poke(self, context)" in trial(dag).attempt("w").error


# --- Python and Bash -------------------------------------------------------------------------------------------------


def test_a_python_sensor_gets_arguments_templates_and_context(tmp_path: Path):
    dag = only(
        load(
            tmp_path,
            """
            from tradewind import DAG, task
            from tradewind.sdk.sensors.base import PokeReturnValue
            from tradewind.sdk.sensors.python import PythonSensor
            with DAG("d"):
                PythonSensor(
                    task_id="classic",
                    python_callable=lambda a, b, ds, templates_dict: PokeReturnValue(True, [a, b, ds, templates_dict]),
                    op_args=["{{ ds }}"], op_kwargs={"b": 2}, templates_dict={"t": "{{ run_id }}"},
                )
                @task.sensor(poke_interval=0, timeout=60)
                def decorated(x, ti=None):
                    return PokeReturnValue(True, (x, ti.task_id))
                @task.sensor
                def plain():
                    return 7
                decorated("{{ ds_nodash }}")
                plain()
            """,
        )
    )
    rehearsal = trial(dag)
    rehearsal.all()

    assert rehearsal.xcoms("classic") == {"return_value": ["2024-03-05", 2, "2024-03-05", {"t": "manual__1"}]}
    assert rehearsal.xcoms("decorated") == {"return_value": ("20240305", "decorated")}
    assert rehearsal.xcoms("plain") == {}


@pytest.mark.parametrize(
    ("code", "retry_code", "outcome", "may_retry"),
    [
        (0, None, Outcome.SUCCESS, True),
        (3, None, Outcome.FAILED, False),  # not yet, and too late
        (3, 3, Outcome.FAILED, False),
        (0, 3, Outcome.SUCCESS, True),
    ],
)
def test_a_bash_sensor_goes_by_the_exit_code(code, retry_code, outcome, may_retry):
    with DAG("d") as dag:
        BashSensor(task_id="b", bash_command=f"exit {code}", retry_exit_code=retry_code, **FAST)

    result = trial(dag).attempt("b")

    assert (result.outcome, result.may_retry) == (outcome, may_retry)
    assert result.error is None or "AirflowSensorTimeout" in result.error


def test_another_exit_code_than_that_for_not_yet_fails_for_good(caplog):
    with DAG("d") as dag:
        BashSensor(task_id="b", bash_command="echo $HERE; exit 4", env={"HERE": "it said so"}, retry_exit_code=3)

    caplog.set_level("INFO")
    result = trial(dag).attempt("b")

    assert (result.outcome, result.may_retry) == (Outcome.FAILED, False)
    assert "exit code 4" in result.error
    assert "it said so" in caplog.text


def test_a_bash_sensor_that_takes_too_long_leaves_nothing_running(tmp_path):
    note = tmp_path / "pid"
    with DAG("d") as dag:
        BashSensor(
            task_id="b",
            bash_command=f"sleep 600 & echo $! > {note}.new; mv {note}.new {note}; wait",
            execution_timeout=timedelta(seconds=1),
        )

    result = trial(dag).attempt("b")

    assert (result.outcome, result.may_retry) == (Outcome.FAILED, True)
    assert "AirflowTaskTimeout" in result.error
    wait_until(lambda: not psutil.pid_exists(int(note.read_text())), timeout=10, what="the end of the command")


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "recursive", "is_there"),
    [
        ("there.csv", False, True),
        ("missing.csv", False, False),
        ("*.csv", False, True),
        ("folder", False, True),  # holds a file, deep down
        ("empty", False, False),
        ("**/deep.txt", False, False),
        ("**/deep.txt", True, True),
    ],
)
def test_a_file_sensor_sees_files_below_the_path_of_its_connection(tmp_path, path, recursive, is_there):
    (tmp_path / "there.csv").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "folder" / "below" / "deep.txt").touch()
    with DAG("d") as dag:
        FileSensor(task_id="f", filepath=path, recursive=recursive, **FAST)
    rehearsal = trial(dag)
    rehearsal.memory.connections["fs_default"] = ConnectionData("fs_default", "fs", extra=f'{{"path": "{tmp_path}"}}')

    assert rehearsal.attempt("f").outcome is (Outcome.SUCCESS if is_there else Outcome.FAILED)


def test_a_file_sensor_without_its_connection_says_so(tmp_path):
    with DAG("d") as dag:
        FileSensor(task_id="f", filepath=str(tmp_path), fs_conn_id="shelf")

    assert "'shelf'" in trial(dag).attempt("f").error


# --- a whole run in this process -------------------------------------------------------------------------------------


def test_a_trial_run_waits_for_sensors_that_let_go_of_their_slot():
    looks = []

    def look(ti, task_reschedule_count):
        looks.append((task_reschedule_count, ti.try_number, ti.get_first_reschedule_date()))
        ti.xcom_push("look", len(looks))
        return len(looks) == 3

    with DAG("d") as dag:
        seen = PythonSensor(task_id="seen", python_callable=look, mode="reschedule", poke_interval=0.01)
        late = PythonSensor(
            task_id="late", python_callable=lambda: False, mode="reschedule", poke_interval=0.01, timeout=0.05
        )
        [seen, late] >> PythonOperator(task_id="after", python_callable=print, trigger_rule="one_failed")
    run = dag.test()

    assert run.states == {"seen": "success", "late": "failed", "after": "success"}
    assert [look[:2] for look in looks] == [(0, 1), (1, 1), (2, 1)]
    assert looks[0][2] is None
    assert looks[1][2] == looks[2][2] is not None
    assert run.xcom("seen", "look") == "3"
