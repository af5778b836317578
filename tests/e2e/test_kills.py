"""Does anything get lost, or done twice, when processes are killed? ``kill -9`` at named points, and at random."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path

import psutil
import pytest

from tests.e2e.stack import EFFECTS, Stack
from tests.support.waiting import wait_until
from tradewind.faults import KILL_AT, KILL_ONCE

DAG = f"""
from datetime import timedelta
from airflow import DAG
from airflow.operators.python import PythonOperator
{EFFECTS}
with DAG("work", schedule=None, default_args={{"retries": 3, "retry_delay": timedelta(0)}}) as dag:
    first = PythonOperator(task_id="first", python_callable=effect)
    last = PythonOperator(task_id="last", python_callable=effect)
    for n in range(4):
        first >> PythonOperator(task_id=f"middle{{n}}", python_callable=effect) >> last
"""

SEEDS = int(os.environ.get("CHAOS_SEEDS", "2"))
"""How many random histories; `make chaos` asks for many more."""

SCHEDULER_POINTS = [
    "scheduler-before-commit:3",
    "scheduler-after-commit:3",
    "scheduler-after-commit:5",
    "supervisor-after-run:1",
    "supervisor-after-run:3",
    "supervisor-after-result:1",
    "supervisor-after-result:4",
]
TASK_POINTS = ["task-before-run", "task-before-result", "task-after-result", "keeper-after-fork"]


@pytest.mark.parametrize("point", SCHEDULER_POINTS)
def test_a_scheduler_killed_at_a_bad_moment_loses_nothing(stack: Stack, point: str) -> None:
    stack.write_dag("work.py", DAG)
    stack.start()
    stack.wait_dag("work")
    stack.kill()
    run = stack.trigger("work")

    stack.start(**{KILL_AT: point})
    wait_until(stack.is_dead, timeout=40, what=f"the kill at {point}")
    stack.start()
    stack.wait_over(run)

    assert stack.run_state(run) == "success"
    stack.assert_sound()


@pytest.mark.parametrize("point", TASK_POINTS)
def test_a_task_side_process_killed_at_a_bad_moment_loses_nothing(stack: Stack, point: str, tmp_path: Path) -> None:
    stack.write_dag("work.py", DAG)
    stack.start(**{KILL_AT: point, KILL_ONCE: str(tmp_path / "killed")})
    stack.wait_dag("work")
    run = stack.trigger("work")
    stack.wait_over(run)

    assert (tmp_path / "killed").exists(), "nothing was killed"
    assert stack.run_state(run) == "success"
    stack.assert_sound()


@pytest.mark.parametrize("title", ["tradewind-base", "tradewind-warm"])
def test_a_killed_base_or_warm_process_is_replaced(stack: Stack, title: str) -> None:
    slow = DAG.replace("def effect(**context):", "import time\ndef effect(**context):\n    time.sleep(0.3)")
    stack.write_dag("work.py", slow)
    stack.start()
    stack.wait_dag("work")
    run = stack.trigger("work")
    wait_until(lambda: stack.effects.exists(), timeout=30)  # the first task has run, the others are on their way

    stack.below(title)[0].kill()
    stack.wait_over(run)

    assert stack.run_state(run) == "success"
    stack.assert_sound()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_kills_lose_nothing(stack: Stack, seed: int) -> None:
    chance = random.Random(seed)
    slow = DAG.replace("def effect(**context):", "import time\ndef effect(**context):\n    time.sleep(0.05)")
    stack.write_dag("work.py", slow.replace('"retries": 3', '"retries": 50'))
    # A kill is a loss of the infrastructure for whatever was running; many in a row are what this test is about.
    stack.environ["TRADEWIND__SCHEDULER__MAX_INFRASTRUCTURE_LOSSES"] = "50"
    stack.start()
    stack.wait_dag("work")
    pks = [stack.trigger("work", number) for number in range(8)]

    for _ in range(8):
        assert stack.process is not None
        victim = chance.choice([stack.process.pid, *[process.pid for process in stack.below("tradewind")]])
        # Let it come back to work before the next blow, and strike at an instant that differs each time.
        if victim == stack.process.pid:
            stack.kill()
            stack.start()
        else:
            with contextlib.suppress(psutil.NoSuchProcess):  # a task may end just now
                psutil.Process(victim).kill()
        started = len(stack.lines())
        wait_until(lambda started=started: len(stack.lines()) > started or stack.all_over(*pks), timeout=60)  # type: ignore[misc]
    stack.wait_over(*pks, timeout=100)

    assert {stack.run_state(pk) for pk in pks} == {"success"}
    stack.assert_sound()
