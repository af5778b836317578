"""What becomes of work whose scheduler stands still, and of words that come after its lease is over?"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import EFFECTS, Stack
from tests.support.waiting import wait_until

DAG = f"""
import time
from airflow import DAG
from airflow.operators.python import PythonOperator
{EFFECTS}
def slow(**context):
    effect(**context)
    while os.path.exists(os.environ["EFFECTS_FILE"] + ".hold"):
        time.sleep(0.05)
with DAG("work", schedule=None) as dag:
    PythonOperator(task_id="a", python_callable=slow) >> PythonOperator(task_id="b", python_callable=effect)
"""


@pytest.fixture
def pair(postgres_url: str, home: Path) -> Iterator[tuple[Stack, Stack]]:
    """Two schedulers on one PostgreSQL database."""
    first, second = Stack(home, postgres_url), Stack(home, postgres_url)
    yield first, second
    if first.process is not None:
        first.process.send_signal(signal.SIGCONT)
    first.stop()
    second.stop()


@pytest.mark.timeout(120)
def test_a_scheduler_that_stood_still_longer_than_its_lease_changes_nothing(pair: tuple[Stack, Stack]) -> None:
    first, second = pair
    hold = Path(f"{first.effects}.hold")
    hold.touch()
    first.write_dag("work.py", DAG)
    first.start()
    first.wait_dag("work")
    run = first.trigger("work")
    wait_until(lambda: first.lines() == ["run1 a 1"], timeout=30)

    assert first.process is not None
    first.process.send_signal(signal.SIGSTOP)
    second.start()
    # The lease runs out, the second scheduler takes over and starts "a" again as another attempt.
    wait_until(lambda: "run1 a 2" in second.lines(), timeout=40)
    first.process.send_signal(signal.SIGCONT)
    hold.unlink()
    second.wait_over(run)

    assert second.run_state(run) == "success"
    assert second.tasks(run)["a"].losses == 1
    second.assert_sound()
