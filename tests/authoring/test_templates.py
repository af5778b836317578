"""Do templates give what their authors mean, and errors that say where?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pendulum
import pytest

from tests.authoring.support import Rehearsal, load, only
from tradewind import DAG, BaseOperator, Label, PythonOperator, literal, task
from tradewind.sdk.channel import ConnectionData, PreviousRun
from tradewind.sdk.memory_channel import RunMemory


def rendered(text, run=None, dag=None, **settings):
    """Return what a template field with ``text`` becomes, or the error line."""
    seen: list[Any] = []
    with DAG("etl", start_date=datetime(2024, 1, 1), **(dag or {})) as made:
        PythonOperator(task_id="it", python_callable=seen.append, op_args=[text], **settings)
    run = run or Rehearsal(made)
    run.dag = made
    result = run.attempt("it")
    return seen[0] if seen else result.error


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "{{ nothing }}",
            "PythonOperator 'it', field 'op_args': the template cannot be rendered: UndefinedError: 'nothing'",
        ),
        ("{{ params.nothing }}", "UndefinedError"),
        ("{{ ds", "line 1: the template cannot be rendered: TemplateSyntaxError"),
        ("{{ ds | nothing }}", "No filter named 'nothing'"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        (
            "{{ var.value.nothing }}",
            "Variable 'nothing' does not exist. Create it with `tradewind variables set nothing VALUE`",
        ),
        ("{{ conn.nothing.host }}", "Connection 'nothing' does not exist"),
        ("{{ var.json.broken }}", "Variable 'broken' is not JSON"),
    ],
)
def test_a_wrong_template_says_where_and_what(text, says):
    run = Rehearsal(DAG("x"))
    run.memory.variables["broken"] = "{"

    assert says in rendered(text, run)


def test_a_run_without_a_logical_date_has_no_dates():
    run = Rehearsal(DAG("x"), logical_date=None)

    assert "UndefinedError: 'ds' is undefined" in rendered("{{ ds }}", run)
    assert rendered("{{ dag_run.run_after | ds }} {{ dag_run.logical_date }}", run) == "2024-03-05 None"


def test_variables_and_connections_are_there():
    run = Rehearsal(DAG("x"))
    run.memory.variables = {"a": "text", "j": '{"x": [1, 2]}'}
    run.memory.connections["db"] = ConnectionData("db", "postgres", host="h", password="secret!", extra='{"k": "v"}')

    text = (
        "{{ var.value.a }} {{ var.json.j.x[1] }} {{ var.value.get('b', 'none') }} {{ var.json.get('q', {'z': 1}).z }}"
    )
    assert rendered(text, run) == "text 2 none 1"
    assert (
        rendered("{{ conn.db.host }} {{ conn.get('db').extra_dejson.k }} {{ conn.get('q', 'none') }}", run)
        == "h v none"
    )
    assert run.channel is not None and run.channel.secrets == {"secret!"}


def test_the_environment_comes_before_what_is_stored(monkeypatch):
    run = Rehearsal(DAG("x"))
    run.memory.variables = {"a": "stored"}
    monkeypatch.setenv("AIRFLOW_VAR_A", "from Airflow's")
    assert rendered("{{ var.value.a }}", run) == "from Airflow's"
    monkeypatch.setenv("TRADEWIND_VAR_A", "ours")
    assert rendered("{{ var.value.a }}", run) == "ours"


def test_the_last_successful_run_is_asked_for_once_and_only_when_needed():
    asked = []
    run = Rehearsal(DAG("x"))
    previous = PreviousRun(
        "r", started_at=datetime(2024, 3, 4, tzinfo=UTC), data_interval_end=datetime(2024, 3, 3, tzinfo=UTC)
    )

    class Memory(RunMemory):
        @property
        def previous_success(self):
            asked.append(1)
            return previous

        @previous_success.setter
        def previous_success(self, value):
            pass

    run.memory = Memory()
    assert rendered("{{ ds }}", run) == "2024-03-05" and asked == []
    text = "{{ prev_start_date_success | ds }} {{ prev_data_interval_end_success | ds }} {{ prev_end_date_success }}"
    assert rendered(text, run) == "2024-03-04 2024-03-03 None"
    assert asked == [1]


@pytest.mark.parametrize(
    ("text", "value"),
    [("{{ 1 + 1 }}", 2), ("[1, 2]", [1, 2]), ("plain", "plain"), ("{{ {'a': ds} }}", {"a": "2024-03-05"})],
)
def test_native_objects(text, value):
    assert rendered(text, dag={"render_template_as_native_obj": True}) == value
    assert rendered(text, render_template_as_native_obj=True) == value
    assert isinstance(
        rendered(text, dag={"render_template_as_native_obj": True}, render_template_as_native_obj=False), str
    )


def test_the_dags_own_jinja_settings_hold():
    assert rendered(
        "<< ds >>", dag={"jinja_environment_kwargs": {"variable_start_string": "<<", "variable_end_string": ">>"}}
    ) == ("2024-03-05")
    assert rendered("[{{ nothing }}]", dag={"template_undefined": jinja2.Undefined}) == "[]"
    assert rendered("{{ 'a' | up }}", dag={"user_defined_filters": {"up": str.upper}}) == "A"
    assert rendered("{{ three() }}", dag={"user_defined_macros": {"three": lambda: 3}}) == "3"


def test_a_literal_is_left_as_it_is():
    assert rendered(literal("{{ ds }}")) == "{{ ds }}"


def test_template_files_are_found_beside_the_dag_and_in_the_search_path(tmp_path):
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "far.sql").write_text("far {{ ds }}")
    (tmp_path / "near.sql").write_text("near {% include 'far.sql' %}")
    (tmp_path / "run.sh").write_text("echo from file {{ ds }}")
    made = only(
        load(
            tmp_path,
            f"""
            from tradewind import DAG, BaseOperator, BashOperator

            class Sql(BaseOperator):
                template_fields = ("sql",)
                template_ext = (".sql",)
                def __init__(self, *, sql, **kwargs):
                    super().__init__(**kwargs)
                    self.sql = sql
                def prepare_template(self):
                    self.seen = self.sql
                def execute(self, context):
                    return [self.sql, self.seen]

            with DAG("files", template_searchpath="{tmp_path}/sql") as dag:
                Sql(task_id="near", sql="near.sql")
                Sql(task_id="several", sql=["far.sql", "SELECT 1"])
                Sql(task_id="deep", sql={{"q": ["far.sql"]}})
                Sql(task_id="gone", sql="gone.sql")
                BashOperator(task_id="script", bash_command="run.sh")
                BashOperator(task_id="command", bash_command="echo run.sh ")
            """,
        )
    )
    run = Rehearsal(made)
    results = run.all()
    values = {name: run.xcoms(name).get("return_value") for name in made.task_ids}

    assert values["near"] == ["near far 2024-03-05", "near {% include 'far.sql' %}"]
    assert values["several"] == [["far 2024-03-05", "SELECT 1"], ["far {{ ds }}", "SELECT 1"]]
    assert values["deep"] == [{"q": ["far 2024-03-05"]}, {"q": ["far.sql"]}]
    assert (values["script"], values["command"]) == ("from file 2024-03-05", "run.sh")
    assert "Template file 'gone.sql' of Sql 'gone' was not found in" in str(results["gone"].error)
    assert "add its folder to template_searchpath" in str(results["gone"].error)


def test_an_objects_own_template_fields_are_rendered_on_a_copy():
    class Query:
        template_fields = ("sql", "me")

        def __init__(self, sql):
            self.sql, self.me = sql, self

    query = Query("{{ ds }}")
    seen = []
    with DAG("etl") as made:
        PythonOperator(task_id="it", python_callable=lambda q: seen.append(q.sql), op_args=[query])

    for number in (1, 2):
        assert Rehearsal(made).attempt("it", number).error is None

    assert seen == ["2024-03-05"] * 2 and query.sql == "{{ ds }}"


def test_an_output_inside_a_longer_text_is_pulled():
    with DAG("etl") as made:

        @task
        def find():
            return "rows"

        found = find()

        class Say(BaseOperator):
            template_fields = ("text",)

            def __init__(self, *, text, **kwargs):
                super().__init__(**kwargs)
                self.text = text

            def execute(self, context):
                return self.text

        found >> Label("says") >> Say(task_id="say", text=f"got {found}!")
    run = Rehearsal(made)
    run.all()

    assert run.xcoms("say") == {"return_value": "got rows!"}


class Renders(BaseOperator):
    """Renders what it makes up while it runs."""

    template_fields = ("text",)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.text = None

    def execute(self, context):
        self.text = "{{ ds_nodash }} {{ shout('x') }}"
        self.render_template_fields(context)
        parts = self.render_template(["{{ params.a }}", {"k": "{{ run_id }}"}], context)
        own = self.render_template("{{ word }} {{ dag.dag_id }}", {"word": "hi", "dag": self.dag})
        return [self.text, parts, own, self.get_template_env().from_string("{{ shout('y') }}").render()]


def test_an_operator_renders_what_it_makes_up_while_it_runs():
    with DAG("etl", user_defined_macros={"shout": str.upper}, params={"a": 1}) as made:
        Renders(task_id="it")
    run = Rehearsal(made)
    run.attempt("it")

    assert run.xcoms("it")["return_value"] == ["20240305 X", ["1", {"k": "manual__1"}], "hi etl", "Y"]


def test_the_start_is_told_in_utc():
    berlin = ZoneInfo("Europe/Berlin")

    assert rendered("{{ dag.start_date }} {{ task.start_date }} {{ dag.timezone }}", dag={}, start_date=None) == (
        "2024-01-01 00:00:00+00:00 2024-01-01 00:00:00+00:00 UTC"
    )
    with DAG("here", start_date=datetime(2024, 1, 1, tzinfo=berlin), end_date=datetime(2024, 7, 1)) as made:
        task_there = PythonOperator(task_id="it", python_callable=print, start_date=datetime(2024, 1, 2))

    assert str(made.start_date) == "2023-12-31 23:00:00+00:00"
    assert str(made.end_date) == "2024-06-30 22:00:00+00:00"
    assert str(task_there.start_date) == "2024-01-01 23:00:00+00:00"
    assert made.timezone is berlin
    paris = DAG("there", start_date=pendulum.datetime(2024, 3, 30, tz="Europe/Paris")).start_date
    assert paris is not None
    assert str(paris + timedelta(days=2)) == "2024-03-31 23:00:00+00:00"  # pendulum's, so that it goes on as one


def test_the_command_of_a_bash_function_is_shown():
    with DAG("etl") as made:
        task.bash(task_id="it")(lambda: "echo {{ ds }}")()
    run = Rehearsal(made)
    run.attempt("it")

    assert run.channel is not None
    assert run.channel.rendered["bash_command"] == "echo 2024-03-05"
    assert run.xcoms("it")["return_value"] == "2024-03-05"


def test_a_function_in_a_template_field_gives_its_value():
    with DAG("etl") as made:
        it = Renders(task_id="it")
    it.text = lambda context, jinja_env: [context["ds"], jinja_env.from_string("{{ 1 + 1 }}").render()]
    run = Rehearsal(made)
    run.attempt("it")

    assert run.channel is not None
    assert run.channel.rendered == {"text": ["2024-03-05", "2"]}
