# mypy: ignore-errors
from datetime import datetime

from airflow.sdk import DAG, task
from probe import record

with DAG("xcoms", schedule=None, start_date=datetime(2024, 1, 1)) as dag:

    @task
    def one(ti=None):
        ti.xcom_push(key="k", value=[1, {"a": None}])
        ti.xcom_push(key="k", value="second wins")
        record("own", ti.xcom_pull(key="k"))
        record("own by id", ti.xcom_pull(task_ids="one", key="k"))
        return "one's"

    @task
    def two():
        return None

    @task(do_xcom_push=False)
    def silent():
        return "never seen"

    @task
    def pulls(ti=None, **context):
        record("single", ti.xcom_pull(task_ids="one"))
        record("single missing", ti.xcom_pull(task_ids="two"))
        record("list", ti.xcom_pull(task_ids=["one", "two"]))
        record("list one", ti.xcom_pull(task_ids=["one"]))
        record("tuple", ti.xcom_pull(task_ids=("two", "one")))
        record("key", ti.xcom_pull(task_ids="one", key="k"))
        record("no key", ti.xcom_pull(task_ids="one", key="nothing"))
        record("silent", ti.xcom_pull(task_ids="silent"))
        record("unknown task", ti.xcom_pull(task_ids="nobody"))
        record("map index", ti.xcom_pull(task_ids="one", map_indexes=-1))
        record("map indexes", ti.xcom_pull(task_ids="one", map_indexes=[-1]))
        record("none", ti.xcom_pull())
        record("other dag", ti.xcom_pull(dag_id="other", task_ids="one"))

    [one(), two(), silent()] >> pulls()
