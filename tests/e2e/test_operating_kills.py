"""Is anything that people say lost, or done twice, when processes are killed meanwhile? Random histories of both."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import func, select

from tests.e2e.stack import EFFECTS, Stack
from tests.e2e.test_kills import SEEDS
from tests.support.waiting import wait_until
from tradewind.metadata import inbox, runs
from tradewind.metadata.models import RunInbox
from tradewind.model.commands import ClearTasks, Command, Hold, MarkTasks, Release, Selection
from tradewind.model.states import TaskState

DAG = f"""
from datetime import timedelta
import fcntl, time
from airflow import DAG
from airflow.operators.python import PythonOperator
{EFFECTS}
def work(**context):
    ti = context["ti"]
    name = os.environ["EFFECTS_FILE"]
    with open(f"{{name}}.{{ti.run_id}}.{{ti.task_id}}", "w") as alone:
        try:
            fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            open(f"{{name}}.clash", "a").write(f"{{ti.run_id}} {{ti.task_id}} {{ti.try_number}}\\n")
        effect(**context)
        time.sleep(0.1)
with DAG("work", schedule=None, default_args={{"retries": 50, "retry_delay": timedelta(0)}}) as dag:
    first = PythonOperator(task_id="first", python_callable=work)
    last = PythonOperator(task_id="last", python_callable=work)
    for n in range(3):
        first >> PythonOperator(task_id=f"middle{{n}}", python_callable=work) >> last
"""
TASKS = ("first", "middle0", "middle1", "middle2", "last")


def some_command(chance: random.Random, tag: str) -> Command:
    """Clear, mark as success, hold or release: something after which a run can still end well."""
    meant = Selection((chance.choice(TASKS),), downstream=chance.random() < 0.5)
    whole = chance.random() < 0.5
    commands: list[Command] = [
        ClearTasks(meant, by=tag),
        ClearTasks(meant, by=tag),
        MarkTasks(meant, TaskState.SUCCESS, by=tag),
        Hold(None if whole else meant, why=tag),
        Release(None if whole else meant, by=tag),
    ]
    return chance.choice(commands)


def say(stack: Stack, run_pk: int, command: Command) -> None:
    """Send a command."""
    with stack.db.write() as tx:
        inbox.send(tx, [inbox.command_message(run_pk, uuid4(), command)], datetime.now(UTC))


def is_heard(stack: Stack) -> bool:
    """Whether nothing that was said still waits."""
    with stack.db.read() as tx:
        return tx.execute(select(func.count()).select_from(RunInbox)).scalar_one() == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_commands_and_kills_lose_nothing(stack: Stack, seed: int) -> None:
    chance = random.Random(seed)
    stack.write_dag("work.py", DAG)
    stack.environ["TRADEWIND__SCHEDULER__MAX_INFRASTRUCTURE_LOSSES"] = "50"
    stack.start()
    stack.wait_dag("work")
    pks = [stack.trigger("work", number) for number in range(4)]

    for number in range(10):
        for letter in "abc"[: chance.randint(1, 3)]:
            say(stack, chance.choice(pks), some_command(chance, f"{number}{letter}"))
        assert stack.process is not None
        below = [process.pid for process in stack.below("tradewind")]
        victim = chance.choice([stack.process.pid, *below, None, None])
        if victim == stack.process.pid:
            stack.kill()
            stack.start()
        elif victim is not None:
            with contextlib.suppress(psutil.NoSuchProcess):  # a task may end just now
                psutil.Process(victim).kill()
        started = len(stack.lines())
        # Strike again when something has happened, or nothing more will: everything may be held.
        wait_until(lambda: is_heard(stack), timeout=60, what="an empty inbox")
        with contextlib.suppress(AssertionError):
            wait_until(lambda started=started: len(stack.lines()) > started, timeout=0.5)  # type: ignore[misc]
    for pk in pks:
        say(stack, pk, Release())
        say(stack, pk, Release(Selection()))
    wait_until(lambda: is_heard(stack) and stack.all_over(*pks), timeout=100, what="the end of all")

    assert {stack.run_state(pk) for pk in pks} == {"success"}
    assert {task.state for pk in pks for task in stack.tasks(pk).values()} == {TaskState.SUCCESS}
    stack.assert_sound()
    assert not stack.effects.with_name("effects.txt.clash").exists(), "two processes of one task were there at once"
    for pk in pks:
        assert_each_was_heard_once(stack, pk)


def assert_each_was_heard_once(stack: Stack, pk: int) -> None:
    """No command was folded twice: what it did to the run or to a task stands in the log once."""
    with stack.db.read() as tx:
        log = runs.read_events(tx, pk)
    done: Counter[tuple[str, str | None, str]] = Counter()
    for event in log:
        if event.kind in ("run_held", "task_held"):
            done[event.kind, event.task_id, event.payload["why"]] += 1
        elif event.kind == "task_cleared" and "by" in event.payload:
            done[event.kind, event.task_id, event.payload["by"]] += 1
        elif event.kind == "task_marked_success":
            done[event.kind, event.task_id, event.payload["reason"]] += 1
    assert {what: n for what, n in done.items() if n > 1} == {}
