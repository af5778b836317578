# mypy: ignore-errors
from datetime import datetime

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, task
from probe import record


def two(a, b=2):
    record("two", [a, b])


def asks(ds, ti, name="default", *, run_id):
    record("asks", [ds, ti.task_id, name, run_id])


def rest(first, *args, **kwargs):
    record("rest", [first, args, kwargs.get("ds"), "first" in kwargs, kwargs.get("extra")])


def only_kwargs(**kwargs):
    record("only_kwargs", [kwargs["mine"], kwargs["ds"], "templates_dict" in kwargs])


def overriding(ds):
    record("overriding", ds)


def defaulted(ds="mine", params=None):
    record("defaulted", [ds, dict(params)])


async def coroutine(x, ds):
    record("coroutine", [x, ds])
    return "awaited"


with DAG("arguments", schedule=None, start_date=datetime(2024, 1, 1), params={"p": 1}) as dag:
    PythonOperator(task_id="two", python_callable=two, op_args=[1])
    PythonOperator(task_id="two_kwargs", python_callable=two, op_kwargs={"a": 5, "b": 6})
    PythonOperator(task_id="asks", python_callable=asks)
    PythonOperator(task_id="asks_name", python_callable=asks, op_kwargs={"name": "given"})
    PythonOperator(task_id="rest", python_callable=rest, op_args=["f", "g"], op_kwargs={"extra": 9})
    PythonOperator(task_id="only_kwargs", python_callable=only_kwargs, op_kwargs={"mine": 1})
    PythonOperator(task_id="overriding", python_callable=overriding, op_kwargs={"ds": "other"})
    PythonOperator(task_id="defaulted", python_callable=defaulted)

    @task
    def flow(x, ds=None, *, ti=None, params=None):
        record("flow", [x, ds, ti.task_id, dict(params)])
        return {"x": x}

    @task
    def no_default(ds, x=1):
        record("no_default", [ds, x])

    @task(multiple_outputs=True)
    def several(x):
        return {"a": x["x"], "b": [1, 2]}

    @task
    def annotated(x) -> dict[str, int]:
        return {"c": 7}

    @task
    def take(a, b, c, whole, **kwargs):
        record("take", [a, b, c, whole, kwargs["ds"], kwargs["more"]])

    first = flow("start")
    outputs = several(first)
    typed = annotated(first)
    take(outputs["a"], outputs["b"], typed["c"], outputs, more=f"{first}")
    no_default()

    @task
    async def slow(x, ds=None):
        record("slow", [x, ds])
        return 3

    @task
    def after(value):
        record("after", value)

    after(slow(8))
