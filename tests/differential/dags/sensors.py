# mypy: ignore-errors
"""Sensors in every mode, what ends them, and tasks that defer."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.bash import BashSensor
from airflow.providers.standard.sensors.date_time import DateTimeSensor, DateTimeSensorAsync
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.providers.standard.sensors.time import TimeSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor, WaitSensor
from airflow.providers.standard.sensors.weekday import DayOfWeekSensor
from airflow.sdk import DAG, BaseSensorOperator, PokeReturnValue, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

FOLDER = os.environ.get("PROBE_FOLDER", "/nowhere")
PACE = float(os.environ.get("PROBE_PACE", "1"))  # what comes back too soon confuses a slow scheduler


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


def counted(ti):
    """Return how often this was called for this task instance."""
    file = Path(FOLDER) / f"pokes-{ti.dag_id}-{ti.task_id}-{ti.map_index}"
    with file.open("a") as pokes:
        pokes.write(".")
    return file.stat().st_size


def at_third(ti):
    return counted(ti) >= 3


def throws(kind):
    def poke(ti):
        if counted(ti) < 2:
            return False
        raise {
            "value": ValueError("m"), "skip": AirflowSkipException("m"), "fail": AirflowFailException("m"),
            "timeout": AirflowSensorTimeout("m"),
        }[kind]  # fmt: skip

    return poke


for mode in ("poke", "reschedule"):
    with DAG(f"sensors_{mode}", default_args={"mode": mode, "poke_interval": 0.2 if mode == "poke" else 0.4 * PACE}):
        PythonSensor(task_id="third", python_callable=at_third) >> Nop(task_id="below")
        if mode == "poke":
            PythonSensor(task_id="backoff", python_callable=at_third, exponential_backoff=True, max_wait=1)
        PythonSensor(
            task_id="args",
            python_callable=lambda x, y, ds: (x, y, ds) == (1, "2024-03-05", "2024-03-05"),
            op_args=[1],
            op_kwargs={"y": "{{ ds }}"},
        )
        never = {"python_callable": lambda: False, "timeout": 0.7}
        PythonSensor(task_id="timeout", **never) >> Nop(task_id="below_timeout")
        PythonSensor(task_id="soft", soft_fail=True, **never) >> Nop(task_id="below_soft")
        PythonSensor(task_id="no_time", timeout=0, python_callable=lambda: False, soft_fail=True)
        for kind in ("value", "skip", "fail", "timeout"):
            PythonSensor(task_id=f"{kind}.raised", python_callable=throws(kind))
            PythonSensor(task_id=f"{kind}.soft", python_callable=throws(kind), soft_fail=True)
            PythonSensor(task_id=f"{kind}.never_fail", python_callable=throws(kind), never_fail=True)
        PythonSensor(task_id="silent", silent_fail=True, python_callable=throws("value"), timeout=PACE, soft_fail=True)
        PythonSensor(task_id="retried", python_callable=throws("value"), retries=1, retry_delay=0)

        @task.sensor(mode=mode, poke_interval=0.2 if mode == "poke" else 0.4 * PACE)
        def returns(ti=None):
            return PokeReturnValue(is_done=counted(ti) >= 2, xcom_value={"pokes": 2})

        @task.sensor(mode=mode, poke_interval=0.2 if mode == "poke" else 0.4 * PACE)
        def plain(ti=None):
            return counted(ti) >= 2

        @task.sensor(mode=mode, poke_interval=0.2 if mode == "poke" else 0.4 * PACE)
        def value_only(ti=None):
            return PokeReturnValue(True, "value")

        @task
        def read(x):
            return x

        read(returns())
        read.override(task_id="read_plain", trigger_rule="all_done")(plain())
        read(value_only())

        class Own(BaseSensorOperator):
            template_fields = ("text",)

            def __init__(self, *, text, **fields):
                super().__init__(**fields)
                self.text = text

            def poke(self, context):
                return PokeReturnValue(counted(context["ti"]) >= 2, self.text)

        Own(task_id="own", text="{{ ds }}")
        Own.partial(task_id="own_mapped").expand(text=["{{ ds_nodash }}", "b"])
        BashSensor(
            task_id="bash", bash_command=f"echo x >> {FOLDER}/bash-{mode}; test $(wc -l < {FOLDER}/bash-{mode}) -ge 2"
        )
        BashSensor(task_id="bash_never", bash_command="exit 1", timeout=0.5)
        BashSensor(task_id="bash_retry_code", bash_command="exit 3", retry_exit_code=4, timeout=5)
        DateTimeSensor(task_id="past", target_time="2024-01-01T00:00:00+00:00")
        DateTimeSensor(task_id="past_template", target_time="{{ logical_date.add(hours=1) }}")
        DateTimeSensor(task_id="future", target_time=datetime(2199, 1, 1), timeout=0.3)
        TimeDeltaSensor(task_id="delta", delta=timedelta(hours=1))
        TimeSensor(task_id="midnight", target_time=datetime(2024, 1, 1).time())
        WaitSensor(task_id="wait", time_to_wait=timedelta(milliseconds=300)) if mode == "poke" else None
        DayOfWeekSensor(task_id="tuesday", week_day="Tuesday", use_task_logical_date=True)
        DayOfWeekSensor(task_id="monday", week_day={"Monday"}, use_task_logical_date=True, timeout=0.3)
        FileSensor(task_id="there", filepath=FOLDER)
        FileSensor(task_id="glob", filepath=f"{FOLDER}/da*", recursive=True)
        FileSensor(task_id="missing", filepath=f"{FOLDER}/no-such-file", timeout=0.3, soft_fail=True)

with DAG("deferred"):
    TimeDeltaSensor(task_id="delta", delta=timedelta(hours=1), deferrable=True) >> Nop(task_id="below")
    WaitSensor(task_id="wait", time_to_wait=timedelta(milliseconds=300), deferrable=True)
    TimeSensor(task_id="midnight", target_time=datetime(2024, 1, 1).time(), deferrable=True)
    FileSensor(task_id="there", filepath=FOLDER, deferrable=True, poke_interval=0.2)
    DateTimeSensorAsync(task_id="ends", target_time="2024-01-01T00:00:00+00:00", end_from_trigger=True)
