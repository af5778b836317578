"""What becomes of a task group that is expanded? Whole runs, as Airflow 3.3.2 ran the same DAGs."""

from __future__ import annotations

from tests.authoring.mapped import left, run, states, value
from tests.authoring.support import edges
from tradewind import DAG, BashOperator, EmptyOperator, Label, PythonOperator, TaskGroup, chain, task, task_group
from tradewind.model.spec import FixedLength, GroupSpec, MappingSpec, OutputLength
from tradewind.sdk.serialize import to_spec


@task
def give(values):
    return values


@task
def take(x):
    return x


@task
def show(x):
    return [type(x).__name__, x]


def test_the_tasks_of_an_expanded_group_follow_each_other_index_by_index():
    with DAG("etl") as made:

        @task
        def double(x):
            return x * 2

        @task
        def look(v, ti=None):
            get = ti.xcom_pull
            return [v, get("work.double"), get("work.double", map_indexes=ti.map_index), get("give")]

        @task_group
        def work(x):
            doubled = double(x)
            BashOperator(task_id="shell", bash_command="echo {{ ti.map_index }} $X", env={"X": x}) << doubled
            EmptyOperator(task_id="nothing")
            return look(doubled)

        work.expand(x=give(["a", "b"])) >> EmptyOperator(task_id="after")

    result = run(made)

    assert edges(made) == {
        "give>work.double", "give>work.shell", "give>work.nothing", "work.double>work.shell", "work.double>work.look",
        "work.look>after",
    }  # fmt: skip
    assert left(result, "work.look") == {
        0: ["aa", ["aa", "bb"], "aa", ["a", "b"]],
        1: ["bb", ["aa", "bb"], "bb", ["a", "b"]],
    }
    assert left(result, "work.shell") == {0: "0 a", 1: "1 b"}
    assert states(result)["work.nothing[1]"] == states(result)["after"] == "success"


def test_an_index_that_fails_stops_only_its_own():
    with DAG("etl") as made:

        @task
        def fail_on_two(x):
            if x == 2:
                raise ValueError
            return x

        @task_group
        def work(x):
            take(fail_on_two(x))

        work.expand(x=[1, 2]) >> EmptyOperator(task_id="after", trigger_rule="all_done")

    result = run(made)

    assert states(result) == {
        "work.fail_on_two[0]": "success", "work.fail_on_two[1]": "failed",
        "work.take[0]": "success", "work.take[1]": "upstream_failed", "after": "success",
    }  # fmt: skip


def test_a_group_over_nothing_is_skipped_with_what_needs_it():
    with DAG("etl") as made:

        @task_group
        def work(x):
            take.override(task_id="second")(take(x))

        work.expand(x=give([])) >> EmptyOperator(task_id="after")

    assert states(run(made)) == {
        "give": "success", "work.take": "skipped", "work.second": "skipped", "after": "skipped"
    }  # fmt: skip


def test_what_a_group_gives_is_one_value_or_a_list():
    with DAG("etl") as made:

        @task_group
        def work(x):
            return take(x)

        show.override(task_id="two")(work.expand(x=[1, 2]))
        show.override(task_id="one")(work.expand(x=[{"a": 1}]))
        show.override(task_id="none")(work.override(group_id="empty").expand(x=[None]))

    result = run(made)

    assert value(result, "two") == ["list", [1, 2]]
    assert value(result, "one") == ["dict", {"a": 1}]
    assert value(result, "none") == ["NoneType", None]


def test_nothing_can_be_expanded_over_the_tasks_of_an_expanded_group():
    with DAG("etl") as made:

        @task_group
        def work(x):
            return take(x)

        take.expand(x=work.expand(x=[[1], [2]]))
        show.expand(x=work.override(group_id="numbers").expand(x=[1]))

    result = run(made)

    assert states(result)["take"] == "upstream_failed"
    assert "stands in a mapped group" in result.reasons["take"]
    assert states(result)["numbers.take[0]"] == "failed"


def test_arguments_that_are_the_same_for_each_index_and_templates():
    with DAG("etl") as made:

        @task_group
        def work(x, y):
            PythonOperator(task_id="args", python_callable=lambda *a: list(a), op_args=[x, y, "{{ ti.map_index }}"])
            take.override(task_id="written")(x)

        work.partial(y="{{ run_id[:6] }}").expand(x=["{{ 1 }}", "b"])

    result = run(made)

    assert left(result, "work.args") == {0: ["{{ 1 }}", "manual", "0"], 1: ["b", "manual", "1"]}
    assert left(result, "work.written") == {0: "{{ 1 }}", 1: "b"}


def test_a_group_is_expanded_over_every_combination_or_over_dicts():
    with DAG("etl") as made:

        @task
        def pair(x, y):
            return [x, y]

        @task_group
        def work(x, y=5):
            pair(x, y)

        work.override(group_id="product").expand(x=[1, 2], y=give([3, 4]))
        work.override(group_id="dicts").expand_kwargs([{"x": 1, "y": 2}, {"x": 3, "y": 4}])
        work.override(group_id="short").expand_kwargs([{"x": 1}])
        work.override(group_id="outputs").expand(x=[give.override(task_id="six")(6)], y=[7])

    result = run(made)

    assert left(result, "product.pair") == {0: [1, 3], 1: [1, 4], 2: [2, 3], 3: [2, 4]}
    assert left(result, "dicts.pair") == {0: [1, 2], 1: [3, 4]}
    assert left(result, "outputs.pair") == {0: [6, 7]}
    assert "Defaults of the group's function do not count here" in result.reasons["short.pair[0]"]


def test_groups_inside_of_an_expanded_group():
    with DAG("etl") as made:

        @task_group
        def inner(x):
            take(x)

        @task_group
        def work(x):
            with TaskGroup("plain"):
                first = take(x)
            take(first)
            inner.expand(x=["a", "b"])

        work.expand(x=[1, 2, 3])

    result = run(made)

    assert left(result, "work.plain.take") == left(result, "work.take") == {0: 1, 1: 2, 2: 3}
    assert left(result, "work.inner.take") == dict(enumerate(["a", "b"] * 3))
    assert to_spec(made).groups == (
        GroupSpec("work", mapping=MappingSpec((FixedLength(3),))),
        GroupSpec("work.inner", "work", mapping=MappingSpec((FixedLength(3), FixedLength(2)))),
        GroupSpec("work.plain", "work"),
    )


def test_an_expanded_group_is_written_down_with_its_lengths():
    with DAG("etl") as made:

        @task_group(tooltip="Tip")
        def work(x):
            take(x)

        work.expand(x=give([1]))
    spec = to_spec(made)

    assert spec.groups == (GroupSpec("work", tooltip="Tip", mapping=MappingSpec((OutputLength("give"),))),)
    assert {one.task_id: one.mapping for one in spec.tasks} == {"give": None, "work.take": None}


def test_labels_of_indexes_in_groups():
    with DAG("etl") as made:

        @task_group
        def work(x):
            take.override(map_index_template="{{ x }} of {{ ti.map_index }}")(x=x)

        work.expand(x=["a", "b"])

    assert run(made).labels == {"work.take[0]": "a of 0", "work.take[1]": "b of 1"}


def test_arrows_through_empty_groups_go_on_to_what_stands_behind_them():
    with DAG("etl") as made:
        a, x, y = (EmptyOperator(task_id=name) for name in "axy")
        with TaskGroup("g") as g, TaskGroup("e") as e:
            pass
        with TaskGroup("h") as h:
            pass
        with TaskGroup("full") as full:
            EmptyOperator(task_id="b")
            with TaskGroup("none") as none:
                pass
        chain(a, g, h, Label("then"), x)
        none >> y

    assert edges(made) == {"a>x", "full.b>y"}
    assert made.edge_labels == {("a", "x"): "then"}
    assert [task.task_id for group in (e, full) for task in group.leaves] == ["a", "full.b"]
