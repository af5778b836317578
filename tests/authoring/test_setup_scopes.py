"""Which arrows do setups and teardowns make? The same as in Airflow 3.3.2, for every way to write them."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.authoring.mapped import left, run, states
from tests.authoring.support import edges
from tradewind import DAG, BashOperator, EmptyOperator, TaskGroup, setup, task, task_group, teardown
from tradewind.errors import DagError
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.serialize import to_spec
from tradewind.sdk.setup_teardown import context_wrapper


@setup
def s():
    return "made"


@teardown
def t():
    pass


@task
def w(x=None):
    return x


def empty(task_id, **settings):
    return EmptyOperator(task_id=task_id, **settings)


@pytest.mark.parametrize("enters", ["setup", "teardown", "arrow"])
def test_work_in_a_scope_stands_between_its_setup_and_its_teardown(enters):
    with DAG("etl") as made:
        first, last = s(), t()
        arrow = first >> last
        with {"setup": first, "teardown": last, "arrow": arrow}[enters]:
            w() >> w()
            w()

    assert edges(made) == {"s>t", "s>w", "s>w__2", "w>w__1", "w__1>t", "w__2>t"}


def test_a_scope_in_a_scope_is_set_up_after_it_and_torn_down_before_it():
    with DAG("etl") as made:
        with s() >> t():
            w()
            with s() >> t():
                w()
            w()
        w()

    assert edges(made) == {
        "s>t", "s__1>t__1", "s>s__1", "t__1>t", "s>w", "w>t", "s__1>w__1", "w__1>t__1", "s>w__2", "w__2>t"
    }  # fmt: skip


def test_work_that_waits_for_something_else_is_set_up_by_its_first_task():
    with DAG("etl") as made:
        before = w()
        with s() >> t():
            first = w()
            before >> first >> w()

    assert edges(made) == {"s>t", "w>w__1", "w__1>w__2", "s>w__1", "w__2>t"}


def test_tasks_made_before_a_scope_can_be_added_to_it_while_it_is_open():
    with DAG("etl") as made:
        early = w()
        with s() >> t() as scope:
            scope.add_task(early)
            w()
        with pytest.raises(AirflowException, match="`with` block is over"):
            scope.add_task(early)

    assert edges(made) == {"s>t", "s>w", "s>w__1", "w>t", "w__1>t"}


def test_scopes_of_several_setups():
    with DAG("etl") as made:
        a, b = empty("a"), w()
        last = empty("last").as_teardown(setups=[a, b])
        with last:
            empty("work")
        with context_wrapper([a.as_setup(), b]):
            empty("more")

    assert edges(made) == {
        "a>last", "w>last", "a>work", "w>work", "work>last", "a>more", "w>more", "more>last"
    }  # fmt: skip
    assert made.get_task("a").is_setup and made.get_task("w").is_setup


def test_a_scope_without_a_teardown_only_sets_up():
    with DAG("etl") as made, s():
        w()

    assert edges(made) == {"s>w"}


def test_groups_and_mapped_tasks_in_a_scope():
    with DAG("etl") as made, s() >> t():
        with TaskGroup("g"):
            empty("a") >> empty("b")
        w.expand(x=[1, 2])
        BashOperator.partial(task_id="bash").expand(bash_command=["echo"])

    assert edges(made) == {"s>t", "s>g.a", "g.a>g.b", "g.b>t", "s>w", "w>t", "s>bash", "bash>t"}


def test_a_group_hands_on_its_work_and_not_its_teardowns():
    with DAG("etl") as made:
        with TaskGroup("g") as g:
            first, a, b = empty("first").as_setup(), empty("a"), empty("b")
            last = empty("last").as_teardown(setups=first)
            first >> [a, b] >> last >> empty("very_last").as_teardown()
            empty("lone").as_setup()
        g >> empty("after")

    assert {edge for edge in edges(made) if edge.endswith(">after")} == {"g.a>after", "g.b>after", "g.lone>after"}


def test_setups_and_teardowns_that_are_mapped():
    with DAG("etl") as made:

        @setup
        def make(x):
            return x

        @teardown
        def drop(x):
            return x

        a, b, c = make.expand(x=[1, 2]), w.expand(x=[3]), drop.expand(x=[4, 5])
        a >> b >> c
        a >> c
        up = BashOperator.partial(task_id="up").expand(bash_command=["echo 1"])
        down = BashOperator.partial(task_id="down").expand(bash_command=["echo 2"]).as_teardown(setups=up)
    spec = {one.task_id: one for one in to_spec(made).tasks}

    result = run(made)

    assert (spec["make"].is_setup, spec["drop"].is_teardown) == (True, True)
    assert spec["drop"].trigger_rule == spec["down"].trigger_rule == "all_done_setup_success"
    assert up.is_setup and down.is_teardown
    assert left(result, "drop") == {0: 4, 1: 5}
    assert set(states(result).values()) == {"success"}


def test_setups_and_teardowns_in_an_expanded_group():
    with DAG("etl") as made:

        @setup
        def make(x):
            return x

        @teardown
        def drop(x):
            return x

        @task
        def work(x):
            if x == 2:
                raise ValueError

        @task_group
        def g(x):
            with make(x) >> drop(x):
                work(x)

        g.expand(x=[1, 2]) >> empty("after", trigger_rule="all_done")

    result = run(made)

    assert edges(made) == {"g.make>g.drop", "g.make>g.work", "g.work>g.drop", "g.work>after"}
    assert left(result, "g.drop") == {0: 1, 1: 2}
    assert [states(result)[f"g.work[{i}]"] for i in range(2)] == ["success", "failed"]


def test_which_teardowns_decide_about_the_run():
    with DAG("etl") as made:
        deciding = teardown(on_failure_fail_dagrun=True)(lambda: 1)
        deciding.override(task_id="yes")()
        deciding.override(task_id="no", on_failure_fail_dagrun=False)()
        empty("classic").as_teardown(on_failure_fail_dagrun=True)

    assert [made.get_task(i).on_failure_fail_dagrun for i in ("yes", "no", "classic")] == [True, False, True]
    assert made.get_task("yes").trigger_rule == "all_done_setup_success"


def _enter(scope):
    with scope:
        pass


WRONG = {
    "a setup that is a teardown": (lambda: empty("x").as_setup().as_teardown(), "is a setup already"),
    "a teardown that is a setup": (lambda: empty("x").as_teardown().as_setup(), "is a teardown already"),
    "a function that is both": (lambda: setup(t.override(task_id="x"))(), "is a setup already"),
    "a group that sets up": (lambda: setup(task_group(lambda: 1)), "makes a group"),
    "a group that tears down": (lambda: teardown(task_group(lambda: 1)), "makes a group"),
    "a teardown with a rule": (lambda: teardown(task(trigger_rule="all_done")(lambda: 1))(), "whose trigger_rule is"),
    "a mapped teardown with a rule": (
        lambda: teardown(task(trigger_rule="all_done")(lambda x: 1)).expand(x=[1]),
        "whose trigger_rule is",
    ),
    "a task that decides": (lambda: setattr(empty("x"), "on_failure_fail_dagrun", True), "is for teardowns"),
    "a scope of a task": (lambda: _enter(empty("x")), "neither a setup nor a teardown"),
    "a scope of an output": (lambda: _enter(w()), "neither a setup nor a teardown"),
    "a scope of both kinds": (lambda: _enter(context_wrapper([s(), t()])), "some are setups and some teardowns"),
    "a scope of a changed output": (lambda: _enter(w().map(str)), "is no task"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_use_is_refused(name):
    build, message = WRONG[name]

    with DAG("etl"), pytest.raises(DagError, match=message):
        build()


@pytest.mark.parametrize("is_setup", [True, False])
def test_what_stands_directly_below_a_setup_has_the_usual_rule(is_setup):
    with DAG("etl") as made:
        below = empty("below", trigger_rule="all_done")
        s() >> (below.as_setup() if is_setup else below)

    with pytest.raises(DagError, match="must be 'all_success'"):
        to_spec(made)


def test_a_scope_that_fails_wires_nothing_and_closes():
    with DAG("etl") as made:
        with suppress(ZeroDivisionError), s() >> t():
            w()
            _ = 1 / 0
        w()

    assert edges(made) == {"s>t"}
