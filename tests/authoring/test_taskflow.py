"""Do functions become tasks, with the arguments and outputs that they say?"""

from __future__ import annotations

import functools

import pytest

from tests.authoring.support import Rehearsal, edges
from tradewind import DAG, EmptyOperator, chain, chain_linear, setup, task, task_group, teardown
from tradewind.errors import DagError, DuplicateTaskId
from tradewind.model.orders import Outcome
from tradewind.sdk.exceptions import NotSupportedYet
from tradewind.sdk.task_group import TaskGroup


def test_a_call_that_does_not_fit_the_function_is_refused_when_the_file_is_read():
    with DAG("etl"):

        @task
        def load(rows, target="t"):
            pass

        with pytest.raises(DagError, match=r"load\(\) was called with arguments that do not fit: missing .*'rows'"):
            load()
        with pytest.raises(DagError, match=r"Its signature is load\(rows, target='t'\)"):
            load(1, tagret="x")


def test_a_context_name_with_a_default_of_its_own_is_refused():
    with pytest.raises(
        DagError, match="the parameter 'ds' gets its value from the context, so its default must be None"
    ):

        @task
        def load(ds="2024-01-01"):
            pass


@pytest.mark.parametrize("kind", ["kubernetes", "pyspark", "stub"])
def test_kinds_that_come_later_say_so(kind):
    with pytest.raises(NotSupportedYet, match=f"@task.{kind} is not supported yet"):
        getattr(task, kind)


def test_a_kind_that_nobody_knows_offers_the_nearest():
    with pytest.raises(AttributeError, match=r"Did you mean 'branch'\?"):
        _ = task.brnch


def test_classes_decorated_twice_and_settings_by_position_are_refused():
    with pytest.raises(DagError, match="Thing is a class"):

        @task
        class Thing:
            pass

    with pytest.raises(DagError, match="is a task already"):
        task(task(lambda: 1))
    with pytest.raises(DagError, match="takes keyword arguments only"):
        task("name")  # type: ignore[call-overload]  # that is the mistake


def test_an_output_cannot_be_looked_into_when_the_file_is_read():
    with DAG("etl"):

        @task
        def find():
            return [1]

        found = find()
        with pytest.raises(TypeError, match="cannot be iterated over in the DAG file"):
            list(found)
        with pytest.raises(TypeError, match="takes a text as key"):
            found[0]  # type: ignore[index]  # that is the mistake
        with pytest.raises(TypeError, match="known only at run time"):
            _ = 1 in found


def test_an_uncalled_task_in_an_arrow_says_that_it_must_be_called():
    with DAG("etl"):

        @task
        def find():
            pass

        with pytest.raises(DagError, match=r"A @task function must be called: write my_task\(\)"):
            EmptyOperator(task_id="a") >> find


def test_chains_of_different_widths_are_refused():
    with DAG("etl"):
        a, b, c = (EmptyOperator(task_id=name) for name in "abc")
        with pytest.raises(DagError, match="lists of 2 and 1 tasks in a row"):
            chain([a, b], [c])
        with pytest.raises(DagError, match="Unpack it"):
            chain_linear([a, b])


def test_tasks_of_two_dags_cannot_be_wired():
    first, second = EmptyOperator(task_id="a", dag=DAG("one")), EmptyOperator(task_id="b", dag=DAG("two"))

    with pytest.raises(DagError, match="belong to different DAGs"):
        first >> second


def test_several_outputs_are_checked_when_the_task_runs():
    with DAG("etl") as made:

        @task(multiple_outputs=True)
        def number():
            return 5

        @task(multiple_outputs=True)
        def keys():
            return {1: 2}

        @task(multiple_outputs=True)
        def nothing():
            return None

        @task
        def guessed() -> dict:
            return {"a": 1, "b": 2}

        number(), keys(), nothing(), guessed()
    run = Rehearsal(made)

    results = run.all()

    assert "must return a dict, not int" in str(results["number"].error)
    assert "must be texts, not 1 (int)" in str(results["keys"].error)
    assert results["nothing"].outcome is Outcome.SUCCESS and run.xcoms("nothing") == {}
    assert run.xcoms("guessed") == {"a": 1, "b": 2, "return_value": {"a": 1, "b": 2}}


def test_a_key_that_was_not_pushed_fails_the_task_that_needs_it():
    with DAG("etl") as made:

        @task
        def find():
            return {"a": 1}

        @task
        def use(x):
            pass

        use(find()["b"])

    assert "pushed no XCom with the key 'b'" in str(Rehearsal(made).all()["use"].error)


def test_a_key_that_a_task_with_several_outputs_left_out_is_none():
    with DAG("etl") as made:

        @task(multiple_outputs=True)
        def find():
            return {"a": 1}

        @task
        def use(x):
            return [x]

        use(find()["b"])

    run = Rehearsal(made)
    run.all()

    assert run.xcoms("use") == {"return_value": [None]}


def test_wrapped_and_partial_functions_are_tasks_too():
    def twice(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs) * 2

        return inner

    with DAG("etl") as made:

        @task
        @twice
        def number(x):
            return x

        number(4)
    run = Rehearsal(made)
    run.all()

    assert run.xcoms("number")["return_value"] == 8


def test_bash_tasks_run_the_command_that_the_function_returns():
    with DAG("etl", params={"who": "you"}) as made:

        @task.bash
        def greet(word, ds=None):
            return f"echo {word} {{{{ params.who }}}} {ds}"

        @task.bash
        def wrong():
            return 5

        greet("hello"), wrong()
    run = Rehearsal(made)
    results = run.all()

    assert run.xcoms("greet")["return_value"] == "hello you 2024-03-05"
    assert "must return the command as a text" in str(results["wrong"].error)


def test_groups_prefix_ids_and_refuse_taken_ones():
    with DAG("etl") as made:
        with TaskGroup("g") as g:
            EmptyOperator(task_id="a")
        with pytest.raises(DuplicateTaskId, match="has a task or group 'g' already"):
            TaskGroup("g")
        with pytest.raises(DuplicateTaskId):
            EmptyOperator(task_id="g")
        with pytest.raises(DagError, match="group_id"):
            TaskGroup("a b")

    assert made.task_ids == ["g.a"]
    assert g["a"] is made.get_task("g.a")


def test_a_group_function_hands_back_what_it_returns():
    with DAG("etl") as made:

        @task_group(tooltip="Tip", default_args={"retries": 3})
        def work(x):
            return EmptyOperator(task_id=f"t{x}")

        start = EmptyOperator(task_id="start")
        start >> work(1) >> work.override(group_id="other")(2)

    assert edges(made) == {"start>work.t1", "work.t1>other.t2"}
    assert made.group_dict["work"].tooltip == "Tip"
    assert made.get_task("work.t1").retries == 3


def test_setups_and_teardowns_by_decorator():
    with DAG("etl") as made:

        @setup
        def make():
            return "cluster"

        @task
        def work():
            pass

        @teardown(on_failure_fail_dagrun=True)
        @task(retries=2)
        def clean(x):
            pass

        made_cluster = make()
        made_cluster >> work() >> clean(made_cluster)

    tidy = made.get_task("clean")
    assert made.get_task("make").is_setup
    assert (tidy.is_teardown, tidy.on_failure_fail_dagrun, tidy.retries) == (True, True, 2)
    assert tidy.trigger_rule == "all_done_setup_success"
    assert edges(made) == {"make>work", "work>clean", "make>clean"}
