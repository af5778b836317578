"""What runs on the cluster? Runs of several shapes, each of which can only end well when nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from tests.chaos.outside import SAY

POOL: Final = "narrow"
POOL_SLOTS: Final = 3
PARALLELISM: Final = 16
MAX_ACTIVE_RUNS: Final = {"chain": 10, "fan": 6, "flaky": 10, "waits": 8, "single": 2}
MAX_ACTIVE_TASKS: Final = {"fan": 3}
MAX_ACTIVE_TIS: Final = {("single", "alone"): 1}
"""How many instances of one task may be active over all runs."""

SECOND_QUEUE: Final = "worker-2"

DAGS: Final = f'''
import asyncio, random, time
from datetime import timedelta
from airflow.sdk import DAG, task
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent
{SAY}
# A killed task uses up a try; what kills them here is not their fault.
ARGS = {{"retries": 30, "retry_delay": timedelta(0)}}

def work(ti, seconds=0.0):
    say("start", ti)
    time.sleep(seconds)
    say("end", ti)

def of(ti):
    """The same for the same run, whoever asks."""
    return random.Random(ti.run_id)

def looked(ti):
    """How often this task has looked."""
    with psycopg.connect(os.environ["CHAOS_OUTSIDE"]) as connection:
        query = "SELECT count(DISTINCT attempt) FROM effect WHERE dag_id = %s AND run_id = %s AND task_id = %s"
        return connection.execute(query, (ti.dag_id, ti.run_id, ti.task_id)).fetchone()[0]

class Soon(BaseTrigger):
    """Fires after a second by no clock on a wall."""
    def serialize(self):
        return f"{{type(self).__module__}}.Soon", {{}}
    async def run(self):
        await asyncio.sleep(1)
        yield TriggerEvent("now")

with DAG("chain", default_args=ARGS, max_active_runs={MAX_ACTIVE_RUNS["chain"]}):
    @task
    def first(ti=None):
        work(ti)
        return [1, 2, 3]
    @task
    def second(values, ti=None):
        work(ti, of(ti).choice([0.0, 0.3, 1.5]))
        return sum(values)
    @task
    def third(total, ti=None):
        assert total == 6, f"the value of the task above has been lost: {{total}}"
        work(ti)
    third(second(first()))

FAN = {{"max_active_runs": {MAX_ACTIVE_RUNS["fan"]}, "max_active_tasks": {MAX_ACTIVE_TASKS["fan"]}}}
with DAG("fan", default_args=ARGS, **FAN):
    @task
    def numbers(ti=None):
        work(ti)
        return list(range(4))
    @task(pool="{POOL}")
    def one(number, ti=None):
        work(ti, 0.4)
        return number
    @task(queue="{SECOND_QUEUE}")
    def together(values, ti=None):
        assert sorted(values) == [0, 1, 2, 3], f"values of the tasks above have been lost: {{list(values)}}"
        work(ti)
    together(one.expand(number=numbers()))

with DAG("flaky", default_args=ARGS, max_active_runs={MAX_ACTIVE_RUNS["flaky"]}):
    @task
    def fails_at_first(ti=None):
        work(ti)
        if ti.try_number == 1:
            raise RuntimeError("the first try fails")
    @task
    def slow(ti=None):
        work(ti, of(ti).choice([0.3, 1.0, 4.0]))
    fails_at_first() >> slow()

with DAG("waits", default_args=ARGS, max_active_runs={MAX_ACTIVE_RUNS["waits"]}):
    class Waits(BaseOperator):
        def execute(self, context):
            work(context["ti"])
            self.defer(trigger=Soon(), method_name="go_on")
        def go_on(self, context, event=None):
            assert event == "now", f"what the trigger said has been lost: {{event}}"
            work(context["ti"])
    def looks(ti=None):
        work(ti)
        return looked(ti) > 1
    Waits(task_id="waits") >> PythonSensor(
        task_id="looks", python_callable=looks, mode="reschedule", poke_interval=1, timeout=600
    )

with DAG("single", default_args=ARGS, max_active_runs={MAX_ACTIVE_RUNS["single"]}):
    @task(max_active_tis_per_dag={MAX_ACTIVE_TIS["single", "alone"]})
    def alone(ti=None):
        work(ti, 0.1)
    alone()
'''

EXPECTED: Final = {
    "chain": {"first": 1, "second": 1, "third": 1},
    "fan": {"numbers": 1, "one": 4, "together": 1},
    "flaky": {"fails_at_first": 1, "slow": 1},
    "waits": {"waits": 1, "looks": 1},
    "single": {"alone": 1},
}
"""How many instances each task of a run has in the end."""

SHARES: Final = {"chain": 40, "fan": 20, "flaky": 18, "waits": 10, "single": 12}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that somebody asks for."""

    dag_id: str
    run_id: str


def write_dags(folder: Path) -> None:
    """Write the DAG file."""
    (folder / "workload.py").write_text(DAGS, encoding="utf-8")


def runs(seed: int) -> Iterator[Wanted]:
    """Give the runs of a story, without end."""
    chance = random.Random(seed)
    names, shares = list(SHARES), list(SHARES.values())
    for number in count(1):
        yield Wanted(chance.choices(names, shares)[0], f"run{number:05}")
