"""Do clearing, cancelling and replaying reach real processes, and survive kills? With real processes and commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scheduler.operating.replay import Replay, replay_run
from scheduler.operating.requests import Person
from tests.e2e.stack import EFFECTS, Stack
from tests.support.waiting import wait_until
from tradewind.faults import KILL_AT

pytestmark = pytest.mark.timeout(300)  # several schedulers come up, one after another

SLEEPER = """
from airflow import DAG
from airflow.operators.bash import BashOperator

COMMAND = '''
if [ "{{{{ ti.try_number }}}}" = 1 ]; then
  sleep 6001 & echo $! >> {pids}
  echo $$ >> {pids}
  sleep 6002
fi
'''
with DAG("work", schedule=None):
    BashOperator(task_id="sleeps", bash_command=COMMAND) >> BashOperator(task_id="after", bash_command="true")
"""
CHAIN = f"""
from airflow import DAG
from airflow.operators.python import PythonOperator
{EFFECTS}
with DAG("work", schedule=None):
    tasks = [PythonOperator(task_id=name, python_callable=effect) for name in "abc"]
    tasks[0] >> tasks[1] >> tasks[2]
"""


def tradewind(stack: Stack, *words: str) -> str:
    """Run a command against the stack, and return all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "tradewind.cli", *words],
        env=stack.environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def sleeping(stack: Stack, tmp_path: Path) -> tuple[int, list[int]]:
    """A run whose first task sleeps in a shell with a child; returned with the pids of both."""
    pids = tmp_path / "pids"
    stack.write_dag("work.py", SLEEPER.format(pids=pids))
    stack.start()
    stack.wait_dag("work")
    run = stack.trigger("work")
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2, timeout=60, what="the sleep")
    return run, [int(pid) for pid in pids.read_text().split()]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_clearing_a_running_task_ends_its_process_group_and_tries_again(stack: Stack, tmp_path: Path) -> None:
    run, pids = sleeping(stack, tmp_path)

    said = tradewind(stack, "tasks", "clear", "work", "--run-id", "run1", "--task", "sleeps", "-y")

    assert "Cleared 1 task instance in 1 run." in said
    wait_until(lambda: all(map(is_gone, pids)), timeout=60, what="the end of the shell and of its child")
    stack.wait_over(run, timeout=120)
    assert stack.run_state(run) == "success"
    assert [attempt.try_number for attempt in stack.attempts(run, "sleeps")] == [1, 2]
    stack.assert_sound()


def test_cancelling_a_run_ends_its_process_groups(stack: Stack, tmp_path: Path) -> None:
    run, pids = sleeping(stack, tmp_path)

    tradewind(stack, "dags", "cancel", "work", "run1", "-y")

    wait_until(lambda: all(map(is_gone, pids)), timeout=60, what="the end of the shell and of its child")
    assert {name: task.state.value for name, task in stack.tasks(run).items()} == {
        "sleeps": "failed",
        "after": "skipped",
    }
    assert stack.run_state(run) == "failed"
    stack.assert_sound()


def test_what_is_cleared_while_the_scheduler_is_dead_is_done_by_the_next(stack: Stack, tmp_path: Path) -> None:
    run, _ = sleeping(stack, tmp_path)
    stack.kill()

    said = tradewind(stack, "tasks", "clear", "work", "--task", "sleeps", "-y")

    assert "No scheduler is running" in said
    assert stack.tasks(run)["sleeps"].state == "restarting", "its process may be there still"
    stack.start()
    stack.wait_over(run, timeout=120)
    assert stack.run_state(run) == "success"
    stack.assert_sound()


@pytest.mark.parametrize("point", ["scheduler-before-commit:1", "scheduler-after-commit:1", "scheduler-after-commit:2"])
def test_a_replay_takes_over_once_whenever_the_scheduler_is_killed(stack: Stack, point: str) -> None:
    stack.write_dag("work.py", CHAIN)
    stack.start()
    stack.wait_dag("work")
    first = stack.trigger("work")
    stack.wait_over(first, timeout=120)
    stack.kill()

    replay = Replay(dag_id="work", run_id_of="run1", from_tasks=["b"])
    made = replay_run(stack.db, replay, Person("ada", "cli"))
    stack.start(**{KILL_AT: point})
    wait_until(stack.is_dead, timeout=60, what=f"the kill at {point}")
    stack.start()
    stack.wait_over(made.pk, timeout=120)

    assert stack.run_state(made.pk) == "success"
    tries = {line.split()[1] for line in stack.lines() if line.startswith("run1__replay1 ")}
    assert tries == {"b", "c"}
    assert [attempt.task_id for attempt in stack.attempts(made.pk, "a")] == []
    stack.assert_sound()
