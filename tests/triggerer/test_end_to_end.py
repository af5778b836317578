"""Do tasks wait without a slot from end to end? A real scheduler with its triggerer, killed now and then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scheduler import hitl
from tests.e2e.stack import Stack
from tests.support.waiting import wait_until
from tradewind.metadata import questions, xcoms
from tradewind.metadata.questions import QuestionFilter, QuestionRow
from tradewind.xcom.serde import decode

WAITS = '''
import asyncio, os
from datetime import datetime, timedelta, UTC
from airflow.sdk import DAG, BaseOperator, task
from airflow.triggers.base import BaseTrigger, TriggerEvent
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.providers.standard.triggers.file import FileTrigger

class Says(BaseTrigger):
    """Defined in the DAG file itself."""
    def __init__(self, value):
        super().__init__()
        self.value = value
    def serialize(self):
        return "waits.Says", {"value": self.value}
    async def run(self):
        await asyncio.sleep(0)
        yield TriggerEvent(self.value)

class Chain(BaseOperator):
    """Waits twice."""
    def execute(self, context):
        context["ti"].xcom_push("before", "kept")
        self.defer(trigger=TimeDeltaTrigger(timedelta(milliseconds=50)), method_name="second")
    def second(self, context, event):
        self.defer(trigger=Says([event.tzinfo is not None]), method_name="last", kwargs={"n": 2})
    def last(self, context, event, n):
        return [event, n, context["ti"].try_number]

class Late(BaseOperator):
    def execute(self, context):
        self.defer(trigger=FileTrigger("/nowhere/at/all"), method_name="back", timeout=timedelta(milliseconds=200))
    def back(self, context, event):
        raise AssertionError("the file is not there")

class Bad(BaseOperator):
    def execute(self, context):
        if context["ti"].try_number == 2:
            return "second try"
        self.defer(trigger=Breaks(), method_name="back")
    def back(self, context, event):
        raise AssertionError("the trigger fails")

class Breaks(Says):
    def __init__(self):
        super().__init__(1)
    def serialize(self):
        return "waits.Breaks", {}
    async def run(self):
        raise RuntimeError("bucket gone")
        yield

class File(BaseOperator):
    def execute(self, context):
        self.defer(trigger=FileTrigger(os.environ["WAITED_FILE"], poke_interval=0.05), method_name="back")
    def back(self, context, event):
        return event

with DAG("waits", schedule=None):
    @task
    def after(value):
        return value
    after(Chain(task_id="chain").output)
    Late(task_id="late")
    Bad(task_id="bad", retries=1, retry_delay=timedelta(0))

with DAG("file", schedule=None):
    File(task_id="file")
'''

ASKS = """
from datetime import timedelta
from airflow.sdk import DAG, Param, task
from airflow.providers.standard.operators.hitl import (
    ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator)

with DAG("asks", schedule=None):
    form = HITLEntryOperator(task_id="form", subject="About {{ run_id }}", params={"n": Param(1, type="integer")})
    ok = ApprovalOperator(task_id="ok", subject="Go?")
    way = HITLBranchOperator(task_id="way", subject="Where?", options=["left", "r"], options_mapping={"r": "right"})
    @task
    def left(): ...
    @task
    def right(): ...
    form >> ok >> way >> [left(), right()]

with DAG("late", schedule=None):
    HITLOperator(task_id="default", subject="?", options=["a", "b"], defaults=["b"], params={"n": 7},
                 response_timeout=timedelta(milliseconds=300))
    HITLOperator(task_id="none", subject="?", options=["a"], response_timeout=timedelta(milliseconds=300))

with DAG("reject", schedule=None):
    @task
    def below(): ...
    ApprovalOperator(task_id="no", subject="Go?") >> below()
"""


@pytest.fixture
def stack(database_url: str, home: Path) -> Iterator[Stack]:
    made = Stack(home, database_url, settings={"WAITED_FILE": str(home / "waited")})
    yield made
    made.tell()
    made.stop()


def returned(stack: Stack, dag_id: str, task_id: str, key: str = "return_value"):
    with stack.db.read() as tx:
        (row,) = xcoms.find_xcoms(tx, dag_id, "run1", [task_id], key, None)
    return decode(row.value or "null")


def state_of(stack: Stack, run: int, task_id: str) -> str:
    task = stack.tasks(run).get(task_id)
    return "" if task is None else task.state.value


def test_tasks_wait_without_a_slot(stack: Stack) -> None:
    stack.write_dag("waits.py", WAITS)
    stack.start()
    stack.wait_dag("waits")
    run = stack.trigger("waits")
    stack.wait_over(run)

    states = {name: task.state.value for name, task in stack.tasks(run).items()}
    assert states == {"chain": "success", "after": "success", "late": "failed", "bad": "success"}
    assert returned(stack, "waits", "after") == [[True], 2, 1]
    assert returned(stack, "waits", "chain", "before") == "kept"
    assert returned(stack, "waits", "bad") == "second try"
    assert "TaskDeferralTimeout" in stack.log(run, "late")
    assert "RuntimeError: bucket gone" in stack.log(run, "bad")
    assert [attempt.try_number for attempt in stack.attempts(run, "chain")] == [1, 1, 1]
    stack.assert_sound()


@pytest.mark.parametrize("who", ["trigger process", "scheduler"])
def test_whoever_is_killed_the_trigger_runs_again(stack: Stack, who: str) -> None:
    stack.write_dag("waits.py", WAITS)
    stack.start()
    stack.wait_dag("file")
    run = stack.trigger("file")
    wait_until(lambda: state_of(stack, run, "file") == "deferred", timeout=30, what="the wait")
    (trigger,) = wait_until(lambda: stack.below("tradewind-trig"), timeout=30, what="the trigger process")
    if who == "scheduler":
        stack.kill()
        wait_until(lambda: not trigger.is_running(), timeout=20, what="the end of its trigger process")
        stack.start()
    else:
        os.kill(trigger.pid, signal.SIGKILL)
    assert state_of(stack, run, "file") == "deferred"
    (stack.home / "waited").write_text("now")

    stack.wait_over(run)
    assert returned(stack, "file", "file") is True
    stack.assert_sound()


def test_a_triggerer_of_its_own_takes_over(stack: Stack) -> None:
    """The scheduler is no triggerer here; of two triggerers the one that holds the wait is killed."""
    stack.environ["TRADEWIND__TRIGGERER__CAPACITY"] = "0"
    stack.write_dag("waits.py", WAITS)
    stack.start()
    stack.wait_dag("file")
    run = stack.trigger("file")
    wait_until(lambda: state_of(stack, run, "file") == "deferred", timeout=30, what="the wait")
    assert stack.below("tradewind-trig") == []
    command = [sys.executable, "-m", "tradewind.cli", "triggerer", "--capacity", "5"]
    output = (stack.home / "triggerer.log").open("ab")
    pair = [subprocess.Popen(command, env=stack.environ, cwd=stack.home, stderr=output) for _ in range(2)]

    def holder() -> subprocess.Popen[bytes] | None:
        return next((one for one in pair if psutil.Process(one.pid).children()), None)

    try:
        held_by = wait_until(holder, timeout=40, what="one to hold the wait")
        assert held_by is not None
        held_by.kill()
        held_by.wait(20)
        pair.remove(held_by)
        wait_until(holder, timeout=40, what="the other to take it up")
        (stack.home / "waited").write_text("now")
        stack.wait_over(run)
        pair[0].send_signal(signal.SIGTERM)
        assert pair[0].wait(20) == 0
    finally:
        for one in pair:
            one.kill()
            one.wait(20)
        output.close()
        print((stack.home / "triggerer.log").read_text()[-4000:])
    assert returned(stack, "file", "file") is True


def asked(stack: Stack, run: int, task_id: str) -> QuestionRow:
    """Wait until a task has asked."""

    def look() -> QuestionRow | None:
        with stack.db.read() as tx:
            return questions.find_question(tx, run, task_id, -1)

    found = wait_until(look, timeout=30, what=f"the question of {task_id}")
    wait_until(lambda: state_of(stack, run, task_id) == "awaiting_input", timeout=10, what="that it waits")
    assert found is not None
    return found


def test_people_are_asked(stack: Stack) -> None:
    stack.write_dag("asks.py", ASKS)
    stack.start()
    for dag_id in ("asks", "late", "reject"):
        stack.wait_dag(dag_id)
    late, run, rejected = stack.trigger("late"), stack.trigger("asks"), stack.trigger("reject")

    def answer(of: int, task_id: str, *options: str, **fields: object) -> None:
        found = asked(stack, of, task_id)
        hitl.respond(stack.db, found.attempt_id, chosen=options, params_input=fields, user="ann", via="cli")

    assert asked(stack, run, "form").subject == "About run1"
    answer(run, "form", "OK", n=5)
    answer(run, "ok", "Approve")
    answer(run, "way", "r")
    answer(rejected, "no", "Reject")
    stack.wait_over(run, late, rejected)

    states = {name: task.state.value for name, task in stack.tasks(run).items()}
    assert states == {"form": "success", "ok": "success", "way": "success", "left": "skipped", "right": "success"}
    form = returned(stack, "asks", "form")
    assert (form["chosen_options"], form["params_input"]) == (["OK"], {"n": 5})
    assert form["responded_by_user"] == {"id": "ann", "name": "ann"}
    assert state_of(stack, rejected, "below") == "skipped"

    assert {name: task.state.value for name, task in stack.tasks(late).items()} == {
        "default": "success",
        "none": "failed",
    }
    taken = returned(stack, "late", "default")
    assert (taken["chosen_options"], taken["params_input"], taken["responded_by_user"]) == (["b"], {"n": 7}, None)
    assert "HITLTimeoutError" in stack.log(late, "none")
    with stack.db.read() as tx:
        ends = questions.list_questions(tx, QuestionFilter(dag_id="late"))
    assert sorted((one.task_id, one.state, one.chosen) for one in ends) == [
        ("default", "timed_out", ["b"]),
        ("none", "timed_out", None),
    ]
    stack.assert_sound()
