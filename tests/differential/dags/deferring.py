# mypy: ignore-errors
"""Operators that defer, once and again, and what becomes of them."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from probe_triggers import Waits

with DAG("deferring"):

    @task
    def read(x):
        return x

    read(Waits(task_id="once", words=["a"]).output)
    read(Waits(task_id="thrice", words=["a", "{{ ds }}", "c"]).output)
    Waits(task_id="of_values", words=[{"k": [1, None]}, 5, None])
    Waits(task_id="fails_after", words=["a", "fail"]) >> EmptyOperator(task_id="below")
    Waits(task_id="retried", words=["fail"], retries=1, retry_delay=0)
    Waits(task_id="trigger_raises", words=["raise"]) >> EmptyOperator(task_id="below_raises")
    Waits(task_id="trigger_ends", words=["nothing"])
    Waits(task_id="too_long", words=["a"], delay=60, wait_seconds=1)
    Waits.partial(task_id="mapped").expand(words=[["a"], ["b", "c"], ["fail"]])
