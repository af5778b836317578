"""Is user code called that hangs on runs and tasks, by a real scheduler, whatever dies? And by whom is it called?"""

from __future__ import annotations

import json
from typing import Any

from executors.runner.log_paths import callback_log_path
from scheduler.verify import verify
from tests.e2e.stack import Stack
from tests.support.waiting import wait_until
from tradewind.metadata import callbacks, runs
from tradewind.metadata.callbacks import CallbackRecord

TELL = '''
import json, os
def tell(what, **facts):
    """Leave one line: what was called, and with what."""
    line = json.dumps({"what": what, "pid": os.getpid(), **facts}) + "\\n"
    fd = os.open(os.environ["EFFECTS_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)
'''

DAGS = f"""
from datetime import datetime, timedelta, timezone
import signal, time
from airflow.sdk import DAG, task, Variable, AsyncCallback, DeadlineAlert, DeadlineReference, SyncCallback
from airflow.sdk import BaseNotifier
{TELL}

def ended(context):
    ti = context.get("ti")
    tell("run", run=context["run_id"], reason=context["reason"], state=context["dag_run"].state,
         task=ti.task_id if ti else None, task_state=ti.state if ti else None,
         variable=Variable.get("greeting", default="none"))

def breaks(context):
    raise RuntimeError("the callback itself is broken")

class Note(BaseNotifier):
    template_fields = ("message",)
    def __init__(self, message, **kwargs):
        super().__init__(**kwargs)
        self.message = message
    def notify(self, context):
        tell("note", message=self.message)
    async def async_notify(self, context):
        tell("awaited", message=self.message)

with DAG("good", schedule=None, on_success_callback=[breaks, ended, Note("{{{{ dag.dag_id }}}}: {{{{ reason }}}}")]):
    @task
    def one(): return 1
    @task
    def two(x): return x
    two(one())

with DAG("bad", schedule=None, on_failure_callback=ended, on_success_callback=breaks):
    @task
    def fails(): raise ValueError("no")
    @task(trigger_rule="all_done")
    def later(): raise ValueError("nor this")
    fails() >> later()

with DAG("slow", schedule=None, dagrun_timeout=timedelta(seconds=1), on_failure_callback=ended):
    @task
    def sleeps(): time.sleep(60)
    sleeps()

def died(context):
    tell("died", task=context["ti"].task_id, attempt=context["ti"].try_number, why=str(context["exception"]),
         state=context["ti"].state)

def retried(context):
    tell("retried", task=context["ti"].task_id, attempt=context["ti"].try_number)

with DAG("dies", schedule=None, default_args={{"retries": 1, "retry_delay": timedelta(0)}}):
    @task(on_failure_callback=died, on_retry_callback=retried)
    def killed():
        os.kill(os.getpid(), signal.SIGKILL)
    @task(on_failure_callback=died, on_retry_callback=retried, retries=0)
    def raises():
        raise ValueError("by itself")
    killed(); raises()

def late(number, context):
    tell("late", number=number, run=context["dag_run"].run_id, due=str(context["deadline"]["deadline_time"]))

async def late_too(context):
    tell("late_too", run=context["dag_run"].run_id)

def on_time(context):
    tell("never")

REFERENCE = DeadlineReference
note = AsyncCallback(Note, {{"message": "{{{{ dag_run.run_id }}}}"}})
with DAG("dead", schedule=None, deadline=[
    DeadlineAlert(REFERENCE.DAGRUN_QUEUED_AT, timedelta(seconds=0.5), SyncCallback(late, {{"number": 7}}), "soon"),
    DeadlineAlert(REFERENCE.DAGRUN_LOGICAL_DATE, timedelta(0), AsyncCallback(late_too)),
    DeadlineAlert(REFERENCE.DAGRUN_QUEUED_AT, timedelta(hours=1), SyncCallback(on_time)),
    DeadlineAlert(REFERENCE.FIXED_DATETIME(datetime(2020, 1, 1)), timedelta(0), note),
]):
    @task
    def waits():
        while not os.path.exists(os.environ["EFFECTS_FILE"] + ".go"):
            time.sleep(0.05)
    waits()
"""


def told(stack: Stack, what: str | None = None) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stack.lines()]
    return [line for line in lines if what is None or line["what"] == what]


def calls(stack: Stack, run: int) -> list[CallbackRecord]:
    with stack.db.read() as tx:
        return callbacks.list_callbacks(tx, run)


def wait_made(stack: Stack, run: int, count: int) -> list[CallbackRecord]:
    """Wait until so many calls of a run have been made."""

    def are_made() -> bool:
        found = calls(stack, run)
        return len(found) == count and all(one.ended_at is not None for one in found)

    wait_until(are_made, timeout=40, what=f"{count} calls of run {run}; there are {calls(stack, run)}")
    return calls(stack, run)


def call_log(stack: Stack, run: int, number: int, start: int = 1) -> str:
    with stack.db.read() as tx:
        record = runs.get_runs(tx, [run])[0]
    base = stack.config.logging.base_log_folder
    return callback_log_path(base, record.dag_id, record.run_id, number, start).read_text()


def test_what_hangs_on_runs_tasks_and_deadlines_is_called_in_processes_of_its_own(stack: Stack) -> None:
    stack.write_dag("hooks.py", DAGS)
    stack.start()
    for dag_id in ("good", "bad", "slow", "dies", "dead"):
        stack.wait_dag(dag_id)
    assert stack.process is not None
    good, bad, slow, dies, dead = (stack.trigger(dag_id, 1) for dag_id in ("good", "bad", "slow", "dies", "dead"))

    # The end of a run: all functions are called though one fails, with the context of the task that ended last.
    (success,) = wait_made(stack, good, 1)
    assert (success.state, success.starts, success.losses) == ("failed", 1, 0)
    assert success.error == "RuntimeError: the callback itself is broken"
    (line,) = [one for one in told(stack, "run") if one["task"] == "two"]
    assert (line["reason"], line["state"], line["task_state"]) == ("success", "success", "success")
    assert [one["message"] for one in told(stack, "note")] == ["good: success"]
    assert line["pid"] != stack.process.pid
    assert "the callback itself is broken" in call_log(stack, good, success.id)

    (failure,) = wait_made(stack, bad, 1)
    assert failure.state == "done"
    (line,) = [one for one in told(stack, "run") if one["task"] == "later"]
    assert (line["reason"], line["state"], line["task_state"]) == ("task_failure", "failed", "failed")

    wait_made(stack, slow, 1)
    (line,) = [one for one in told(stack, "run") if one["task"] == "sleeps"]
    assert (line["reason"], line["state"]) == ("timed_out", "failed")

    # A task whose process died is called back for, one that raised has done it itself.
    retry, end = wait_made(stack, dies, 2)
    assert (retry.kind, retry.task_id, end.payload["hook"]) == ("task", "killed", "on_failure_callback")
    assert [(one["task"], one["attempt"]) for one in told(stack, "retried")] == [("killed", 1)]
    by_task = {one["task"]: one for one in told(stack, "died")}
    assert by_task["killed"]["attempt"] == 2
    assert "SIGKILL" in by_task["killed"]["why"]
    assert by_task["raises"]["why"] == "by itself"

    # Deadlines: those that have passed are told while the run still runs, each once; the others never.
    wait_until(lambda: len(told(stack, "late")) == 1, timeout=40, what="the deadline")
    wait_until(lambda: len(told(stack, "awaited")) == 1, timeout=40, what="the fixed deadline")
    assert stack.run_state(dead) == "running"
    assert told(stack, "late")[0]["number"] == 7
    assert told(stack, "awaited")[0]["message"] == "run1"
    stack.effects.with_suffix(".txt.go").touch()
    stack.wait_over(dead)
    assert told(stack, "never") == []
    assert told(stack, "late_too") == [], "a run without a logical date has no such deadline"
    with stack.db.read() as tx:
        missed = [event.payload for event in runs.read_events(tx, dead) if event.kind == "deadline_missed"]
    assert sorted(str(one["name"]) for one in missed) == ["None", "soon"]
    assert {one["callback"] for one in missed} == {"late", "Note"}
    assert_all_closed(stack)


def assert_all_closed(stack: Stack) -> None:
    wait_until(lambda: stack._active() == 0, timeout=30, what="no attempt that holds slots")
    assert verify(stack.db) == []


def test_a_call_is_made_again_when_its_process_and_the_scheduler_are_killed(stack: Stack) -> None:
    stack.write_dag(
        "last.py",
        f"""
from airflow.sdk import DAG, task
{TELL}
def ended(context):
    tell("run")
    mark = os.environ["EFFECTS_FILE"] + ".killed"
    if not os.path.exists(mark):
        open(mark, "w").close()
        import psutil
        for parent in psutil.Process().parents():
            if parent.cmdline()[1:] == ["-m", "tradewind.cli", "scheduler"]:
                parent.kill()  # everything below it dies with it, this process too
        os.kill(os.getpid(), 9)

with DAG("last", schedule=None, on_success_callback=ended):
    @task
    def one(): pass
    one()
""",
    )
    stack.start()
    stack.wait_dag("last")
    run = stack.trigger("last")
    wait_until(stack.is_dead, timeout=40, what="the kill")
    (call,) = calls(stack, run)
    assert (call.state, call.starts) == ("running", 1)

    stack.start()
    (call,) = wait_made(stack, run, 1)

    assert (call.state, call.starts, call.losses) == ("done", 2, 1)
    assert len(told(stack, "run")) == 2
    assert_all_closed(stack)


def test_a_call_that_dies_each_time_is_given_up(stack: Stack) -> None:
    stack.write_dag(
        "last.py",
        f"""
from airflow.sdk import DAG, task
{TELL}
def ended(context):
    tell("run")
    os.kill(os.getpid(), 9)

with DAG("last", schedule=None, on_success_callback=ended):
    @task
    def one(): pass
    one()
""",
    )
    stack.start()
    stack.wait_dag("last")
    run = stack.trigger("last")

    (call,) = wait_made(stack, run, 1)

    assert (call.state, call.starts, call.losses) == ("failed", 4, 4)
    assert "SIGKILL" in (call.error or "")
    assert len(told(stack, "run")) == 4
    assert_all_closed(stack)


def test_listeners_hear_of_runs_and_tasks_in_processes_of_their_own(stack: Stack) -> None:
    (stack.home / "plugins").mkdir()
    (stack.home / "plugins" / "ear.py").write_text(
        f"""
from airflow.plugins_manager import AirflowPlugin
from airflow.listeners import hookimpl
{TELL}
class Ear:
    @hookimpl
    def on_dag_run_running(self, dag_run, msg):
        tell("on_dag_run_running", run=dag_run.run_id, state=dag_run.state, msg=msg)
    @hookimpl
    def on_dag_run_success(self, dag_run, msg):
        tell("on_dag_run_success", run=dag_run.run_id, state=dag_run.state, msg=msg)
    @hookimpl
    def on_dag_run_failed(self, dag_run, msg):
        tell("on_dag_run_failed", run=dag_run.run_id, state=dag_run.state, msg=msg)
    @hookimpl
    def on_task_instance_failed(self, task_instance, error):
        tell("on_task_instance_failed", task=task_instance.task_id, error=str(error))
class P(AirflowPlugin):
    name = "ear"
    listeners = [Ear()]
"""
    )
    stack.write_dag(
        "work.py",
        """
import os
from airflow.sdk import DAG, task
with DAG("good", schedule=None):
    @task
    def one(): pass
    one()
with DAG("bad", schedule=None):
    @task
    def killed(): os.kill(os.getpid(), 9)
    killed()
""",
    )
    stack.start()
    stack.wait_dag("good")
    stack.wait_dag("bad")
    good, bad = stack.trigger("good"), stack.trigger("bad", 2)

    wait_made(stack, good, 2)
    wait_made(stack, bad, 3)

    assert stack.process is not None
    heard = {(one["what"], one.get("run")): (one.get("state"), one.get("msg")) for one in told(stack)}
    assert heard == {
        ("on_dag_run_running", "run1"): ("running", "started"),
        ("on_dag_run_success", "run1"): ("success", "success"),
        ("on_dag_run_running", "run2"): ("running", "started"),
        ("on_dag_run_failed", "run2"): ("failed", "task_failure"),
        ("on_task_instance_failed", None): (None, None),
    }
    assert "SIGKILL" in told(stack, "on_task_instance_failed")[0]["error"]
    assert stack.process.pid not in {one["pid"] for one in told(stack)}
    assert_all_closed(stack)
