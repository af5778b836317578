# mypy: ignore-errors
"""Structure: groups and their prefixes, default arguments, edges of every kind, weights."""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Label, TaskGroup, chain, chain_linear, cross_downstream, dag, task, task_group


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


with DAG("prefixes"):
    with TaskGroup("a") as a:
        Nop(task_id="t")
        with TaskGroup("b") as b:
            Nop(task_id="t") >> Nop(task_id="u")
        with TaskGroup("c", prefix_group_id=False) as c:
            Nop(task_id="v")
            with TaskGroup("d") as d:
                Nop(task_id="w")
    with TaskGroup("e", prefix_group_id=False):
        Nop(task_id="x")
        with TaskGroup("f"):
            Nop(task_id="y")
    a >> Nop(task_id="after")
    Nop(task_id="before") >> b
    b >> c
    d >> Nop(task_id="after_d")

with DAG("suffixes"):
    for _ in range(3):
        with TaskGroup("g", add_suffix_on_collision=True):
            Nop(task_id="t")

    @task
    def again():
        return None

    for _ in range(3):
        again()

    @task_group
    def grouped():
        again()

    grouped() >> grouped()

with DAG("edges"):
    t = {n: Nop(task_id=n) for n in "abcdefghijklmnopqrstuvwxyz"}
    t["a"] >> t["b"] << t["c"]
    [t["a"], t["b"]] >> t["d"]
    t["d"] >> [t["e"], t["f"]] >> t["g"]
    chain(t["g"], [t["h"], t["i"]], [t["j"], t["k"]], t["l"])
    chain_linear(t["l"], [t["m"], t["n"]], [t["o"], t["p"]])
    cross_downstream([t["o"], t["p"]], [t["q"], t["r"]])
    chain(t["q"], Label("one"), [t["s"], t["t"]], [Label("two"), Label("three")], [t["u"], t["v"]])
    t["w"].set_upstream(t["v"])
    t["w"].set_downstream([t["x"], t["y"]])
    with TaskGroup("g1") as g1:
        Nop(task_id="one") >> Nop(task_id="two")
        Nop(task_id="alone")
    with TaskGroup("g2") as g2:
        Nop(task_id="one")
    g1 >> g2 >> t["z"]
    [t["y"], g1] >> Nop(task_id="both")
    chain(t["x"], g2)

with DAG("empty_group"):
    before, after = Nop(task_id="before"), Nop(task_id="after")
    with TaskGroup("nothing") as nothing:
        pass
    before >> nothing >> after

with DAG(
    "defaults",
    default_args={
        "owner": "dag",
        "retries": 1,
        "retry_delay": timedelta(0),
        "trigger_rule": "all_done",
        "priority_weight": 5,
    },
):
    Nop(task_id="of_dag")
    Nop(task_id="own", owner="own", retries=0)
    with TaskGroup("g", default_args={"owner": "group", "queue": "q"}):
        Nop(task_id="of_group")
        with TaskGroup("h", default_args={"owner": "inner"}):
            Nop(task_id="of_inner")
        Nop(task_id="own", owner="own")

    @task_group(default_args={"owner": "decorated"})
    def decorated():
        Nop(task_id="inside")

    decorated()


@dag(default_args={"owner": "d"}, tags=["t"])
def decorated_dag(number: int = 5):
    @task
    def show(x):
        return x

    show(number)


decorated_dag()

for rule in ("downstream", "upstream", "absolute"):
    with DAG(f"weights_{rule}"):
        a, b, c, d = (
            Nop(task_id=n, weight_rule=rule, priority_weight=w) for n, w in zip("abcd", (1, 2, 3, 4), strict=True)
        )
        a >> [b, c] >> d
        Nop.partial(task_id="mapped", weight_rule=rule, priority_weight=7).expand(x=[1]) << d

with DAG("overrides"):

    @task(retries=1, owner="first")
    def function(x=1):
        return x

    changed = function.override(task_id="changed", retries=3)
    changed(2)
    changed.override(task_id="twice", owner="second")(3)
    function()
    function(x=5)

with DAG("task_group_forms"):

    @task
    def add(x, y):
        return x + y

    @task_group(group_id="named", tooltip="tip")
    def group(x, y=2):
        """Docs of the group."""
        one = add(x, y)
        return add(one, one)

    result = group(1)
    other = group.override(group_id="other")(result, y=result)
    add.override(task_id="end")(result, other)

    @task_group
    def pairs():
        return {"a": add(1, 2), "b": add(3, 4)}

    both = pairs()
    add.override(task_id="of_dict")(both["a"], both["b"])

with DAG("bash_task"):

    @task.bash
    def command(x):
        return f"echo {x} {{{{ ds }}}}"

    @task.bash(env={"E": "{{ ds }}"}, append_env=True)
    def with_env():
        return "echo $E"

    @task.bash
    def fails():
        return "exit 3"

    @task.bash
    def skips():
        return "exit 99"

    @task.bash
    def not_text():
        return 5

    @task.bash
    def empty():
        return ""

    command(5), with_env(), fails(), skips(), not_text(), empty()
    command.expand(x=["a", "b"])

with DAG("async_task"):

    @task
    async def slowly(x):
        import asyncio

        await asyncio.sleep(0.01)
        return x

    @task
    async def fails():
        raise ValueError("as asked")

    slowly(5), fails()
    slowly.override(task_id="mapped").expand(x=[1, 2])
