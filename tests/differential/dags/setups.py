# mypy: ignore-errors
"""Setup and teardown: every form, and what becomes of the work and of the run when one of them fails or is skipped."""

from itertools import product

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, chain, setup, task, teardown
from airflow.sdk.exceptions import AirflowSkipException


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


@task
def act(word):
    if word == "f":
        raise ValueError("as asked")
    if word == "k":
        raise AirflowSkipException("as asked")
    return word


def one(task_id, word, **fields):
    """A task that succeeds costs nothing; others run."""
    return Nop(task_id=task_id, **fields) if word == "s" else act.override(task_id=task_id, **fields)(word).operator


# One setup, one work, one teardown, each ending in each way; with and without the flag.
for made, done, dropped in product("sfk", "sfk", "sf"):
    for flag in (False, True):
        with DAG(f"scope_{made}{done}{dropped}{'_flag' if flag else ''}"):
            s = one("make", made).as_setup()
            t = one("drop", dropped).as_teardown(setups=s, on_failure_fail_dagrun=flag)
            s >> one("work", done) >> t

for made, done in product("sfk", "sfk"):
    with DAG(f"scope_with_{made}{done}"):
        s = one("make", made)
        with one("drop", "s").as_teardown(setups=s):
            one("work", done) >> Nop(task_id="more")
            Nop(task_id="always", trigger_rule="all_done") << one("aside", "s")
        Nop(task_id="outside")

# Two setups with one teardown.
for a, b in ("ss", "sf", "sk", "fs", "ff", "ks", "kk"):  # of a failed and a skipped one, the first to end counts
    with DAG(f"two_setups_{a}{b}"):
        first, second = one("first", a).as_setup(), one("second", b).as_setup()
        t = Nop(task_id="drop").as_teardown(setups=[first, second])
        first >> Nop(task_id="work1") >> t
        second >> Nop(task_id="work2") >> t
        [first, second] >> Nop(task_id="work12") >> t

# Two teardowns of one setup, one of which fails, with work below both.
for a, b in ("ss", "sf", "ff"):
    with DAG(f"two_teardowns_{a}{b}"):
        s = Nop(task_id="make").as_setup()
        w = Nop(task_id="work")
        ts = [one(f"drop{n}", word).as_teardown(setups=s) for n, word in enumerate((a, b))]
        s >> w >> ts
        ts >> Nop(task_id="below")
        ts[0] >> Nop(task_id="below_done", trigger_rule="all_done")

with DAG("taskflow_forms"):

    @setup
    def make():
        return "made"

    @teardown
    def drop(given):
        return f"dropped {given}"

    @task
    def work(given):
        raise ValueError("as asked")

    made = make()
    made >> work(made) >> drop(made)

with DAG("taskflow_with"):

    @setup
    def make():
        return "made"

    @teardown(on_failure_fail_dagrun=True)
    def drop():
        raise ValueError("as asked")

    with make() >> drop():
        act.override(task_id="work")("x")

with DAG("taskflow_task_setup"):

    @task
    def make():
        return "made"

    @task
    def drop(given):
        return given

    made = make().as_setup()
    dropped = drop(made).as_teardown(setups=made)
    with dropped:
        act.override(task_id="work")("f")

with DAG("in_group"):
    with TaskGroup("g") as g:
        s = Nop(task_id="make").as_setup()
        t = act.override(task_id="drop")("f").as_teardown(setups=s)
        s >> Nop(task_id="work") >> t
    g >> Nop(task_id="after")
    Nop(task_id="before") >> g

with DAG("in_group_work_fails"):
    with TaskGroup("g") as g:
        s = Nop(task_id="make").as_setup()
        t = Nop(task_id="drop").as_teardown(setups=s)
        s >> act.override(task_id="work")("f") >> t
    g >> Nop(task_id="after")

with DAG("group_of_teardowns_only"):
    s = Nop(task_id="make").as_setup()
    with TaskGroup("drops") as drops:
        Nop(task_id="one").as_teardown(setups=s)
        act.override(task_id="two")("f").as_teardown(setups=s)
    w = Nop(task_id="work")
    s >> w >> drops
    drops >> Nop(task_id="after")

with DAG("nested_scopes"):
    outer, inner = Nop(task_id="outer").as_setup(), Nop(task_id="inner").as_setup()
    drop_inner = Nop(task_id="drop_inner").as_teardown(setups=inner)
    drop_outer = Nop(task_id="drop_outer").as_teardown(setups=outer)
    w = act.override(task_id="work")("f")
    outer >> inner >> w >> drop_inner >> drop_outer
    outer >> Nop(task_id="other") >> drop_outer

with DAG("nested_with"):
    with Nop(task_id="drop_outer").as_teardown(setups=Nop(task_id="outer")):
        Nop(task_id="first")
        with act.override(task_id="drop_inner")("f").as_teardown(setups=Nop(task_id="inner")):
            act.override(task_id="work")("s")

with DAG("chained"):
    s1, s2 = Nop(task_id="s1").as_setup(), act.override(task_id="s2")("f").operator.as_setup()
    t1, t2 = Nop(task_id="t1").as_teardown(setups=s1), Nop(task_id="t2").as_teardown(setups=s2)
    chain(s1, s2, Nop(task_id="work"), t2, t1)

with DAG("only_teardown"):
    act.override(task_id="drop")("f").as_teardown()

with DAG("only_teardown_good"):
    Nop(task_id="drop").as_teardown()

with DAG("teardown_without_setup"):
    act.override(task_id="work")("f") >> Nop(task_id="drop").as_teardown()

with DAG("teardown_without_setup_skipped"):
    act.override(task_id="work")("k") >> Nop(task_id="drop").as_teardown()

with DAG("setup_without_teardown"):
    act.override(task_id="make")("f").as_setup() >> Nop(task_id="work") >> Nop(task_id="done", trigger_rule="all_done")

with DAG("teardown_above_work"):
    s = Nop(task_id="make").as_setup()
    t = act.override(task_id="drop")("f").as_teardown(setups=s)
    s >> Nop(task_id="work") >> t
    t >> Nop(task_id="after")
    t >> Nop(task_id="after_done", trigger_rule="all_done")

with DAG("skip_reaches_scope"):
    # A skip from outside reaches setup and work; the teardown goes by its setup.
    cut = task.short_circuit(task_id="cut")(lambda: False)()
    s = Nop(task_id="make").as_setup()
    t = Nop(task_id="drop").as_teardown(setups=s)
    cut >> s >> Nop(task_id="work") >> t

with DAG("skip_inside_scope"):
    s = Nop(task_id="make").as_setup()
    t = Nop(task_id="drop").as_teardown(setups=s)
    cut = task.short_circuit(task_id="cut")(lambda: False)()
    s >> cut >> Nop(task_id="work") >> t

with DAG("skip_inside_scope_direct"):
    s = Nop(task_id="make").as_setup()
    t = Nop(task_id="drop").as_teardown(setups=s)
    cut = task.short_circuit(task_id="cut", ignore_downstream_trigger_rules=False)(lambda: False)()
    s >> cut >> Nop(task_id="work") >> t
    cut >> t

with DAG("mapped_work"):
    s = Nop(task_id="make").as_setup()
    t = Nop(task_id="drop").as_teardown(setups=s)
    with t:
        act.override(task_id="work", max_active_tis_per_dagrun=1).expand(word=["s", "f", "k"])

with DAG("mapped_setup"):
    s = act.override(task_id="make", max_active_tis_per_dagrun=1).expand(word=["s", "k"])
    t = Nop(task_id="drop")
    s.operator.as_setup() >> Nop(task_id="work") >> t.as_teardown(setups=s.operator)

with DAG("retried_setup"):

    @setup
    @task(retries=1, retry_delay=0)
    def make(ti=None):
        if ti.try_number == 1:
            raise ValueError("first time")

    @teardown
    @task(retries=1, retry_delay=0)
    def drop(ti=None):
        if ti.try_number == 1:
            raise ValueError("first time")

    s = make()
    s >> act.override(task_id="work")("f") >> drop()

with DAG("scope_trigger_rules"):
    s = Nop(task_id="make").as_setup()
    bad = act.override(task_id="bad")("f")
    t = Nop(task_id="drop").as_teardown(setups=s)
    s >> bad >> t
    for rule in ("all_done", "one_failed", "all_failed", "none_skipped"):
        bad >> Nop(task_id=f"in.{rule}", trigger_rule=rule) >> t
