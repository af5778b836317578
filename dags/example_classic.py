"""Classic operators, as in countless Airflow files: they run here unchanged, imports and all."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.python import PythonOperator

STOCK = {"apples": 4, "pears": 0, "plums": 7}


def _extract(ti, ds, **context):
    print(f"The stock on {ds}: {STOCK}")
    ti.xcom_push(key="stock", value=STOCK)


def _transform(ti):
    stock = ti.xcom_pull(task_ids="extract", key="stock")
    return sorted(fruit for fruit, count in stock.items() if count == 0)


def _load(ti, greeting):
    print(f"{greeting}, please order: {', '.join(ti.xcom_pull(task_ids='transform'))}")


with DAG(
    dag_id="example_classic",
    description="extract >> transform >> load, with XCom in the classic way",
    start_date=datetime(2024, 1, 1),
    schedule="0 2 * * *",
    catchup=False,
    default_args={"owner": "examples", "retries": 1, "retry_delay": timedelta(seconds=10)},
    tags=["example"],
    doc_md=__doc__,
) as dag:
    extract = PythonOperator(task_id="extract", python_callable=_extract)
    transform = PythonOperator(task_id="transform", python_callable=_transform)
    load = PythonOperator(task_id="load", python_callable=_load, op_kwargs={"greeting": "Good morning"})

    extract >> transform >> load
