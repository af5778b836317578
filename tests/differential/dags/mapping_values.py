# mypy: ignore-errors
"""Mapping over literals, XComs, products, zips, maps and concatenations; what each index and each reader gets."""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


@task
def values(given):
    return given


@task
def show(a=None, b=None, c=None):
    return [str(value) for value in (a, b, c)]


@task
def twice(x):
    return x * 2


@task
def seen(given):
    """What a reader of all indexes gets, as plain data."""
    return list(given)


with DAG("map_literals"):
    seen(twice.expand(x=[1, 2, 3]))
    seen.override(task_id="products")(show.expand(a=[1, 2], b=["x", "y"]))
    show.override(task_id="three").expand(a=[1, 2], b=["x"], c=[0, 5])
    show.override(task_id="of_dict").expand(a={"k": 1, "l": [2]})
    show.override(task_id="partly").partial(b="fixed", c=[1]).expand(a=["{{ ds }}", None, ""])
    show.override(task_id="nested").expand(a=[[1, 2], {"k": "v"}, [], {}])
    twice.override(task_id="one").expand(x=[5])
    seen.override(task_id="of_one")(twice.override(task_id="single").expand(x=[7]))

with DAG("map_xcoms"):
    twice.expand(x=values([1, 2]))
    show.override(task_id="of_dict").expand(a=values({"b": 1, "a": 2}))
    show.override(task_id="of_tuple").expand(a=values.override(task_id="tuples")((3, 4)))
    show.override(task_id="both").expand(a=values([1, 2]), b=values({"k": "v"}))
    show.override(task_id="mixed").expand(a=values([1]), b=[8, 9])
    show.override(task_id="of_nested").expand(a=values([[1], {"x": 1}, None]))

for name, given in {
    "none": None,
    "text": "abc",
    "number": 5,
    "flag": True,
    "empty": [],
    "empty_dict": {},
    "long": list(range(1025)),
    "set": {3},
    "float": 1.5,
}.items():
    with DAG(f"map_over_{name}"):
        made = values.override(task_id="source")(given) if name != "set" else values.override(task_id="source")([])
        if name == "set":

            @task
            def source():
                return {3}

            made = source()
        show.expand(a=made) >> Nop(task_id="after", trigger_rule="all_done")
        Nop(task_id="direct") << made

with DAG("map_longest"):

    @task
    def longest():
        return list(range(1024))

    Nop.partial(task_id="each").expand(x=longest()) >> Nop(task_id="after")

with DAG("map_zero"):
    empty = values([])
    some = values.override(task_id="some")([1, 2])
    show.override(task_id="product").expand(a=empty, b=some)
    first = twice.override(task_id="first").expand(x=empty)
    second = twice.override(task_id="second").expand(x=first)
    seen(first)
    seen.override(task_id="whatever", trigger_rule="all_done")(first)
    show.override(task_id="literally").expand(a=[])
    show.override(task_id="literal_product").expand(a=[], b=[1, 2])
    Nop(task_id="none_failed", trigger_rule="none_failed") << second

with DAG("map_zip"):
    a, b = values([1, 2, 3]), values.override(task_id="b")(["x", "y"])
    seen(a.zip(b))
    show.override(task_id="shortest").expand(a=a.zip(b))
    show.override(task_id="filled").expand(a=a.zip(b, fillvalue="none"))
    show.override(task_id="filled_none").expand(a=a.zip(b, fillvalue=None))
    show.override(task_id="three").expand(a=a.zip(b, a))
    show.override(task_id="over_mapped").expand(a=twice.expand(x=a).zip(b))
    show.override(task_id="with_empty").expand(a=a.zip(values.override(task_id="empty")([])))
    show.override(task_id="of_dicts").expand(a=values.override(task_id="d")({"k": 1, "l": 2}).zip(b))

with DAG("map_concat"):
    a, b = values([1, 2]), values.override(task_id="b")(["x"])
    seen(a.concat(b))
    show.expand(a=a.concat(b))
    show.override(task_id="three").expand(a=a.concat(b, a))
    show.override(task_id="with_empty").expand(a=a.concat(values.override(task_id="empty")([])))
    show.override(task_id="over_mapped").expand(a=twice.expand(x=a).concat(b))
    show.override(task_id="of_dicts").expand(a=values.override(task_id="d")({"k": 1}).concat(b))

with DAG("map_functions"):

    def name_it(value):
        return f"<{value}>"

    def only_even(value):
        if value % 2:
            raise AirflowSkipException("odd")
        return value

    def broken(value):
        if value == 2:
            raise ValueError("as asked")
        return value

    a = values([1, 2, 3, 4])
    show.override(task_id="named").expand(a=a.map(name_it))
    seen(a.map(name_it))
    show.override(task_id="even").expand(a=a.map(only_even))
    seen.override(task_id="even_read")(a.map(only_even))
    show.override(task_id="chained").expand(a=a.map(only_even).map(name_it))
    show.override(task_id="some_broken", max_active_tis_per_dagrun=1).expand(a=a.map(broken))
    show.override(task_id="over_mapped").expand(a=twice.expand(x=a).map(name_it))
    show.override(task_id="zipped").expand(a=a.map(name_it).zip(a))
    show.override(task_id="of_zip").expand(a=a.zip(a).map(name_it))
    show.override(task_id="of_dict").expand(a=values.override(task_id="d")({"k": 1}).map(name_it))
    show.override(task_id="to_none").expand(a=a.map(lambda value: None))
    show.override(task_id="concatenated").expand(a=a.map(name_it).concat(a))

with DAG("map_kwargs"):
    show.override(task_id="literal").expand_kwargs([{"a": 1, "b": 2}, {"a": 3}])
    show.override(task_id="with_partial").partial(c="c").expand_kwargs([{"a": 1}, {"b": "{{ ds }}"}])
    made = values([{"a": 1}, {"a": 2, "b": 3}])
    show.override(task_id="from_xcom").expand_kwargs(made)
    show.override(task_id="mapped").expand_kwargs(values.override(task_id="n")([1, 2]).map(lambda n: {"a": n}))
    show.override(task_id="clash").partial(a=0).expand_kwargs(made)
    show.override(task_id="not_dicts").expand_kwargs(values.override(task_id="m")([1, {"a": 1}]))
    show.override(task_id="not_text").expand_kwargs(values.override(task_id="t")(["a"]))
    show.override(task_id="nothing").expand_kwargs(values.override(task_id="e")([]))
    show.override(task_id="of_none").expand_kwargs(values.override(task_id="nn")([None]))
    show.override(task_id="with_args").expand_kwargs([{"a": made}, {"a": "x"}])
    BashOperator.partial(task_id="bash").expand_kwargs(
        [
            {"bash_command": "echo $A {{ ds }}", "env": {"A": "1"}},
            {"bash_command": "exit 99"},
            {"bash_command": "exit 1"},
        ]
    )
    PythonOperator.partial(task_id="python", python_callable=lambda x: str(x)).expand_kwargs(
        [{"op_args": [1]}, {"op_args": [[2]]}]
    )

with DAG("map_operators"):
    BashOperator.partial(task_id="commands").expand(bash_command=["echo {{ ti.map_index }}", "echo $X"])
    BashOperator.partial(task_id="envs", bash_command="echo $X$Y").expand(env=[{"X": "1"}, {"Y": "{{ ds }}"}, {}])
    commands = values(["echo a", "echo {{ ds }}"])
    BashOperator.partial(task_id="from_xcom").expand(bash_command=commands)
    PythonOperator.partial(task_id="args", python_callable=lambda x, y: max(x, y)).expand(op_args=[[1, 5], [2, 3]])
    PythonOperator.partial(
        task_id="kwargs", python_callable=lambda **given: sorted((k, v) for k, v in given.items() if k in "ab")
    ).expand(op_kwargs=[{"a": 1}, {"b": "{{ ds }}"}])
    PythonOperator.partial(task_id="args_xcom", python_callable=lambda x: str(x)).expand(
        op_args=values.override(task_id="lists")([["p"], ["q"]])
    )
    PythonOperator.partial(task_id="product", python_callable=lambda *a, **k: [list(a), sorted(k)]).expand(
        op_args=[[1], [2]], op_kwargs=[{"k": 1}]
    )
    out = BashOperator.partial(task_id="outputs").expand(bash_command=["echo 1", "echo 2"]).output
    seen(out)
    show.expand(a=out)

with DAG("map_retries"):

    @task(retries=1, retry_delay=0)
    def second_time(x, ti=None):
        if x == 2 and ti.try_number == 1:
            raise ValueError("first time")
        return [x, ti.try_number]

    seen(second_time.expand(x=[1, 2, 3]))

with DAG("map_context"):

    @task
    def context(x, ti=None, task=None, **rest):
        return {
            "index": ti.map_index,
            "task": ti.task_id,
            "count": getattr(rest.get("task_instance"), "map_index", None),
            "expanded": rest.get("expanded_ti_count"),
        }

    @task
    def current(x):
        from airflow.sdk import get_current_context

        found = get_current_context()
        return [found["ti"].map_index, found.get("expanded_ti_count"), found["task_instance_key_str"]]

    context.expand(x=[10, 20])
    current.expand(x=values([1, 2]))
    current.override(task_id="plain")(1)
