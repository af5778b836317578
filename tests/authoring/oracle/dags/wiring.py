# mypy: ignore-errors
from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    DAG,
    Label,
    TaskGroup,
    chain,
    chain_linear,
    cross_downstream,
    dag,
    setup,
    task,
    task_group,
    teardown,
)


def empties(*names):
    return [EmptyOperator(task_id=name) for name in names]


with DAG("arrows", schedule=None, start_date=datetime(2024, 1, 1)):
    a, b, c, d, e, f = empties(*"abcdef")
    a >> [b, c] >> d
    d << e
    [e, a] << f

with DAG("chains", schedule=None, start_date=datetime(2024, 1, 1)):
    a, b, c, d, e, f, g = empties(*"abcdefg")
    chain(a, [b, c], [d, e], f)
    chain(f, Label("to g"), g)

with DAG("linear", schedule=None, start_date=datetime(2024, 1, 1)):
    a, b, c, d, e, f, g = empties(*"abcdefg")
    chain_linear(a, [b, c], [d, e, f], g)

with DAG("crossed", schedule=None, start_date=datetime(2024, 1, 1)):
    a, b, c, d = empties(*"abcd")
    cross_downstream([a, b], [c, d])

with DAG("labelled", schedule=None, start_date=datetime(2024, 1, 1)):
    a, b, c, d = empties(*"abcd")
    a >> Label("left") >> b
    d << Label("right") << c
    [a, b] >> Label("both") >> d

with DAG("groups", schedule=None, start_date=datetime(2024, 1, 1), default_args={"retries": 1, "owner": "dag"}):
    start, end = empties("start", "end")
    with TaskGroup("outer", default_args={"retries": 2, "queue": "outer"}) as outer:
        x, y = empties("x", "y")
        x >> y
        with TaskGroup("inner", default_args={"retries": 3}) as inner:
            z = EmptyOperator(task_id="z")
            w = EmptyOperator(task_id="w", retries=9)
        with TaskGroup("bare", prefix_group_id=False) as bare:
            EmptyOperator(task_id="v")
        y >> inner
    start >> outer >> end
    with TaskGroup("again", add_suffix_on_collision=True):
        EmptyOperator(task_id="p")
    with TaskGroup("again", add_suffix_on_collision=True):
        EmptyOperator(task_id="p")

    @task_group
    def made(n):
        """Tip"""

        @task
        def work(n):
            return n

        work(n)
        return work.override(task_id="last")(work(n))

    made(1) >> EmptyOperator(task_id="after_made")
    made(2)

with DAG("names", schedule=None, start_date=datetime(2024, 1, 1)):

    @task
    def same(x=1):
        return x

    same()
    same()
    same(same())

    @task(task_id="chosen", retries=4)
    def other():
        """Its docs."""

    other.override(task_id="overridden", retries=5)()
    other()
    other()

with DAG("weights", schedule=None, start_date=datetime(2024, 1, 1)):
    tasks = [
        EmptyOperator(task_id=f"t{i}", priority_weight=i + 1, weight_rule=rule)
        for i, rule in enumerate(["downstream", "upstream", "absolute", "downstream", "upstream"])
    ]
    tasks[0] >> [tasks[1], tasks[2]] >> tasks[3] >> tasks[4]

with DAG("cleaning", schedule=None, start_date=datetime(2024, 1, 1)):
    make, work, more, clean = empties("make", "work", "more", "clean")
    make.as_setup() >> work >> more >> clean.as_teardown(setups=make)
    with TaskGroup("g") as g:
        s = EmptyOperator(task_id="s").as_setup()
        t = EmptyOperator(task_id="t").as_teardown(setups=s, on_failure_fail_dagrun=True)
        s >> EmptyOperator(task_id="u") >> t
    g >> EmptyOperator(task_id="beyond")

    @setup
    def prepare():
        return 1

    @teardown(on_failure_fail_dagrun=True)
    def tidy(x):
        pass

    tidy(prepare())

with DAG(
    "settings",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    end_date=datetime(2024, 6, 1),
    default_args={
        "owner": "ann",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
        "depends_on_past": True,
        "execution_timeout": timedelta(minutes=3),
        "pool": "db",
        "trigger_rule": "all_done",
        "start_date": datetime(2023, 1, 1),
        "unknown_key": 1,
    },
    max_active_runs=3,
    max_active_tasks=4,
    dagrun_timeout=timedelta(hours=2),
    description="text",
    tags=["x", "a"],
    is_paused_upon_creation=False,
):
    EmptyOperator(task_id="inherits")
    EmptyOperator(
        task_id="says",
        owner="bob",
        retries=0,
        pool="default_pool",
        depends_on_past=False,
        trigger_rule="one_failed",
        retry_delay=5,
        pool_slots=2,
        wait_for_downstream=True,
        max_active_tis_per_dag=2,
        max_active_tis_per_dagrun=1,
        queue="q",
        do_xcom_push=False,
        execution_timeout=None,
        start_date=datetime(2024, 2, 1),
        task_display_name="Says",
    )


@dag(schedule="@hourly", start_date=datetime(2024, 1, 1), catchup=True, default_args={"params": {"fromargs": 1}})
def decorated(x: int = 5, y="text"):
    """Docs of the DAG."""

    @task
    def use(v):
        return v

    use(x)


decorated()
decorated_again = dag("renamed", schedule=None)(lambda: EmptyOperator(task_id="only"))()
