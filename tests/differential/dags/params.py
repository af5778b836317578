# mypy: ignore-errors
"""Params: defaults, what the conf of a run changes, what is refused, and where values can be read."""

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param, task


@task
def told(params=None, dag_run=None):
    return [dict(params), dag_run.conf]


@task(params={"p": "task", "own": 1})
def told_own(params=None):
    return dict(params)


with DAG(
    "params_defaults",
    params={
        "p": "dag",
        "n": Param(3, type="integer"),
        "l": [1, {"a": 2}],
        "none": None,
        "nullable": Param(None, type=["null", "string"]),
    },
):
    told()
    told_own()
    PythonOperator(
        task_id="templated",
        python_callable=lambda *a: list(a),
        op_args=["{{ params.p }}", "{{ params }}", "{{ params.none }}", "{{ params.l[1].a }}"],
    )

with DAG("params_conf", params={"p": "dag", "n": Param(3, type="integer", minimum=1)}):
    told()
    told_own()
    PythonOperator(
        task_id="templated",
        python_callable=lambda *a: list(a),
        op_args=["{{ params.p }}", "{{ dag_run.conf.get('extra') }}", "{{ params.get('extra') }}"],
    )

with DAG("params_without"):
    told()

SCHEMAS = {
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "string": {"type": "string", "minLength": 2, "maxLength": 4},
    "boolean": {"type": "boolean"},
    "enum": {"enum": ["a", 1, None]},
    "const": {"const": "c"},
    "array": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
    "object": {"type": "object", "required": ["k"]},
    "pattern": {"type": "string", "pattern": "^a+$"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "email": {"type": "string", "format": "email"},
    "nullable": {"type": ["null", "integer"]},
    "range": {"type": "integer", "minimum": 1, "maximum": 5, "multipleOf": 2},
    "one_of": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "any": {},
}
for name, schema in SCHEMAS.items():
    with DAG(
        f"param_{name}",
        params={"x": Param(None, **schema)} if name in ("nullable", "any", "enum") else {"x": Param(**schema)},
    ):
        told()
