"""Do coroutine functions work wherever functions do?"""

from __future__ import annotations

import asyncio

import pytest

from tests.authoring.support import Rehearsal
from tradewind.model.orders import Outcome
from tradewind.sdk.connection import Connection
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowSkipException
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.taskflow import task


def test_a_coroutine_function_is_a_task(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_IT", "http://x.example.org")
    with DAG("many") as dag:

        @task
        async def fetch(n, ds):
            async def one(number):
                await asyncio.sleep(0)
                return number * number

            found = await Connection.async_get("it")
            return {"all": await asyncio.gather(*(one(k) for k in range(n))), "ds": ds, "host": found.host}

        @task
        async def total(values):
            return sum(values["all"])

        total(fetch(4))
    rehearsal = Rehearsal(dag)

    assert [result.error for result in rehearsal.all().values()] == [None, None]

    assert rehearsal.xcoms("fetch")["return_value"] == {
        "all": [0, 1, 4, 9],
        "ds": "2024-03-05",
        "host": "x.example.org",
    }
    assert rehearsal.xcoms("total")["return_value"] == 14


@pytest.mark.parametrize(
    ("error", "outcome"), [(ValueError("no rows"), Outcome.FAILED), (AirflowSkipException("none"), Outcome.SKIPPED)]
)
def test_what_a_coroutine_raises_is_the_end_of_the_task(error, outcome):
    async def work(**_context):
        await asyncio.sleep(0)
        raise error

    dag = DAG("many")
    PythonOperator(task_id="t", dag=dag, python_callable=work)

    result = Rehearsal(dag).attempt("t")

    assert result.outcome is outcome
    assert str(error) in (result.error or "")


def test_branches_and_sensors_may_be_coroutines():
    looks: list[int] = []
    with DAG("many") as dag:

        @task.branch
        async def choose():
            return "left"

        @task.sensor(poke_interval=0.01, timeout=10)
        async def ready():
            looks.append(1)
            return len(looks) > 1

        @task
        def left():
            pass

        @task
        def right():
            pass

        ready() >> choose() >> [left(), right()]
    rehearsal = Rehearsal(dag)

    assert rehearsal.attempt("ready").outcome is Outcome.SUCCESS
    then = rehearsal.attempt("choose").then

    assert len(looks) == 2
    assert then is not None
    assert list(then.skip) == ["right"]
