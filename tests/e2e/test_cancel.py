"""Does a word to a run reach the process of its task, and all that this has started? With real processes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from scheduler.why import explain
from tests.e2e.stack import Stack
from tests.support.waiting import wait_until
from tradewind.metadata import inbox
from tradewind.model.commands import ClearTasks, Command, MarkTasks, Selection
from tradewind.model.states import TaskState

DAG = """
import os, pathlib, signal, subprocess, time
from airflow.sdk import DAG, BaseOperator

def note(name, text):
    here = pathlib.Path(os.environ["EFFECTS_FILE"]).parent
    draft = here / f"{name}.new"
    draft.write_text(text)
    draft.rename(here / name)

class Works(BaseOperator):
    def __init__(self, is_deaf=False, **kwargs):
        super().__init__(**kwargs)
        self.is_deaf = is_deaf

    def execute(self, context):
        if self.is_deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shell = "trap '' TERM; sleep 600 & echo $!; wait"
        near = subprocess.Popen(["sh", "-c", shell], stdout=subprocess.PIPE, text=True)
        far = subprocess.Popen(["sleep", "600"], start_new_session=True)
        pids = [os.getpid(), near.pid, int(near.stdout.readline()), far.pid]
        note(f"{self.task_id}-{context['ti'].try_number}", " ".join(map(str, pids)))
        time.sleep(600)

    def on_kill(self):
        note("on_kill", str(time.time()))

with DAG("work"):
    Works(task_id="listens")
    Works(task_id="deaf", is_deaf=True)
"""


@pytest.fixture
def working(stack: Stack) -> tuple[Stack, int]:
    """A run whose two tasks are at work."""
    stack.write_dag("work.py", DAG)
    stack.start(TRADEWIND__WORKERS__CANCEL_GRACE_SECONDS="1")
    stack.wait_dag("work")
    return stack, stack.trigger("work")


def family(stack: Stack, task_id: str, try_number: int = 1) -> list[int]:
    """The processes of a task and of all that it started."""
    path: Path = stack.home / f"{task_id}-{try_number}"
    wait_until(path.exists, timeout=30, what=f"the work of {task_id}")
    return [int(pid) for pid in path.read_text().split()]


def say(stack: Stack, pk: int, command: Command) -> None:
    with stack.db.write() as tx:
        inbox.send(tx, [inbox.command_message(pk, uuid4(), command)], datetime.now(UTC))


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_marking_running_tasks_ends_their_processes(working: tuple[Stack, int]) -> None:
    stack, pk = working
    pids = family(stack, "listens") + family(stack, "deaf")

    say(stack, pk, MarkTasks(Selection(), TaskState.FAILED, by="ann"))
    wait_until(lambda: all(is_gone(pid) for pid in pids), timeout=20, what="the end of all processes")
    stack.wait_over(pk)

    assert (stack.home / "on_kill").exists()
    assert {task.state for task in stack.tasks(pk).values()} == {TaskState.FAILED}
    wait_until(lambda: all(a.state == "ended" for a in stack.attempts(pk)), what="the end of the attempts")
    ends = {attempt.task_id: attempt for attempt in stack.attempts(pk)}
    assert "cancelled" in (ends["listens"].error or "")
    assert (ends["deaf"].signal, ends["listens"].signal) == (9, None)
    said = {reason.task_id: reason.text for reason in explain(stack.db, "work")}
    assert said["deaf"].startswith("marked failed by ann")


def test_a_running_task_that_is_cleared_starts_anew_when_its_process_is_gone(working: tuple[Stack, int]) -> None:
    stack, pk = working
    pids = family(stack, "deaf")

    say(stack, pk, ClearTasks(Selection(("deaf",)), by="ann"))
    again = family(stack, "deaf", try_number=2)

    assert all(is_gone(pid) for pid in pids)
    say(stack, pk, MarkTasks(Selection(), TaskState.SUCCESS, by="ann"))
    wait_until(lambda: all(is_gone(pid) for pid in again), timeout=20, what="the end of all processes")
    stack.wait_over(pk)
    assert stack.run_state(pk) == "success"
