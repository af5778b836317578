"""What becomes of a task that is expanded? Whole runs, checked against what Airflow 3.3.2 did with the same DAGs."""

from __future__ import annotations

import pytest

from tests.authoring.mapped import left, run, states, value
from tradewind import DAG, BashOperator, EmptyOperator, PythonOperator, get_current_context, task
from tradewind.model.spec import (
    ConcatLength,
    FixedLength,
    MappingSpec,
    OutputLength,
    ZipLength,
    encode_spec,
)
from tradewind.sdk.defaults import Defaults, current, use
from tradewind.sdk.exceptions import AirflowSkipException
from tradewind.sdk.serialize import to_spec


@task
def give(values):
    return values


@task
def take(x):
    return x


@task
def total(values):
    return sum(values)


def test_one_to_many_to_one():
    with DAG("etl") as made:
        total(take.expand(x=give([1, 2, 3])))

    result = run(made)

    assert states(result) == {
        "give": "success", "take[0]": "success", "take[1]": "success", "take[2]": "success", "total": "success"
    }  # fmt: skip
    assert left(result, "take") == {0: 1, 1: 2, 2: 3}
    assert value(result, "total") == 6


def test_several_arguments_run_through_every_combination_the_last_one_fastest():
    with DAG("etl") as made:

        @task
        def pair(x, y):
            return [x, y]

        pair.expand(y=give(["a", "b"]), x={"k": 1, "l": 2})

    assert left(run(made), "pair") == {0: [("k", 1), "a"], 1: [("l", 2), "a"], 2: [("k", 1), "b"], 3: [("l", 2), "b"]}


@pytest.mark.parametrize("values", [[], (), {}])
def test_nothing_to_map_over_skips_the_task_and_what_needs_it(values):
    with DAG("etl") as made:
        total(take.expand(x=values))
        take.override(task_id="asked").expand(x=give(values))
        take.override(task_id="dicts").expand_kwargs([])

    assert states(run(made)) == {
        "give": "success", "take": "skipped", "total": "skipped", "asked": "skipped", "dicts": "skipped"
    }  # fmt: skip


def test_zip_map_and_concat_give_what_python_gives():
    with DAG("etl") as made:
        a, b = give.override(task_id="a")([0, 1]), give.override(task_id="b")([0, 1, 2, 3])
        for name, values in {
            "short": a.zip(b),
            "long": a.zip(b, fillvalue="-"),
            "filled_with_none": a.zip(b, fillvalue=None),
            "joined": a.concat(b),
            "joined_twice": a.concat(b).concat(a),
            "changed": a.map(lambda v: v * 10).map(str),
            "mixed": a.concat(b).map(lambda v: v + 1).zip(b),
        }.items():
            take.override(task_id=name).expand(x=values)

    result = run(made)

    assert left(result, "short") == {0: (0, 0), 1: (1, 1)}
    assert left(result, "long") == {0: (0, 0), 1: (1, 1), 2: ("-", 2), 3: ("-", 3)}
    assert left(result, "filled_with_none") == {0: (0, 0), 1: (1, 1), 2: (None, 2), 3: (None, 3)}
    assert left(result, "joined") == dict(enumerate([0, 1, 0, 1, 2, 3]))
    assert left(result, "joined_twice") == dict(enumerate([0, 1, 0, 1, 2, 3, 0, 1]))
    assert left(result, "changed") == {0: "0", 1: "10"}
    assert left(result, "mixed") == {0: (1, 0), 1: (2, 1), 2: (1, 2), 3: (2, 3)}


def test_a_dict_is_mapped_over_by_pairs_concatenated_by_keys_and_not_changed_by_map():
    with DAG("etl") as made:
        pairs = give({"a": 1, "b": 2})
        take.override(task_id="pairs").expand(x=pairs)
        take.override(task_id="zipped").expand(x=pairs.zip(pairs))
        take.override(task_id="keys").expand(x=pairs.concat(pairs))
        take.override(task_id="changed").expand(x=pairs.map(str))

    result = run(made)

    assert left(result, "pairs") == {0: ("a", 1), 1: ("b", 2)}
    assert left(result, "zipped") == {0: (("a", 1), ("a", 1)), 1: (("b", 2), ("b", 2))}
    assert left(result, "keys") == {0: "a", 1: "b", 2: "a", 3: "b"}
    assert "return list(d.items())" in result.reasons["changed[0]"]


def test_an_index_that_a_map_function_skips_is_skipped_and_left_out_further_down():
    def without_two(value):
        if value == 2:
            raise AirflowSkipException("no twos")
        return value

    with DAG("etl") as made:
        odd = take.expand(x=give([1, 2, 3]).map(without_two))
        take.override(task_id="again", trigger_rule="all_done").expand(x=odd)
        total.override(trigger_rule="all_done")(odd)

    result = run(made)

    assert [result.states[f"take[{i}]"].value for i in range(3)] == ["success", "skipped", "success"]
    assert left(result, "again") == {0: 1, 1: 3}
    assert value(result, "total") == 4


def test_indexes_that_left_nothing_are_left_out_and_those_below_are_numbered_anew():
    with DAG("etl") as made:

        @task
        def drop_two(x):
            return None if x == 2 else x

        @task
        def pair(x, y):
            return [x, y]

        a = drop_two.expand(x=[1, 2, 3])
        b = take.expand(x=a.map(lambda v: v * 10))
        pair.expand(x=a, y=b)
        take.override(task_id="sums").expand(x=a.zip(b).map(sum))
        take.override(task_id="joined").expand(x=a.concat(b))

    result = run(made)

    assert left(result, "take") == {0: 10, 1: 30}
    assert left(result, "pair") == {0: [1, 10], 1: [1, 30], 2: [3, 10], 3: [3, 30]}
    assert left(result, "sums") == {0: 11, 1: 33}
    assert left(result, "joined") == {0: 1, 1: 3, 2: 10, 3: 30}


def test_outputs_inside_a_list_are_filled_in_for_their_index():
    with DAG("etl") as made:
        first, rest = give.override(task_id="first")(3), take.override(task_id="rest").expand(x=[4, 5])
        take.expand(x=[first, 5])
        total.expand(values=[rest, [1]])

    assert made.get_task("take").upstream_task_ids == {"first"}
    result = run(made)
    assert left(result, "take") == {0: 3, 1: 5}
    assert left(result, "total") == {0: 9, 1: 1}


def test_expand_kwargs_takes_dicts_from_the_file_or_from_tasks():
    with DAG("etl") as made:

        @task
        def work(x, y=9):
            return [x, y]

        work.override(task_id="written").expand_kwargs([{"x": 1}, {"x": 5, "y": 6}])
        work.override(task_id="asked").expand_kwargs(give([{"x": 1, "y": 2}, {"x": 3}]))
        work.override(task_id="changed").expand_kwargs(give([{"x": 1}]).map(lambda d: {"x": d["x"] * 2}))
        work.override(task_id="each").expand_kwargs([give({"x": 11}), {"x": 5}])
        work.override(task_id="inside").expand_kwargs([{"x": give(7)}])
        work.override(task_id="later").partial(y=1).expand_kwargs([{"x": 1}, {"x": 5, "y": 6}], strict=False)

    result = run(made)

    assert left(result, "written") == {0: [1, 9], 1: [5, 6]}
    assert left(result, "asked") == {0: [1, 2], 1: [3, 9]}
    assert left(result, "changed") == {0: [2, 9]}
    assert left(result, "each") == {0: [11, 9], 1: [5, 9]}
    assert left(result, "inside") == {0: [7, 9]}
    assert left(result, "later") == {0: [1, 1], 1: [5, 6]}


@pytest.mark.parametrize(
    ("dicts", "message"),
    [
        ([1], "a list with a value of type int in it"),
        ([{1: 2}], "unexpected keyword argument '1'"),
        ({"x": 1}, "not a value of type dict"),
        ([{"x": 1, "y": 2}], "'y' comes from expand_kwargs"),
        ([{"z": 1}], "unexpected keyword argument 'z'"),
    ],
)
def test_dicts_that_do_not_fit_fail_their_index(dicts, message):
    with DAG("etl") as made:

        @task
        def work(x, y):
            return [x, y]

        work.partial(y=1).expand_kwargs(give(dicts))

    result = run(made)

    assert result.states["work[0]"].value == "failed"
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(result.reasons["work[0]"])


def test_classic_operators_are_expanded_over_their_arguments():
    with DAG("etl", default_args={"env": {"Z": "z"}, "retries": 2}) as made:
        BashOperator.partial(task_id="bash", append_env=True).expand(
            bash_command=["echo $Z", "echo {{ ti.map_index }}"]
        )
        PythonOperator.partial(task_id="args", python_callable=lambda a, b: [a, b]).expand(op_args=[[1, 2], (3, 4)])
        PythonOperator.partial(task_id="words", python_callable=lambda **c: c["w"], params={"q": 2}).expand(
            op_kwargs=[{"w": "{{ params.q }}{{ ti.map_index }}"}]
        )
        EmptyOperator.partial(task_id="none").expand_kwargs([{}, {}])
    spec = {one.task_id: one for one in to_spec(made).tasks}

    result = run(made)

    assert left(result, "bash") == {0: "z", 1: "1"}
    assert left(result, "args") == {0: [1, 2], 1: [3, 4]}
    assert left(result, "words") == {0: "20"}
    assert states(result)["none[1]"] == "success"
    assert (spec["bash"].operator, spec["bash"].retries, spec["none"].needs_process) == ("BashOperator", 2, False)


def test_params_of_an_index_go_over_those_of_all_and_of_the_dag():
    with DAG("etl", params={"p": 1}) as made:
        PythonOperator.partial(task_id="p", python_callable=lambda params: dict(params), params={"q": 2}).expand(
            params=[{"p": 5}, {"r": 6}]
        )

    assert left(run(made), "p") == {0: {"p": 5, "q": 2}, 1: {"p": 1, "q": 2, "r": 6}}


def test_what_stands_in_the_file_is_a_template_and_what_tasks_return_is_not():
    text = "{{ ti.map_index }}"
    with DAG("etl") as made:
        source = PythonOperator(task_id="source", python_callable=lambda: ["{{ ti.map_index }}"]).output
        dicts = PythonOperator(task_id="dicts", python_callable=lambda: [{"x": "{{ ti.map_index }}"}]).output
        take.override(task_id="written").expand(x=[text, {"a": [text]}])
        take.override(task_id="returned").expand(x=source)
        take.override(task_id="returned_dicts").expand_kwargs(dicts)  # as in Airflow

    result = run(made)

    assert left(result, "written") == {0: "0", 1: {"a": ["1"]}}
    assert left(result, "returned") == {0: text}
    assert left(result, "returned_dicts") == {0: "0"}


def test_arguments_of_partial_may_be_outputs_with_keys_of_their_own():
    with DAG("etl") as made:

        @task(multiple_outputs=True)
        def parts():
            return {"a": 4}

        @task
        def pair(x, y):
            return [x, y]

        pair.partial(y=parts()["a"]).override(task_id="pair").expand(x=[1, 2])

    assert left(run(made), "pair") == {0: [1, 4], 1: [2, 4]}


@pytest.mark.parametrize("returned", [None, "abc", 5, {1, 2}, 1.5])
def test_a_task_that_returns_what_has_no_elements_fails_and_those_over_it_do_not_run(returned):
    with DAG("etl") as made:

        @task(retries=1, retry_delay=0)
        def source():
            return returned

        take.expand(x=source())

    assert states(run(made)) == {"source": "failed", "take": "upstream_failed"}


def test_a_value_that_is_not_pushed_cannot_be_mapped_over():
    with DAG("etl") as made:
        take.expand(x=give.override(do_xcom_push=False)([1]))

    assert "leave do_xcom_push on" in run(made).reasons["give"]


def test_a_list_longer_than_the_limit_fails_the_task_that_returned_it():
    before = current()
    use(Defaults(max_map_length=3))
    try:
        with DAG("etl") as made:
            take.expand(x=give.override(task_id="three")([1, 2, 3]))
            take.override(task_id="over").expand(x=give.override(task_id="four")([1, 2, 3, 4]))
            take.override(task_id="written").expand(x=[1, 2, 3, 4])  # what stands in the file may be longer
        result = run(made)
    finally:
        use(before)

    assert (states(result)["three"], states(result)["four"], states(result)["over"]) == (
        "success", "failed", "upstream_failed"
    )  # fmt: skip
    assert "at most 3 are allowed" in result.reasons["four"]
    assert states(result)["written[3]"] == "success"


def test_nobody_cares_what_a_task_returns_that_nobody_is_expanded_over():
    with DAG("etl") as made:
        take(give("text"))

    assert value(run(made), "take") == "text"


def test_indexes_are_named_by_what_the_task_has_found_out():
    with DAG("etl") as made:

        @task(map_index_template="{{ mine }}")
        def named(x):
            get_current_context()["mine"] = f"v{x}"
            if x == 2:
                raise ValueError("no twos")

        named.expand(x=[1, 2])
        take.override(task_id="by_argument", map_index_template="{{ x }}").expand(x=["p"])
        take.override(task_id="unknown", map_index_template="{{ nothing }}").expand(x=[1])
        take.override(task_id="single", map_index_template="plain {{ ti.map_index }}")(1)
        BashOperator.partial(task_id="bash", map_index_template="{{ task.bash_command }}!").expand(
            bash_command=["echo {{ ti.map_index }}"]
        )

    result = run(made)

    assert result.labels == {
        "named[0]": "v1", "named[1]": "v2", "by_argument[0]": "p", "single": "plain -1", "bash[0]": "echo 0!"
    }  # fmt: skip
    assert states(result)["unknown[0]"] == "failed"


def test_what_a_task_pulls_of_mapped_tasks():
    with DAG("etl") as made:
        ups = [
            take.override(task_id="one").expand(x=[5]),
            take.override(task_id="f").expand(x=[0, None, 2]),
        ]

        @task
        def pull(ti=None):
            get = ti.xcom_pull
            return [
                get("one"), get("f"), get(["one", "f"]), get("no", default=5), get(["no", "one"], default=5),
                get("f", map_indexes=2), get("f", map_indexes=[0, 1, 2], default="d"), get("f", map_indexes=None),
                get(["f", "one"], map_indexes=[0, 2]), get("f", map_indexes=range(1)), get(["f", "one"], map_indexes=0),
                get(["one"]),
            ]  # fmt: skip

        ups >> pull()

    assert value(run(made), "pull") == [
        5, [0, 2], [5, 0, 2], None, [None, 5],
        2, [0, "d", 2], None,
        [0, 2, 5, None], [0], [0, 5],
        [5],
    ]  # fmt: skip


def test_a_task_knows_that_it_is_an_index():
    with DAG("etl") as made:

        @task
        def know(x, ti=None):
            return [ti.map_index, ti.is_mapped, ti.rendered_map_index, ti.task.op_kwargs]

        know.expand(x=[1])
        know.override(task_id="single")(x=2)

    result = run(made)

    assert left(result, "know") == {0: [0, True, None, {"x": 1}]}
    assert value(result, "single") == [-1, False, None, {"x": 2}]


def test_a_mapped_task_is_written_down_with_its_lengths_and_always_the_same():
    def make():
        with DAG("etl") as made:
            a, b = give.override(task_id="a")([1]), give.override(task_id="b")([2])
            take.override(task_id="product").expand_kwargs(a.map(lambda v: v).zip(b, fillvalue=0).concat(b))
            total.partial().expand(values=[[1], [2]])

            @task
            def pair(x, y):
                pass

            pair.expand(x=a, y=(1, 2, 3))
        return to_spec(made)

    spec = {one.task_id: one for one in make().tasks}

    a, b = OutputLength("a"), OutputLength("b")
    assert spec["product"].mapping == MappingSpec((ConcatLength((ZipLength((a, b), True), b)),))
    assert spec["pair"].mapping == MappingSpec((a, FixedLength(3)))
    assert spec["total"].mapping == MappingSpec((FixedLength(2),))
    assert (spec["pair"].upstream, spec["product"].upstream) == (("a",), ("a", "b"))
    assert (spec["pair"].operator, spec["pair"].template_fields) == (
        "@task",
        ("templates_dict", "op_args", "op_kwargs"),
    )
    assert encode_spec(make()) == encode_spec(make())


def test_retries_of_an_index_get_the_same_values():
    tries = []
    with DAG("etl") as made:

        @task(retries=1, retry_delay=0)
        def stumble(x, ti=None):
            tries.append((x, ti.try_number))
            if ti.try_number == 1 and x == "b":
                raise ValueError
            return x

        stumble.expand(x=give(["a", "b"]))

    result = run(made)

    assert sorted(tries) == [("a", 1), ("b", 1), ("b", 2)]
    assert left(result, "stumble") == {0: "a", 1: "b"}


def test_what_is_set_on_a_mapped_task_afterwards_holds_for_its_indexes():
    seen = []
    with DAG("etl") as made:
        mapped = BashOperator.partial(task_id="bash").expand(bash_command=["exit 1"])
        mapped.on_failure_callback = [lambda context: seen.append(context["task"].doc_md)]
        mapped.doc_md = "set by a policy"

    run(made)

    assert seen == ["set by a policy"]


def test_callbacks_of_a_mapped_task_see_the_index():
    seen = []
    with DAG("etl") as made:

        @task(on_failure_callback=lambda c: seen.append((c["ti"].map_index, c["task"].op_kwargs, str(c["exception"]))))
        def fail(x):
            raise ValueError(f"no {x}")

        fail.expand(x=give(["a"]))

    run(made)

    assert seen == [(0, {"x": "a"}, "no a")]
