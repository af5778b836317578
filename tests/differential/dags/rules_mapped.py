# mypy: ignore-errors
"""Trigger rules where the upstream, or the task itself, is mapped. Indexes of one task run one after another."""

from itertools import combinations_with_replacement

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

RULES = (
    "all_success", "all_failed", "all_done", "all_done_min_one_success", "all_done_setup_success", "all_skipped",
    "none_failed", "none_failed_min_one_success", "none_skipped", "one_done", "one_failed", "one_success",
)  # fmt: skip


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


@task(max_active_tis_per_dagrun=1)
def end(letter):
    if letter == "f":
        raise ValueError("as asked")
    if letter == "k":
        raise AirflowSkipException("as asked")


@task
def fail():
    raise ValueError("as asked")


@task
def values(given):
    return given


# A mapped upstream, its indexes ending so in this order; by one index, two, three.
for size in (1, 2, 3):
    with DAG(f"rules_below_mapped_{size}"):
        for outcomes in {o for c in combinations_with_replacement("sfk", size) for o in (c, c[::-1])}:
            name = "".join(outcomes)
            mapped = end.override(task_id=name).expand(letter=list(outcomes))
            for rule in (*RULES, "always"):
                EmptyOperator(task_id=f"{name}.{rule}", trigger_rule=rule) << mapped

# A mapped upstream that was never expanded: its source failed, was skipped, or gave nothing.
with DAG("rules_below_unexpanded"):
    broken = fail()
    none = values.override(task_id="none_given")([])
    skipped = end.override(task_id="skipped_source")("k")
    for name, source in (("f", broken), ("zero", none), ("k", skipped)):
        mapped = Nop.partial(task_id=f"over_{name}").expand(x=source)
        for rule in (*RULES, "always"):
            EmptyOperator(task_id=f"over_{name}.{rule}", trigger_rule=rule) << mapped
            Nop.partial(task_id=f"over_{name}.{rule}.mapped", trigger_rule=rule).expand(x=[1, 2]) << mapped

# The task itself is mapped, over a literal and over an XCom, with one or two other upstreams of every kind.
for how in ("literal", "xcom"):
    with DAG(f"rules_mapped_{how}"):
        source = values.override(task_id="source")([1, 2]) if how == "xcom" else [1, 2]
        s = [EmptyOperator(task_id=f"s{n}") for n in (1, 2)]
        f = [fail.override(task_id=f"f{n}")() for n in (1, 2)]
        k = [end.override(task_id=f"k{n}", trigger_rule="all_done")("k") for n in (1, 2)]
        u = [EmptyOperator(task_id=f"u{n}") for n in (1, 2)]
        for n in (0, 1):
            f[n] << s
            k[n] << f
            u[n] << f[n]
        if how == "xcom":
            s[0] << source
            s[1] << source
        upstreams = {"s": s, "f": f, "k": k, "u": u}
        for size in (1, 2):
            for outcomes in combinations_with_replacement("sfku", size):
                ups = [upstreams[letter][outcomes[:n].count(letter)] for n, letter in enumerate(outcomes)]
                for rule in RULES:
                    name = f"{''.join(outcomes)}.{rule}"
                    Nop.partial(task_id=name, trigger_rule=rule).expand(x=source) << ups

# Inside a mapped group: each index goes by its own upstream; below it, and mapped below it, all of them count.
with DAG("rules_mapped_group"):

    @task_group
    def each(letter):
        ended = end(letter)
        for rule in RULES:
            EmptyOperator(task_id=rule, trigger_rule=rule) << ended

    for outcomes in ("s", "sf", "sk", "fk", "ff", "kk", "sfk"):
        group = each.override(group_id=outcomes).expand(letter=list(outcomes))
        for rule in (*RULES, "always"):
            EmptyOperator(task_id=f"below.{outcomes}.{rule}", trigger_rule=rule) << group
