"""Do params hold their schemas, at parse time and for a run?"""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.authoring.support import Rehearsal
from tradewind import DAG, EmptyOperator, Param, ParamsDict, PythonOperator
from tradewind.errors import DagError
from tradewind.sdk.exceptions import ParamValidationError
from tradewind.sdk.serialize import to_spec


@pytest.mark.parametrize(
    ("param", "says"),
    [
        (Param(5, type="string"), "5 is not of type 'string'"),
        (Param(True, type="integer"), "True is not of type 'integer'"),
        (Param("2024-13-45", type="string", format="date"), "is not a 'date'"),
        (Param("x", enum=["a", "b"]), r"'x' is not one of \['a', 'b'\]"),
        (Param({"a": [1, "x"]}, properties={"a": {"items": {"type": "number"}}}), r"\['a'\]\[1\]: 'x' is not of type"),
        (Param(None, type="string"), "None is not of type 'string'"),
        (Param(datetime(2024, 1, 1)), "is not JSON"),
        (Param(float("nan")), "is not JSON"),
        (Param(1, type="no such type"), "its schema is wrong"),
        (Param(type="string"), "has no default and was given no value"),
    ],
)
def test_a_value_that_does_not_fit_is_named(param, says):
    with pytest.raises(ParamValidationError, match=says) as caught:
        ParamsDict({"n": param})["n"]

    assert "Param 'n'" in str(caught.value)


@pytest.mark.parametrize(
    "param",
    [
        Param(5.0, type="integer"),
        Param("nope", type="string", format="date-time"),
        Param("2024-02-29", type="string", format="date"),
        Param(None, type=["null", "string"]),
        Param([1], type="array", items={"type": "number"}, description="some", section="Extra"),
    ],
)
def test_a_value_that_fits_is_given_back(param):
    assert ParamsDict({"n": param})["n"] == param.value


def test_a_plain_value_becomes_a_param_and_a_param_keeps_its_schema_when_set():
    params = ParamsDict({"a": 1, "n": Param(1, type="integer")})
    params["a"] = "anything"
    params["new"] = {"x": 1}
    with pytest.raises(ParamValidationError):
        params["n"] = "text"

    assert params.dump() == {"a": "anything", "n": 1, "new": {"x": 1}}
    assert params.get_param("n").schema == {"type": "integer"}


def test_an_unknown_param_offers_the_nearest():
    with pytest.raises(KeyError, match="Did you mean 'carrier'"):
        ParamsDict({"carrier": "UA"})["carier"]


def test_copies_do_not_share():
    original = ParamsDict({"n": Param(1, type="integer")})
    copied = ParamsDict(original)
    copied["n"] = 2

    assert (original["n"], copied["n"]) == (1, 2)


def test_a_schema_may_be_given_whole():
    assert Param(1, schema={"type": "integer", "minimum": 0}).schema == {"type": "integer", "minimum": 0}


def test_with_a_schedule_params_must_be_valid_when_the_file_is_read():
    def make(schedule):
        return DAG("etl", schedule=schedule, start_date=datetime(2024, 1, 1), params={"day": Param(type="string")})

    with pytest.raises(
        DagError, match=r"DAG 'etl': Param 'day' has no default .* needs a valid default for each param"
    ):
        to_spec(make("@daily"))
    spec = to_spec(make(None)).params["day"]
    assert (spec.has_default, spec.default, spec.schema) == (False, None, {"type": "string"})


def test_a_default_that_is_not_json_is_refused_even_without_a_schedule():
    with pytest.raises(DagError, match="is not JSON"):
        to_spec(DAG("etl", params={"n": {1, 2}}))


def test_a_run_merges_dag_task_and_conf():
    seen = []
    with DAG("etl", params={"a": 1, "b": Param(2, type="integer"), "c": 3}) as made:
        PythonOperator(task_id="it", python_callable=lambda params: seen.append(params), params={"c": 30, "d": 4})
    run = Rehearsal(made, conf={"b": 20, "e": [5]})

    assert run.attempt("it").error is None
    assert seen == [{"a": 1, "b": 20, "c": 30, "d": 4, "e": [5]}]
    assert made.params.dump() == {"a": 1, "b": 2, "c": 3}


def test_params_in_default_args_are_the_dags():
    with DAG("etl", default_args={"params": {"a": 1, "b": 1}}, params={"c": 2, "b": 2}) as made:
        EmptyOperator(task_id="it")

    assert list(made.params.dump().items()) == [("c", 2), ("b", 1), ("a", 1)]  # they win, as in Airflow


def test_a_task_knows_the_params_of_its_dag_and_in_a_run_their_values():
    seen = []
    with DAG("etl", params={"a": 1, "b": Param("x", type="string")}) as dag:
        work = PythonOperator(
            task_id="it",
            python_callable=lambda text, task: seen.extend([text, dict(task.params)]),
            op_args=["{{ task.params.a }} {{ task.params }} {{ dag.params }}"],
            params={"b": "own"},
        )
    Rehearsal(dag, conf={"a": 7, "new": 8}).attempt("it")

    assert dict(work.params) == {"a": 1, "b": "own"}
    assert seen == ["7 {'a': 7, 'b': 'own'} {'a': 1, 'b': 'x'}", {"a": 7, "b": "own"}]


def test_a_trial_with_a_conf_that_does_not_fit_does_not_begin():
    with DAG("etl", params={"n": Param(1, type="integer")}) as made:
        EmptyOperator(task_id="it")

    with pytest.raises(ParamValidationError, match="n"):
        made.test(run_conf={"n": "many"})
    assert made.test(run_conf={"n": 2}).state == "success"
