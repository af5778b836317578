# mypy: ignore-errors
"""What templates give: every name, macros, filters, native objects, files, undefined names, nested values."""

from datetime import datetime, timedelta

import jinja2
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator, Param, TaskGroup, literal, task


class Show(BaseOperator):
    """Returns its rendered fields."""

    template_fields = ("text", "more")
    template_ext = (".txt",)

    def __init__(self, *, text=None, more=None, **fields):
        super().__init__(**fields)
        self.text, self.more = text, more

    def execute(self, context):
        return [self.text, self.more] if self.more is not None else self.text


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
    "dag.dag_id",
    "dag",
    "task.task_id",
    "task",
    "ti.task_id",
    "ti.map_index",
    "ti.try_number",
    "ti.max_tries",
    "ti.dag_id",
    "ti.run_id",
    "dag_run.run_id",
    "dag_run.conf",
    "dag_run.run_type",
    "dag_run.logical_date",
    "task_instance_key_str",
    "params",
    "params.n",
    "params['text']",
    "params.get('no', 'none')",
    "var.value.plain",
    "var.json.dict",
    "var.json.dict.a[0]",
    "var.value.get('no', 'fallback')",
    "var.json.get('no', {'f': 1})",
    "macros.ds_add(ds, 5)",
    "macros.ds_add(ds, -400)",
    "macros.ds_format(ds, '%Y-%m-%d', '%d.%m.%y')",
    "macros.datetime(2024, 1, 2)",
    "macros.timedelta(days=2)",
    "macros.time.gmtime(0).tm_year",
    "macros.random.Random(1).random() < 1",
    "macros.uuid.UUID(int=1)",
    "macros.ds_format_locale(ds, '%Y-%m-%d', 'EEEE', locale='de')",
    "macros.datetime_diff_for_humans(logical_date, logical_date.add(days=3))",
    "macros.dateutil.parser.parse('2024-01-02')",
    "macros.json.dumps({'a': 1})",
    "macros.yesterday",
    "logical_date | ds",
    "logical_date | ts",
    "logical_date | ds_nodash",
    "logical_date | ts_nodash",
    "logical_date | ts_nodash_with_tz",
    "(logical_date + macros.timedelta(days=3)) | ds",
    "logical_date.add(months=1)",
    "logical_date.strftime('%A')",
    "logical_date.timestamp()",
    "logical_date.in_timezone('Europe/Berlin')",
    "logical_date.format('YYYY')",
    "logical_date.subtract(days=1).to_date_string()",
    "logical_date.day_of_week",
    "data_interval_start == data_interval_end",
    "data_interval_end.isoformat()",
    "prev_data_interval_start_success",
    "prev_start_date_success",
    "shout('x')",
    "'abc' | double",
    "number + 1",
    "inlets",
    "outlets",
    "task.retries",
    "task.retry_delay",
    "task.owner",
    "task.trigger_rule",
    "dag.tags | sort",
    "dag.start_date",
    "dag.timezone",
    "dag.schedule",
    "dag.owner",
    "dag.task_ids | length",
    "ti.xcom_pull('no_such_task')",
    "ti.xcom_pull(task_ids=['no_such'])",
    "1 + 1",
    "[1, 2]",
    "{'a': 1}",
    "None",
    "true",
    "'%05d' % 3",
    "range(3) | list",
    "'x' if ds else 'y'",
    "['a', 'b'] | join('-')",
    "{'b': 1, 'a': 2} | tojson",
    "execution_date",
    "next_ds",
    "prev_ds",
    "yesterday_ds",
    "tomorrow_ds",
    "conf",
    "test_mode",
    "nowhere",
    "params.nowhere",
    "ti.nowhere",
    "nowhere.deeper",
    "var.value.no_such",
    "conn.no_such.host",
    "templates_dict",
    "ds.nowhere",
    "exception",
    "run_after",
    "dag_run.state",
    "dag_run.data_interval_start",
    "dag_run.start_date is none",
    "ti.state",
    "ti.start_date is none",
    "ti.operator",
    "ti.queue",
    "ti.hostname is none",
    "ti.pool",
    "expanded_ti_count",
    "map_index_template",
    "partition_key",
    "value_of_macro()",
]

with DAG(
    "names",
    start_date=datetime(2024, 1, 1),
    params={"n": Param(3, type="integer"), "text": "hello"},
    user_defined_macros={"shout": lambda text: text.upper() + "!", "number": 41, "value_of_macro": lambda: {"a": 1}},
    user_defined_filters={"double": lambda text: text * 2},
    tags=["b", "a"],
):
    for number, name in enumerate(NAMES):
        words = "".join(letter if letter.isalnum() or letter in "._" else "_" for letter in name)
        Show(task_id=f"n{number:03}.{words[:40]}", text="{{ " + name + " }}")

with DAG("native", render_template_as_native_obj=True, params={"n": 3, "l": [1, {"a": None}]}):
    for number, text in enumerate(
        [
            "{{ params.n }}",
            "{{ params.l }}",
            "{{ [1, 2] }}",
            "{{ ds }}",
            "{{ params.n }} {{ params.n }}",
            "{{ '5' }}",
            "x{{ 5 }}",
            "{{ none }}",
            "",
            "{{ logical_date }}",
            "{{ {'a': params.n} }}",
            "{{ true }}",
            "{{ '[1' }}",
            "5",
            "[1, 2]",
            "{{ 1.5 }}",
            "{{ ti.xcom_pull('push') }}",
            ["{{ params.n }}"],
            {"k": "{{ params.l }}"},
            " {{ 5 }}",
            "{{ '007' }}",
            "None",
            "{'a': 1}",
            "2024-01-01",
        ]
    ):
        Show(task_id=f"n{number:02}", text=text, trigger_rule="all_done") << (
            [PythonOperator(task_id="push", python_callable=lambda: {"a": [1]})] if "push" in str(text) else []
        )

with DAG("native_task", render_template_as_native_obj=False):
    BashOperator(task_id="bash", bash_command="echo {{ params.l }}", params={"l": [1]})

with DAG("fields", template_undefined=jinja2.Undefined):
    Show(task_id="undefined", text="[{{ nowhere }}]")
    Show(task_id="nested", text={"k": ["{{ ds }}", ("{{ ds_nodash }}", 5)], "{{ ds }}": None}, more={"{{ ds }}"})
    Show(task_id="literal", text=literal("{{ ds }}"), more=[literal("{{ ts }}"), "{{ ds }}"])
    Show(task_id="values", text=5, more=[1.5, None, True, timedelta(days=1)])
    Show(task_id="multiline", text="a\n{% for x in [1, 2] %}\n{{ x }}\n{% endfor %}\n")
    Show(task_id="comment", text="a{# gone #}b{{ '{{' }}{% raw %}{{ ds }}{% endraw %}")
    Show(task_id="set", text="{% set x = 5 %}{{ x }}{% if x > 3 %} big{% endif %}")
    Show(task_id="macro", text="{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(ds) }}")
    Show(task_id="html", text="{{ '<b>&' }} {{ '<b>' | e }}")
    Show(task_id="unicode", text="{{ 'é' }} ✓")
    Show(task_id="error", text="{{ 1 / 0 }}")
    Show(task_id="syntax", text="{{ ")
    Show(task_id="unknown_filter", text="{{ ds | nowhere }}")
    Show(task_id="missing_file", text="nowhere.txt")
    Show(task_id="text_with_ext", text="run x.txt ")
    Show(task_id="once", text="{{ '{{ ds }}' }}")
    BashOperator(task_id="bash", bash_command="echo '{{ ds }} {{ params.p }}'", params={"p": "task param"})
    BashOperator(task_id="bash_env", bash_command="echo $D", env={"D": "{{ ds }}"})
    PythonOperator(
        task_id="op_args",
        python_callable=lambda *a, **k: [list(a), k["k"]],
        op_args=["{{ ds }}", ["{{ ts }}"]],
        op_kwargs={"k": {"{{ ds }}": "{{ ds }}"}},
    )
    PythonOperator(
        task_id="templates_dict",
        python_callable=lambda templates_dict: templates_dict,
        templates_dict={"a": "{{ ds }}", "b": ["{{ run_id }}"]},
    )

    @task
    def taskflow(*args, ds=None, **named):
        return [list(args), ds, {k: v for k, v in named.items() if k in ("x", "y")}]

    taskflow("{{ ds }}", 5, x={"a": ["{{ ds }}"]}, y=literal("{{ ds }}"))
    with TaskGroup("g"):
        Show(task_id="in_group", text="{{ task.task_id }} {{ ti.task_id }} {{ task_instance_key_str }}")

with DAG(
    "jinja_settings",
    jinja_environment_kwargs={
        "variable_start_string": "[[",
        "variable_end_string": "]]",
        "keep_trailing_newline": True,
    },
):
    Show(task_id="own_marks", text="[[ ds ]] {{ ds }}\n")

with DAG("no_date"):
    for number, name in enumerate(
        [
            "ds",
            "ts",
            "logical_date",
            "data_interval_start",
            "run_id",
            "dag_run.logical_date",
            "dag_run.run_id",
            "prev_data_interval_start_success",
            "ti.run_id",
            "task_instance_key_str",
            "params",
            "ts_nodash",
            "macros.ds_add('2024-01-01', 1)",
        ]
    ):
        Show(task_id=f"n{number:02}", text="{{ " + name + " }}")

with DAG("arguments_of_context"):

    @task
    def by_name(
        ds=None,
        ts=None,
        run_id=None,
        logical_date=None,
        params=None,
        dag_run=None,
        ti=None,
        task=None,
        dag=None,
        var=None,
        inlets=None,
    ):
        return [
            ds,
            ts,
            run_id,
            str(logical_date),
            dict(params),
            dag_run.run_id,
            ti.task_id,
            task.task_id,
            dag.dag_id,
            var.value.plain,
            inlets,
        ]

    by_name()

    @task
    def by_keywords(**context):
        return sorted(context)

    @task
    def with_default(ds=None, nowhere="default", *, run_id=None):
        return [ds, nowhere, run_id]

    PythonOperator(
        task_id="classic", python_callable=lambda ds, **context: [ds, "ti" in context, context["params"] == {}]
    )
    PythonOperator(task_id="missing", python_callable=lambda nowhere: 1)
    PythonOperator(
        task_id="positional", python_callable=lambda a, b, ds: [a, b, ds], op_args=["x"], op_kwargs={"b": "y"}
    )
    PythonOperator(task_id="clash", python_callable=lambda ds: ds, op_kwargs={"ds": "mine"})
    PythonOperator(task_id="clash_args", python_callable=lambda ds: ds, op_args=["mine"])
    by_keywords()
    with_default()
