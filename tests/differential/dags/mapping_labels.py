# mypy: ignore-errors
"""The names of mapped instances: ``map_index_template``."""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException


@task
def values(given):
    return given


with DAG("labels"):

    @task(map_index_template="{{ task.op_kwargs['x'] }}!")
    def by_argument(x):
        return x

    @task(map_index_template="{{ name }}")
    def by_context(x):
        get_current_context()["name"] = f"name {x}"

    @task(map_index_template="{{ params.p }} {{ ti.map_index }} {{ ds }}", params={"p": "param"})
    def by_params(x):
        return None

    @task(map_index_template="{{ missing }}")
    def undefined(x):
        return None

    @task(map_index_template="{{ x }}")
    def by_name_of_argument(x):
        return None

    @task(map_index_template="{{ name }}")
    def failing(x):
        get_current_context()["name"] = f"name {x}"
        if x == 2:
            raise ValueError("as asked")
        if x == 3:
            raise AirflowSkipException("as asked")

    @task(map_index_template="static")
    def static(x):
        return None

    @task(map_index_template="{{ task.op_kwargs['x'] }}")
    def not_mapped(x):
        return x

    for function in (by_argument, by_context, by_params, undefined, by_name_of_argument, failing, static):
        function.expand(x=[1, 2, 3])
    not_mapped(1)
    by_argument.override(task_id="over_xcom").expand(x=values(["a", "b"]))
    BashOperator.partial(task_id="bash", map_index_template="{{ task.bash_command }}").expand(
        bash_command=["echo 1", "echo {{ ds }}"]
    )
    PythonOperator.partial(
        task_id="python", python_callable=lambda x: str(x), map_index_template="{{ task.op_args[0] }}"
    ).expand(op_args=[[1], [2]])
    by_argument.override(task_id="long_name").expand(x=["x" * 300])

with DAG("labels_group"):

    @task_group
    def each(x):
        @task(map_index_template="{{ task.op_kwargs['x'] }}")
        def inside(x):
            return x

        inside(x)

    each.expand(x=["one", "two"])
