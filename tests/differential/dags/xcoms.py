# mypy: ignore-errors
"""XComs: every form of push and pull, values of every kind, outputs with keys, values of earlier runs."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, XComArg, get_current_context, task


@task
def read(*given, **named):
    return [list(given), named]


VALUES = {
    "none": None,
    "true": True,
    "int": 5,
    "big": 2**70,
    "float": 1.5,
    "text": "text",
    "unicode": "é✓\x00"[:-1],
    "list": [1, [2]],
    "tuple": (1, (2, 3)),
    "dict": {"a": {"b": None}},
    "set": {1},
    "frozenset": frozenset({1}),
    "bytes": b"ab",
    "datetime": datetime(2024, 1, 2, 3, tzinfo=UTC),
    "naive": datetime(2024, 1, 2),
    "date": date(2024, 1, 2),
    "timedelta": timedelta(hours=5),
    "pendulum": pendulum.datetime(2024, 1, 2, tz="Europe/Berlin"),
    "decimal": Decimal("1.50"),
    "int_keys": {1: "a"},
    "nan": float("nan"),
    "complex": 1j,
    "object": object(),
    "generator": (x for x in ()),
    "range": range(3),
    "lambda": len,
    "nested": [{"a": (1, {2})}],
    "class": int,
    "dict_tuple_key": {(1, 2): 3},
    "infinite": float("inf"),
}

with DAG("xcom_values"):

    def make(name):
        return VALUES[name]

    def types(given):
        return f"{type(given).__name__} {given}"

    for name in VALUES:
        made = PythonOperator(task_id=name, python_callable=make, op_args=[name])
        if name not in ("object", "lambda"):
            PythonOperator(task_id=f"{name}.read", python_callable=types, op_args=[made.output])


@dataclass
class Row:
    a: int
    b: str


class Colour(enum.Enum):
    RED = "red"


with DAG("xcom_own_classes"):
    PythonOperator(task_id="dataclass", python_callable=lambda: Row(1, "x"))
    PythonOperator(task_id="enum", python_callable=lambda: Colour.RED)

with DAG("xcom_asset"):

    def uri_of(given):
        return f"{type(given).__name__} {given.uri}"

    asset = PythonOperator(task_id="asset", python_callable=lambda: Asset("s3://b/a"))
    PythonOperator(task_id="read", python_callable=uri_of, op_args=[asset.output])

with DAG("xcom_pushes"):

    @task
    def pushes(ti=None):
        ti.xcom_push(key="k", value={"a": 1})
        ti.xcom_push("k2", [1])
        ti.xcom_push(key="again", value=1)
        ti.xcom_push(key="again", value=2)
        ti.xcom_push(key="none", value=None)
        ti.xcom_push(key="key with/slash.é", value="odd")
        return "returned"

    @task
    def pulls(ti=None, **context):
        found = {
            "default": ti.xcom_pull(task_ids="pushes"),
            "positional": ti.xcom_pull("pushes"),
            "key": ti.xcom_pull(task_ids="pushes", key="k"),
            "again": ti.xcom_pull(task_ids="pushes", key="again"),
            "none": ti.xcom_pull(task_ids="pushes", key="none"),
            "odd": ti.xcom_pull(task_ids="pushes", key="key with/slash.é"),
            "missing_key": ti.xcom_pull(task_ids="pushes", key="no"),
            "missing_task": ti.xcom_pull(task_ids="no"),
            "missing_default": ti.xcom_pull(task_ids="no", default=5),
            "several": ti.xcom_pull(task_ids=["pushes", "other"]),
            "several_missing": ti.xcom_pull(task_ids=["pushes", "no", "other"]),
            "several_key": ti.xcom_pull(task_ids=["pushes", "other"], key="k"),
            "tuple": ti.xcom_pull(task_ids=("pushes",)),
            "own_dag": ti.xcom_pull(task_ids="pushes", dag_id="xcom_pushes"),
            "other_dag": ti.xcom_pull(task_ids="pushes", dag_id="xcom_values"),
            "run": ti.xcom_pull(task_ids="pushes", run_id="no_such_run"),
            "no_task": ti.xcom_pull(key="k"),
            "mapped_index": ti.xcom_pull(task_ids="pushes", map_indexes=-1),
            "prior": ti.xcom_pull(task_ids="pushes", include_prior_dates=True),
        }
        return found

    @task
    def other():
        return "other"

    [pushes(), other()] >> pulls()
    PythonOperator(task_id="not_pushed", python_callable=lambda: 5, do_xcom_push=False)
    PythonOperator(task_id="pushes_none", python_callable=lambda: None)

    @task
    def fails_after_push(ti=None):
        ti.xcom_push(key="left", value=1)
        raise ValueError("as asked")

    @task(retries=1, retry_delay=0)
    def cleared(ti=None):
        ti.xcom_push(key=f"try{ti.try_number}", value=1)
        if ti.try_number == 1:
            raise ValueError("first time")
        return ti.xcom_pull(task_ids="cleared", key="try1")

    @task
    def own(ti=None):
        ti.xcom_push(key="own", value="mine")
        return [ti.xcom_pull(task_ids="own", key="own"), ti.xcom_pull(key="own")]

    fails_after_push(), cleared(), own()

with DAG("xcom_outputs"):

    @task(multiple_outputs=True)
    def many():
        return {"a": 1, "b": [2], "c": None}

    @task
    def annotated() -> dict[str, int]:
        return {"x": 1, "y": 2}

    @task
    def annotated_plain() -> dict:
        return {"x": 1}

    @task(multiple_outputs=False)
    def annotated_not() -> dict[str, int]:
        return {"x": 1}

    @task(multiple_outputs=True)
    def not_a_dict():
        return [1]

    @task(multiple_outputs=True)
    def number_keys():
        return {1: "a"}

    @task(multiple_outputs=True)
    def nothing():
        return None

    @task
    def plain():
        return {"a": {"deep": 1}}

    found = many()
    read.override(task_id="read_whole")(found)
    read.override(task_id="read_keys")(found["a"], found["b"], c=found["c"])
    read.override(task_id="read_missing")(found["no"])
    read.override(task_id="read_annotated")(annotated()["x"])
    read.override(task_id="read_plain_key")(plain()["a"])
    read.override(task_id="read_nested")([found, {"k": found["a"]}], named={"deep": [found["b"]]})
    annotated_plain(), annotated_not(), not_a_dict(), number_keys(), nothing()
    classic = PythonOperator(task_id="classic", python_callable=lambda: {"k": "v"})
    read.override(task_id="read_classic")(classic.output, classic.output["k"], XComArg(classic))
    bash = BashOperator(task_id="bash", bash_command="echo out")
    BashOperator(task_id="read_bash", bash_command="echo {{ ti.xcom_pull('bash') }}", env={"X": bash.output})
    read.override(task_id="read_bash_output")(bash.output)
    read.override(task_id="read_empty")(EmptyOperator(task_id="empty").output)
    BashOperator(task_id="inline", bash_command=f"echo {bash.output}")

with DAG("xcom_runs", max_active_runs=1):

    @task
    def push(dag_run=None):
        return dag_run.run_id if dag_run.run_id != "r2" else None

    @task
    def back(ti=None):
        found = {
            "plain": ti.xcom_pull(task_ids="push"),
            "prior": ti.xcom_pull(task_ids="push", include_prior_dates=True),
            "prior_many": ti.xcom_pull(task_ids=["push"], include_prior_dates=True),
            "named": ti.xcom_pull(task_ids="push", run_id="r1"),
            "previous": str(get_current_context()["prev_data_interval_start_success"]),
            "prior_own": ti.xcom_pull(task_ids="back", key="own", include_prior_dates=True),
        }
        ti.xcom_push(key="own", value=ti.run_id)
        return found

    push() >> back()
