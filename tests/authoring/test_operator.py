"""Do operators take, inherit and check their arguments?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.authoring.support import Rehearsal, edges
from tradewind import DAG, BaseOperator, BashOperator, EmptyOperator, PythonOperator, task
from tradewind.errors import DagError
from tradewind.sdk import defaults
from tradewind.sdk.defaults import Defaults
from tradewind.sdk.exceptions import IgnoredArgumentWarning, NotSupportedYet


class Copy(BaseOperator):
    template_fields = ("source", "target")

    def __init__(self, *, source, target="/tmp", rows=10, **kwargs):
        super().__init__(**kwargs)
        self.source, self.target, self.rows = source, target, rows

    def execute(self, context):
        return f"{self.source}->{self.target}"


class Strict(Copy):
    def __init__(self, **kwargs):
        super().__init__(source="fixed", retries=7, **kwargs)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"retires": 3}, r"'retires' is not an argument of it. Did you mean 'retries'\?"),
        ({"bash_comand": "x"}, r"Did you mean 'bash_command'\?"),
        ({"retries": "many"}, "retries must be a whole number, not 'many'"),
        ({"retry_delay": "5m"}, "retry_delay must be a datetime.timedelta or a number of seconds"),
        ({"execution_timeout": 5}, "execution_timeout must be a datetime.timedelta"),
        ({"trigger_rule": "all_succes"}, r"trigger_rule 'all_succes' does not exist. Did you mean 'all_success'\?"),
        ({"weight_rule": "down"}, "weight_rule 'down' does not exist"),
        ({"owner": ["ann"]}, r"owner must be a text, not \['ann'\]"),
        ({"pool_slots": 0}, "pool_slots must be a whole number of 1 or more"),
        ({"priority_weight": 1.5}, "priority_weight must be a whole number"),
        ({"depends_on_past": "x"}, "depends_on_past must be True or False"),
        ({"start_date": "2024-01-01"}, "start_date must be a datetime.datetime"),
        ({"on_failure_callback": "mail"}, "on_failure_callback must be a function"),
        ({"retry_exponential_backoff": -1}, "retry_exponential_backoff must be a multiplier"),
        ({"max_active_tis_per_dag": 0}, "max_active_tis_per_dag must be a whole number of 1 or more or None"),
        ({"params": []}, "params must be a dict"),
        ({"pre_execute": 1}, "pre_execute must be a function"),
        ({"default_args": []}, "default_args must be a dict"),
    ],
)
def test_a_wrong_argument_is_named_with_the_task_and_what_was_expected(arguments, says):
    with pytest.raises(DagError, match=says) as caught:
        BashOperator(**{"task_id": "load", "bash_command": "true", **arguments})

    assert "'load'" in str(caught.value)


def test_arguments_by_position_and_a_missing_id_are_refused():
    with pytest.raises(DagError, match="takes keyword arguments only"):
        BashOperator("load", "true")  # type: ignore[call-arg,arg-type]  # that is the mistake
    with pytest.raises(DagError, match="EmptyOperator needs a task_id"):
        EmptyOperator()  # type: ignore[call-arg]  # that is the mistake


@pytest.mark.parametrize("arguments", [{"run_as_user": "ann"}])
def test_what_does_not_exist_yet_is_refused(arguments):
    with pytest.raises(NotSupportedYet, match="is not supported yet"):
        EmptyOperator(task_id="a", **arguments)


def test_what_has_no_effect_warns():
    with pytest.warns(IgnoredArgumentWarning, match="EmptyOperator 'a': resources has no effect"):
        EmptyOperator(task_id="a", resources={"cpus": 2})


@pytest.mark.parametrize(("given", "kept"), [("3", 3), (-1, -1), (None, 0), (2.7, 2)])
def test_retries_are_taken_as_airflow_takes_them(given, kept):
    assert EmptyOperator(task_id="a", retries=given).retries == kept


def test_configured_defaults_hold_where_nothing_is_said(monkeypatch):
    configured = Defaults(owner="ops", queue="slow", retries=4, retry_delay_seconds=9, execution_timeout_seconds=60)
    monkeypatch.setattr(defaults, "_current", configured)

    made = EmptyOperator(task_id="a")

    assert (made.owner, made.queue, made.retries) == ("ops", "slow", 4)
    assert (made.retry_delay, made.execution_timeout) == (timedelta(seconds=9), timedelta(minutes=1))


def test_default_args_reach_an_operators_own_arguments_at_each_level():
    with DAG("etl", default_args={"source": "s3", "rows": 5, "retries": 2, "owner": "ann"}):
        plain: Any = Copy(task_id="plain")  # type: ignore[call-arg]  # default_args give it
        said = Copy(task_id="said", source="disk", retries=0)
        strict = Strict(task_id="strict")
        own: Any = Copy(task_id="own", default_args={"rows": 6, "owner": "bob"})  # type: ignore[call-arg]

    assert (plain.source, plain.rows, plain.retries, plain.owner) == ("s3", 5, 2, "ann")
    assert (said.source, said.retries) == ("disk", 0)
    assert (strict.source, strict.retries, strict.rows) == ("fixed", 7, 5)
    assert (own.rows, own.owner, own.source) == (6, "bob", "s3")


def test_an_operators_missing_argument_is_pythons_own_error():
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'source'"):
        Copy(task_id="a")  # type: ignore[call-arg]  # that is the mistake


def test_outputs_in_template_fields_wire_tasks():
    with DAG("etl") as made:

        @task
        def find():
            return {"k": "x"}

        found = find()
        Copy(task_id="copy", source=["a", {"b": (found["k"],)}])
        late = Copy(task_id="late", source="nothing")
        late.target = f"{found}"
        late.source = found

    assert edges(made) == {"find>copy", "find>late"}


def test_a_template_field_that_does_not_exist_is_named():
    class Wrong(BaseOperator):
        template_fields = ("sql",)

    with pytest.raises(DagError, match="template_fields names 'sql', but Wrong has no such attribute"):
        Wrong(task_id="a")


def test_an_operator_without_execute_says_so():
    with DAG("etl") as made:
        BaseOperator(task_id="bare")

    result = Rehearsal(made).attempt("bare")

    assert (
        result.error
        == "NotImplementedError: BaseOperator has no execute(). Give it one: def execute(self, context): ..."
    )


def test_a_callable_that_is_none_is_refused():
    with pytest.raises(DagError, match="python_callable must be a function, not 'name'"):
        PythonOperator(task_id="a", python_callable="name")  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(DagError, match="op_args must be a list or tuple"):
        PythonOperator(task_id="a", python_callable=print, op_args="abc")


def test_provide_context_of_airflow_2_is_taken_with_a_warning():
    with pytest.warns(DeprecationWarning, match="provide_context is gone"):
        PythonOperator(task_id="a", python_callable=print, provide_context=True)  # type: ignore[call-arg]


def test_a_copy_for_an_attempt_leaves_the_task_as_it_is():
    with DAG("etl", start_date=datetime(2024, 1, 1)) as made:
        original = Copy(task_id="copy", source="{{ ds }}", target=["{{ run_id }}"])

    for number in (1, 2):
        assert Rehearsal(made).attempt("copy", number).error is None

    assert (original.source, original.target) == ("{{ ds }}", ["{{ run_id }}"])


def test_operators_can_be_executed_alone_in_a_unit_test():
    def add(a, b=1, ds=None):
        return [a + b, ds]

    empty: Any = {}
    dated: Any = {"ds": "2024-01-01"}
    adder = PythonOperator(task_id="add", python_callable=add, op_args=[1])

    assert adder.execute(empty) == [2, None]
    assert adder.execute(dated) == [2, "2024-01-01"]
    assert BashOperator(task_id="say", bash_command="echo hi").execute(empty) == "hi"

    @task
    def twice(x):
        return x * 2

    assert twice.function(4) == 8
