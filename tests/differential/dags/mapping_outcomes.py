# mypy: ignore-errors
"""Mapping when indexes fail, skip or give nothing: renumbering, reading, and what the tasks below make of it."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
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
    """Do what the word says."""
    if x == "fail":
        raise ValueError("as asked")
    if x == "skip":
        raise AirflowSkipException("as asked")
    return None if x == "none" else x


@task(trigger_rule="all_done")
def read(given):
    return [given is None, list(given) if given is not None else None]


@task(trigger_rule="all_done")
def again(x):
    return [x]


for name, words in {
    "all_good": ["a", "b"],
    "one_none": ["a", "none", "c"],
    "one_skipped": ["a", "skip", "c"],
    "one_failed": ["a", "fail", "c"],
    "first_failed": ["fail", "b"],
    "skip_and_fail": ["skip", "b", "fail", "d"],
    "fail_and_skip": ["fail", "b", "skip", "d"],
    "only_one_left": ["skip", "b"],
    "all_none": ["none", "none"],
    "all_skipped": ["skip", "skip"],
    "all_failed": ["fail", "fail"],
}.items():
    with DAG(f"outcomes_{name}"):
        first = act.expand(x=words)
        read(first)
        again.expand(x=first)
        Nop.partial(task_id="strict").expand(x=first)
        Nop(task_id="plain") << first
        Nop(task_id="none_failed", trigger_rule="none_failed") << first
        Nop.partial(task_id="unrelated", trigger_rule="all_done").expand(x=[1, 2]) << first

with DAG("source_fails"):
    source = act("fail")
    mapped = act.override(task_id="mapped").expand(x=source)
    Nop.partial(task_id="done", trigger_rule="all_done").expand(x=source)
    act.override(task_id="below").expand(x=mapped)
    read(mapped)
    Nop(task_id="one_failed", trigger_rule="one_failed") << mapped

with DAG("source_skips"):
    source = act("skip")
    mapped = act.override(task_id="mapped").expand(x=source)
    Nop.partial(task_id="done", trigger_rule="all_done").expand(x=source)
    Nop.partial(task_id="none_failed", trigger_rule="none_failed").expand(x=source)
    act.override(task_id="below").expand(x=mapped)
    read(mapped)

with DAG("one_source_of_two_fails"):
    good = values(["a", "b"])
    bad = act("fail") << good
    gone = act.override(task_id="gone")("skip") << good

    @task
    def two(a, b):
        return [a, b]

    two.expand(a=good, b=bad)
    two.override(task_id="with_gone").expand(a=good, b=gone)
    two.override(task_id="done", trigger_rule="all_done").expand(a=good, b=gone)

with DAG("extra_upstream"):
    source = values(["a", "b"])
    late = {word: act.override(task_id=word)(word) for word in ("good", "fail", "skip")}
    for extra in late.values():
        extra << source
    for rule in ("all_success", "all_done", "none_failed", "one_success", "one_failed", "none_failed_min_one_success"):
        for word, extra in late.items():
            extra >> act.override(task_id=f"literal.{rule}.{word}", trigger_rule=rule).expand(x=["p", "q"])
            extra >> act.override(task_id=f"xcom.{rule}.{word}", trigger_rule=rule).expand(x=source)

with DAG("mapped_of_mapped"):
    one = again.override(task_id="one").expand(x=[1, 2])
    two = again.override(task_id="two").expand(x=one)
    three = again.override(task_id="three").expand(x=two)
    read(three)
    sums = act.override(task_id="texts").expand(x=["skip", "b", "none", "d", "fail", "f"])
    follow = again.override(task_id="follow").expand(x=sums)
    last = again.override(task_id="last").expand(x=follow)
    read.override(task_id="read_last")(last)

with DAG("reduce_one_of_many"):
    # A pull of a mapped task is bare when exactly one index pushed; the lazy sequence is not.
    pushed = act.expand(x=["skip", "b"])

    @task(trigger_rule="all_done")
    def pulls(ti=None):
        found = {
            "plain": ti.xcom_pull(task_ids="act"),
            "first": ti.xcom_pull(task_ids="act", map_indexes=0),
            "second": ti.xcom_pull(task_ids="act", map_indexes=1),
            "both": ti.xcom_pull(task_ids="act", map_indexes=[0, 1]),
            "listed": ti.xcom_pull(task_ids=["act"]),
            "beyond": ti.xcom_pull(task_ids="act", map_indexes=7, default="none"),
        }
        return {key: list(value) if isinstance(value, (list, tuple)) else value for key, value in found.items()}

    pushed >> pulls()

with DAG("lazy_sequence"):
    many = again.expand(x=[1, 2, 3, 4])

    @task
    def sequence(given):
        found = {
            "len": len(given),
            "first": given[0],
            "last": given[-1],
            "slice": list(given[1:3]),
            "step": list(given[::2]),
            "backwards": list(given[::-1]),
            "tail": list(given[-2:]),
            "contains": [2] in given,
            "iterated": sorted(x for x in given),
            "twice": [list(given) == list(given)],
            "truth": bool(given),
            "zipped": [list(pair) for pair in zip(given, "abcd", strict=True)],
            "reversed": list(reversed(given)),
        }
        try:
            given[9]
        except IndexError:
            found["beyond"] = "IndexError"
        return found

    sequence(many)

    @task
    def keeps(given):
        return given

    keeps(many)

with DAG("fail_in_product"):

    @task(max_active_tis_per_dagrun=1)
    def divide(a, b):
        return a // b

    read(divide.expand(a=[10, 20], b=[0, 5]))
