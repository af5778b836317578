# mypy: ignore-errors
from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param, get_current_context, literal, task
from probe import record

NAMES = [
    "ds",
    "ds_nodash",
    "ts",
    "ts_nodash",
    "ts_nodash_with_tz",
    "logical_date",
    "data_interval_start",
    "data_interval_end",
    "run_id",
    "params.n",
    "params['text']",
    "dag.dag_id",
    "task.task_id",
    "ti.task_id",
    "ti.try_number",
    "dag_run.conf.get('c')",
    "dag_run.run_type",
    "task_instance_key_str",
    "macros.ds_add(ds,5)",
    "macros.ds_add(ds,-400)",
    "macros.ds_format(ds,'%Y-%m-%d','%d.%m.%y')",
    "macros.datetime(2024,1,2)",
    "macros.timedelta(days=2)",
    "logical_date|ds",
    "logical_date|ts_nodash",
    "(logical_date+macros.timedelta(days=3))|ds",
    "logical_date.add(months=1)",
    "logical_date.strftime('%A')",
    "data_interval_end|ts_nodash_with_tz",
    "shout('x')",
    "'abc'|double",
    "ti.map_index",
    "ti.dag_id",
    "logical_date.timestamp()",
    "params",
    "dag_run.run_id",
    "ti.run_id",
    "task.retries",
    "dag.tags|sort",
    "logical_date.day_of_week",
    "data_interval_start==data_interval_end",
]


class Thing:
    template_fields = ("text", "more")

    def __init__(self, text, more):
        self.text, self.more = text, more


def show(*args, templates_dict=None, thing=None, **kwargs):
    record("args", args)
    record("templates_dict", templates_dict)
    if thing is not None:
        record("thing", [thing.text, thing.more])


def all_names(**context):
    record("context names", sorted(context))


with DAG(
    "templates",
    schedule="0 2 * * *",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    params={"n": Param(3, type="integer"), "text": "hello"},
    user_defined_macros={"shout": lambda text: text.upper() + "!"},
    user_defined_filters={"double": lambda text: text * 2},
    tags=["b", "a"],
) as dag:
    for index, name in enumerate(NAMES):
        PythonOperator(
            task_id=f"name_{index}",
            python_callable=lambda text, name: record(name, text),
            op_args=["{{ " + name + " }}", literal(name)],
        )
    PythonOperator(
        task_id="nested",
        python_callable=show,
        op_args=[["{{ ds }}", ("{{ run_id }}", 5, None, {"{{ ds }}": "{{ ts }}"})], {"{{ 1 + 1 }}"}, "no template", 7],
        op_kwargs={"thing": Thing("{{ ds_nodash }}", ["{{ params.n }}"])},
        templates_dict={"a": "{{ params.text }}", "b": ["{{ 1 }}"]},
    )
    PythonOperator(
        task_id="literals", python_callable=show, op_args=[literal("{{ ds }}"), "{% raw %}{{ x }}{% endraw %}"]
    )
    PythonOperator(task_id="newlines", python_callable=show, op_args=["{{ ds }}\n", "a\n\n", "\n{{ ds }}\n\n"])
    PythonOperator(
        task_id="native",
        python_callable=show,
        op_args=["{{ [1, params.n] }}", "{{ params.n }}", "{{ ds }}", "{{ none }}"],
        render_template_as_native_obj=True,
    )
    PythonOperator(task_id="every_name", python_callable=all_names)
    PythonOperator(task_id="file", python_callable=show, templates_dict={"q": "query.sql"}, templates_exts=[".sql"])
    BashOperator(
        task_id="bash", bash_command="echo {{ ds }} {{ params.n }}; echo last $A", env={"A": "{{ run_id }}"}
    ) >> PythonOperator(task_id="bash_result", python_callable=lambda ti: record("bash", ti.xcom_pull(task_ids="bash")))

    @task
    def current():
        context = get_current_context()
        record("current", [context["ds"], context["task"].task_id, "nothing" in context, context.get("nothing", 5)])

    current()
