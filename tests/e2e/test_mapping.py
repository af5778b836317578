"""Do mapped tasks and groups run through a real scheduler and real task processes?"""

from __future__ import annotations

from tests.e2e.stack import Stack
from tradewind.metadata import runs, xcoms
from tradewind.xcom import decode

DAG = """
from airflow.sdk import DAG, setup, task, task_group, teardown

with DAG("maps", schedule=None) as dag:
    @task
    def source():
        return list(range(6))

    @task(map_index_template="number {{ x }}", retries=1, retry_delay=0)
    def double(x, ti=None):
        if x == 3 and ti.try_number == 1:
            raise ValueError("once")
        return None if x == 4 else 2 * x

    @task
    def total(values):
        return [len(values), sum(values)]

    doubled = double.expand(x=source())
    total(doubled)

    @setup
    def make(x):
        return f"made {x}"

    @task
    def work(x):
        if x == 10:
            raise ValueError("no tens")
        return x

    @teardown
    def drop(made, x):
        return [made, x]

    @task_group
    def each(x):
        made = make(x)
        with made >> drop(made, x):
            return work(x)

    @task(trigger_rule="all_done")
    def collect(values):
        return list(values)

    collect(each.expand(x=doubled.map(lambda v: v + 6)))
"""


def test_a_run_of_mapped_tasks_and_groups(stack: Stack) -> None:
    stack.write_dag("maps.py", DAG)
    stack.start()
    stack.wait_dag("maps")
    run = stack.trigger("maps")
    stack.wait_over(run)

    with stack.db.read() as tx:
        instances = {(one.task_id, one.map_index): one for one in runs.list_task_instances(tx, run)}
        left = {
            task: [decode(x.value or "") for x in xcoms.find_xcoms(tx, "maps", "run1", [task], "return_value")]
            for task in ("total", "each.work", "each.drop", "collect")
        }
    assert {one.state.value for (task, _), one in instances.items() if task == "double"} == {"success"}
    assert instances["double", 3].try_number == 2
    assert left["total"] == [[5, 22]]
    # 0 2 4 6 10 doubled, with 6 more each: the third is 10, and only its index fails.
    assert [instances["each.work", i].state.value for i in range(5)] == [
        "success", "success", "failed", "success", "success"
    ]  # fmt: skip
    assert left["each.work"] == [6, 8, 12, 16]
    assert left["each.drop"] == [[f"made {x}", x] for x in (6, 8, 10, 12, 16)]
    assert left["collect"] == [[6, 8, 12, 16]]
    stack.assert_sound()
