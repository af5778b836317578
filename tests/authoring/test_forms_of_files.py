"""Do files work that say the same thing in a less usual form, as Airflow takes it?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.authoring.support import Rehearsal, edges, load, only
from tradewind import DAG, BaseOperator, EmptyOperator, Label, TaskGroup, chain, task
from tradewind.compat import install, uninstall
from tradewind.model.orders import Outcome
from tradewind.sdk.connection import Connection
from tradewind.sdk.context_values import Context
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.triggers.temporal import DateTimeTrigger


@task
def show(*given):
    return list(given)


@pytest.fixture
def airflow():
    """Let files import from ``airflow``."""
    assert install()
    yield
    uninstall()


def empties(names: str) -> list[EmptyOperator]:
    return [EmptyOperator(task_id=name) for name in names]


def test_a_list_of_labels_labels_each_edge_to_what_follows():
    with DAG("etl") as dag:
        a, b, c, d = empties("abcd")
        chain(a, [Label("x"), Label("y")], [b, c])
        d >> [Label("z"), b]
        d >> c

    assert edges(dag) == {"a>b", "a>c", "d>b", "d>c"}
    assert dag.edge_labels == {("a", "b"): "x", ("a", "c"): "y"}


def test_dates_in_default_args_may_be_texts():
    dag = DAG("etl", default_args={"start_date": "2024-01-01", "end_date": "2024-02-01T06:00:00+02:00"})
    with dag:
        inside = EmptyOperator(task_id="inside")

    assert (dag.start_date, dag.end_date) == (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, 4, tzinfo=UTC))
    assert (inside.start_date, inside.end_date) == (dag.start_date, dag.end_date)


def test_a_param_of_the_dag_is_an_argument_of_a_task():
    with DAG("etl", params={"known": 1}) as dag:
        show(dag.param("known"), dag.param("added", default=5), dag.param("given"))

    run = Rehearsal(dag, conf={"given": "g", "added": 6})
    run.attempt("show")

    assert run.xcoms("show")["return_value"] == [1, 6, "g"]


def test_tasks_are_added_together_and_sorted():
    dag = DAG("etl")
    a, b, c = empties("abc")
    dag.add_tasks([a, b, c])
    c >> a >> b

    assert [one.task_id for one in dag.topological_sort()] == ["c", "a", "b"]


@pytest.mark.parametrize("length", [200, 201])
def test_an_id_of_a_group_may_have_200_characters(length):
    with DAG("etl"):
        if length == 200:
            TaskGroup("g" * length)
        else:
            with pytest.raises(DagArgumentError, match="group_id is 201 characters long; at most 200"):
                TaskGroup("g" * length)


def test_an_id_of_a_task_may_have_250_characters_with_those_of_its_groups():
    with DAG("etl"), TaskGroup("g" * 199):
        EmptyOperator(task_id="x" * 50)
        with pytest.raises(DagArgumentError, match="task_id with its groups is 251 characters long; at most 250"):
            EmptyOperator(task_id="x" * 51)


def test_a_name_of_the_context_may_be_given_by_position():
    @task
    def both(ds, x):
        return [ds, x]

    with DAG("etl"):
        both("mine", 5)
        both(x=5)


class Extending(BaseOperator):
    """Adds to what it inherits, in the forms that are found."""

    template_fields = ("text",)

    def __init__(self, text: str, **kwargs):
        super().__init__(**kwargs)
        self.text = text

    def render_template_fields(self, context, jinja_env=None):
        super().render_template_fields(context, jinja_env)
        self.text = f"<{self.text}>"

    def execute(self, context):
        return self.text

    def post_execute(self, context):  # type: ignore[override]  # as Airflow 3 calls it
        context["ti"].xcom_push("after", "no result asked for")


def test_a_class_may_add_to_rendering_and_take_no_result():
    with DAG("etl") as dag:
        Extending(task_id="it", text="{{ ds }}")

    run = Rehearsal(dag)
    run.attempt("it")

    assert run.xcoms("it")["return_value"] == "<2024-03-05>"
    assert run.xcoms("it")["after"] == "no result asked for"


@pytest.mark.parametrize("wrong", [{"key": None}, {"task_ids": [5]}, {"run_id": 5}, {"dag_id": 5}])
def test_a_pull_of_something_that_is_no_text_is_refused_in_the_task(wrong):
    @task
    def pull(ti=None):
        with pytest.raises(TypeError, match=f"xcom_pull.*{next(iter(wrong))} must be a text"):
            ti.xcom_pull(**wrong)

    with DAG("etl") as dag:
        pull()

    assert Rehearsal(dag).attempt("pull").outcome is Outcome.SUCCESS


@pytest.mark.usefixtures("airflow")
def test_a_path_of_object_storage_goes_from_task_to_task(tmp_path):
    dag = only(
        load(
            tmp_path,
            f"""
            from airflow.sdk import DAG, ObjectStoragePath, task

            @task
            def write():
                path = ObjectStoragePath("file://{tmp_path}") / "a.txt"
                path.write_text("hello")
                return path

            @task
            def read(path):
                return [type(path).__name__, path.name, path.read_text()]

            with DAG("etl") as dag:
                read(write())
            """,
        )
    )

    run = Rehearsal(dag)
    run.attempt("write")
    run.attempt("read")

    assert run.xcoms("read")["return_value"] == ["ObjectStoragePath", "a.txt", "hello"]


@pytest.mark.usefixtures("airflow")
def test_names_are_found_where_files_for_airflow_look_for_them(tmp_path):
    load(
        tmp_path,
        """
        from airflow.sdk.api.datamodels._generated import TaskInstanceState
        from airflow.sdk.configuration import conf
        from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, SyncCallback
        from airflow.sdk.plugins_manager import AirflowPlugin
        """,
    )


def test_the_page_of_a_task_is_where_it_is_set_to_success():
    @task
    def links(ti=None):
        return ti.log_url == ti.mark_success_url

    with DAG("etl") as dag:
        links()

    run = Rehearsal(dag)
    run.attempt("links")

    assert run.xcoms("links")["return_value"] is True


def test_a_connection_as_plain_data():
    found = Connection(conn_id="x", conn_type="http", host="h", extra='{"a": 1}').to_dict()

    assert found == {
        "conn_id": "x", "conn_type": "http", "description": None, "host": "h", "login": None, "password": None,
        "schema": None, "port": None, "extra": {"a": 1},
    }  # fmt: skip


def test_a_context_shows_all_its_names_to_whoever_goes_through_it():
    context = Context({"a": 1}, {"b": lambda: 2, "c": lambda: pytest.fail("nobody asked for it")})

    assert (sorted(context), sorted(context.keys()), len(context)) == (["a", "b", "c"], ["a", "b", "c"], 3)
    assert next(value for name, value in context.items() if name == "b") == 2
    assert context.worked_out() == {"a": 1, "b": 2}


def test_a_context_is_unpacked_whole():
    context = Context({"a": 1}, {"b": lambda: 2})

    assert {**context.copy()} == dict(context.copy()) == dict(context.items()) == {"a": 1, "b": 2}


def test_the_event_of_an_instant_is_a_plain_datetime():
    async def first():
        return [event async for event in DateTimeTrigger(moment=datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC)).run()]

    (event,) = asyncio.run(first())

    assert (type(event.payload), event.payload) == (datetime, datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC))
