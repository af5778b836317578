# mypy: ignore-errors
"""Mapped task groups: their indexes, what is inside them, what stands below them, and what reads them."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, task, task_group
from airflow.sdk.exceptions import AirflowSkipException


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


@task
def values(given):
    return given


@task(max_active_tis_per_dagrun=1)
def act(x):
    if x == "fail":
        raise ValueError("as asked")
    if x == "skip":
        raise AirflowSkipException("as asked")
    return None if x == "none" else x


@task
def wrap(x):
    return [x]


@task(trigger_rule="all_done")
def read(given):
    return list(given) if not isinstance(given, str) and given is not None else given


def chain_of_three():
    @task_group
    def each(x):
        first = act(x)
        second = wrap(first)
        return wrap.override(task_id="third")(second)

    return each


with DAG("group_literal"):
    each = chain_of_three().expand(x=["a", "b"])
    read(each)
    wrap.override(task_id="below").expand(x=each)
    each >> Nop(task_id="end")

with DAG("group_xcom"):
    each = chain_of_three().expand(x=values(["a", "b", "c"]))
    read(each)
    each >> Nop(task_id="end")

with DAG("group_dict"):

    @task_group
    def pairs(pair):
        return wrap(pair)

    read(pairs.expand(pair=values({"k": 1, "l": 2})))

with DAG("group_kwargs"):

    @task_group
    def both(a, b="default"):
        @task
        def join(a, b):
            return f"{a}-{b}"

        return join(a, b)

    read(both.override(group_id="literal").expand_kwargs([{"a": 1, "b": 2}, {"a": 3, "b": 4}]))
    read(both.override(group_id="xcom").expand_kwargs(values([{"a": 1, "b": 2}, {"a": 5, "b": 6}])))
    read(both.override(group_id="product").expand(a=[1, 2], b=["x", "y"]))
    read(both.override(group_id="partial").partial(b="fixed").expand(a=[1, 2]))

with DAG("group_outcomes"):
    each = chain_of_three().expand(x=["a", "skip", "none", "fail", "e"])
    read(each)
    wrap.override(task_id="below", trigger_rule="all_done").expand(x=each)
    Nop(task_id="end") << each
    Nop(task_id="none_failed", trigger_rule="none_failed") << each
    Nop(task_id="done", trigger_rule="all_done") << each

with DAG("group_skipped"):
    each = chain_of_three().expand(x=["skip", "b"])
    read(each)
    Nop(task_id="end") << each

for name, word in (("fail", "fail"), ("skip", "skip"), ("none", "none")):
    with DAG(f"group_source_{name}"):
        each = chain_of_three().expand(x=act.override(task_id="source")(word))
        read(each)
        Nop(task_id="end") << each
        Nop(task_id="done", trigger_rule="all_done") << each

with DAG("group_zero"):
    each = chain_of_three().expand(x=values([]))
    read(each)
    Nop(task_id="end") << each
    Nop(task_id="none_failed", trigger_rule="none_failed") << each

with DAG("group_zero_literal"):
    each = chain_of_three().expand(x=[])
    Nop(task_id="end") << each

with DAG("group_nested_plain"):

    @task_group
    def outer(x):
        with TaskGroup("inner"):
            a = wrap(x)
            b = wrap.override(task_id="again")(a)
        Nop(task_id="side") << a
        with TaskGroup("other"):
            Nop(task_id="only")
        return b

    read(outer.expand(x=[1, 2]))

with DAG("group_upstream"):
    before = values.override(task_id="before")("b")
    bad = act.override(task_id="bad")("fail")
    gone = act.override(task_id="gone")("skip")

    @task_group
    def each(x):
        wrap(x) >> Nop(task_id="nop")
        wrap.override(task_id="uses_before")(before)
        Nop(task_id="free", trigger_rule="all_done")

    before >> each.override(group_id="good").expand(x=[1, 2])
    bad >> each.override(group_id="below_bad").expand(x=[1, 2])
    gone >> each.override(group_id="below_gone").expand(x=[1, 2])
    bad >> each.override(group_id="xcom_below_bad").expand(x=values([1, 2]))
    gone >> each.override(group_id="xcom_below_gone").expand(x=values([1, 2]))

with DAG("group_after_group"):
    one = chain_of_three().override(group_id="one").expand(x=["a", "skip", "c"])
    two = chain_of_three().override(group_id="two").expand(x=one)
    three = chain_of_three().override(group_id="three").expand(x=["x", "y"])
    one >> three
    read(two)

with DAG("group_context"):

    @task_group
    def each(x):
        @task
        def told(x, ti=None):
            return [x, ti.map_index]

        @task
        def pulls(ti=None):
            found = {
                "plain": ti.xcom_pull(task_ids="each.told"),
                "own": ti.xcom_pull(task_ids="each.told", map_indexes=ti.map_index),
                "first": ti.xcom_pull(task_ids="each.told", map_indexes=0),
            }
            return {k: list(v) if v is not None else None for k, v in found.items()}

        @task
        def templated(text):
            return text

        told(x) >> pulls() >> templated("{{ ti.map_index }} {{ ti.xcom_pull('each.told', map_indexes=ti.map_index) }}")

    each.expand(x=["p", "q"])

with DAG("group_args_templated"):

    @task_group
    def each(text, number):
        from airflow.providers.standard.operators.bash import BashOperator

        BashOperator(task_id="bash", bash_command="echo $T", env={"T": text})
        BashOperator(task_id="inline", bash_command=text)
        wrap.override(task_id="wrapped")(number)

    each.partial(number=5).expand(text=["echo {{ ds }}", "echo 2"])

with DAG("group_retry_inside"):

    @task_group
    def each(x):
        @task(retries=1, retry_delay=0)
        def flaky(x, ti=None):
            if ti.try_number == 1 and ti.map_index == 1:
                raise ValueError("first time")
            return x

        return flaky(x)

    read(each.expand(x=[1, 2]))

with DAG("group_reduce_inside"):
    # A task in the group that reads another mapped task outside gets all of it.
    many = wrap.expand(x=[1, 2, 3])

    @task_group
    def each(x, all_of_it):
        @task
        def count(x, given):
            return [x, len(given)]

        return count(x, all_of_it)

    read(each.partial(all_of_it=many).expand(x=["a", "b"]))

with DAG("group_teardown_inside"):

    @task_group
    def each(x):
        setup = Nop(task_id="make").as_setup()
        teardown = Nop(task_id="drop").as_teardown(setups=setup)
        with teardown:
            setup >> act(x)

    each.expand(x=["a", "fail", "skip"]) >> Nop(task_id="end")
