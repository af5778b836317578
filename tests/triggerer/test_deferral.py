"""How does a task let go of its slot, and how does it come back? In this process, part by part."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.authoring.support import Rehearsal, load, only
from tradewind.model.orders import IN_DAG_FILE, Outcome, Resumption
from tradewind.sdk.execution import TaskResult, run_task
from tradewind.sdk.memory_channel import MemoryChannel
from tradewind.sdk.triggers.base import TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent
from tradewind.xcom.event_text import read_event, write_event
from tradewind.xcom.serde import decode

FILE = """
from datetime import datetime, timedelta, UTC
from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TriggerEvent
from airflow.providers.standard.triggers.temporal import DateTimeTrigger

class Mine(BaseTrigger):
    def __init__(self, x):
        super().__init__()
        self.x = x
    def serialize(self):
        return "dag.Mine", {"x": self.x}
    async def run(self):
        yield TriggerEvent(self.x)

class Waits(BaseOperator):
    template_fields = ("until",)
    def __init__(self, until=None, **kwargs):
        super().__init__(**kwargs)
        self.until = until
    def execute(self, context):
        context["ti"].xcom_push("before", 1)
        self.defer(trigger=Mine({"a": (1, 2)}), method_name="back", kwargs={"more": {3}}, timeout=timedelta(minutes=2))
    def back(self, context, event, more):
        return [event, sorted(more), self.until]

class Twice(Waits):
    def back(self, context, event, more):
        self.defer(trigger=Mine(2), method_name="end")
    def end(self, context, event):
        return event

class Starts(BaseOperator):
    template_fields = ("target_time",)
    start_from_trigger = True
    def __init__(self, target_time, **kwargs):
        super().__init__(**kwargs)
        self.target_time = target_time
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow.providers.standard.triggers.temporal.DateTimeTrigger",
            next_method="back",
            trigger_kwargs={"target_time": target_time, "end_from_trigger": True},
            next_kwargs={"n": 1},
            timeout=timedelta(seconds=5),
        )
    def execute(self, context):
        raise AssertionError("it begins with its trigger")
    def back(self, context, event, n):
        return n

class Wrong(BaseOperator):
    def __init__(self, how, **kwargs):
        super().__init__(**kwargs)
        self.how = how
    def execute(self, context):
        class Local(Mine):
            def serialize(self):
                return "dag.Local", {}
        class Odd(Mine):
            def serialize(self):
                return "just a path"
        given = {
            "method": dict(trigger=Mine(1), method_name="nowhere"),
            "trigger": dict(trigger=object(), method_name="execute"),
            "serialize": dict(trigger=Odd(1), method_name="execute"),
            "local": dict(trigger=Local(1), method_name="execute"),
            "value": dict(trigger=Mine(object()), method_name="execute"),
            "kwargs": dict(trigger=Mine(1), method_name="execute", kwargs={1: 2}),
            "timeout": dict(trigger=Mine(1), method_name="execute", timeout="soon"),
        }[self.how]
        self.defer(**given)

def note(context):
    context["ti"].xcom_push("called", f"{context['ti'].state}: {context['exception']}")

with DAG("d", schedule=None):
    Waits(task_id="waits", until="{{ ds }}", retries=1, on_failure_callback=note, on_retry_callback=note)
    Twice(task_id="twice")
    Starts(task_id="starts", target_time="{{ ds }}T05:00:00+00:00")
    for how in ("method", "trigger", "serialize", "local", "value", "kwargs", "timeout"):
        Wrong(task_id=how, how=how)
"""


@dataclass
class Parts:
    """Runs a task part by part."""

    rehearsal: Rehearsal

    def go(self, task_id: str, resume: Resumption | None = None, part: int = 0, try_number: int = 1) -> TaskResult:
        order = msgspec.structs.replace(self.rehearsal.order(task_id, try_number), resume=resume, part=part)
        channel = MemoryChannel(order, self.rehearsal.memory)
        result = run_task(self.rehearsal.dag, self.rehearsal.dag.get_task(task_id), order, channel)
        self.rehearsal.memory.keep(order, result.xcoms)
        return result

    def back(self, result: TaskResult, task_id: str, event: TriggerEvent | None = None, **told: Any) -> TaskResult:
        wait = wait_of(result)
        said = None if event is None else write_event(event.said())
        return self.go(task_id, Resumption(wait.method, wait.kwargs, said, **told), part=1)


def wait_of(result: TaskResult) -> Any:
    assert result.then is not None, result.error
    assert result.then.wait is not None
    return result.then.wait


@pytest.fixture
def parts(tmp_path: Path, _airflow_names) -> Parts:
    return Parts(Rehearsal(only(load(tmp_path, FILE))))


@pytest.fixture
def _airflow_names():
    from tradewind import compat

    compat.install()
    yield
    compat.uninstall()


def test_a_task_waits_and_goes_on_in_another_process(parts: Parts) -> None:
    first = parts.go("waits")
    wait = wait_of(first)
    assert (first.outcome, first.xcoms) == (Outcome.DEFERRED, ())
    assert (wait.method, wait.trigger, wait.timeout_seconds) == ("back", f"{IN_DAG_FILE}Mine", 120.0)
    assert decode(wait.trigger_kwargs) == {"x": {"a": (1, 2)}}

    second = parts.back(first, "waits", TriggerEvent({"b": datetime(2026, 1, 1, tzinfo=UTC)}))
    assert second.outcome is Outcome.SUCCESS
    xcoms = parts.rehearsal.xcoms("waits")
    assert xcoms["return_value"] == [{"b": datetime(2026, 1, 1, tzinfo=UTC)}, [3], "2024-03-05"]
    assert xcoms["before"] == 1


def test_a_task_may_wait_again(parts: Parts) -> None:
    first = parts.go("twice")
    second = parts.back(first, "twice", TriggerEvent(1))
    assert (second.outcome, wait_of(second).method) == (Outcome.DEFERRED, "end")
    third = parts.back(second, "twice", TriggerEvent("done"))
    assert third.outcome is Outcome.SUCCESS
    assert parts.rehearsal.xcoms("twice")["return_value"] == "done"


def test_a_wait_that_ends_badly_fails_the_try(parts: Parts) -> None:
    first = parts.go("waits")
    late = parts.back(first, "waits", failure="timeout")
    assert (late.outcome, late.may_retry) == (Outcome.FAILED, True)
    assert late.error == "TaskDeferralTimeout: Trigger timeout"
    assert parts.rehearsal.xcoms("waits")["called"] == "up_for_retry: Trigger timeout"

    failed = parts.back(first, "waits", failure="Traceback ...\nValueError: no such bucket")
    assert failed.error == "TaskDeferralError: Trigger failure: ValueError: no such bucket"


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (TaskSuccessEvent(xcoms={"return_value": 7}), Outcome.SUCCESS),
        (TaskFailedEvent(), Outcome.FAILED),
        (TaskSkippedEvent(), Outcome.SKIPPED),
    ],
)
def test_a_trigger_may_end_the_task(parts: Parts, event: TriggerEvent, outcome: Outcome) -> None:
    first = parts.go("waits")
    second = parts.back(first, "waits", event)
    assert second.outcome is outcome
    assert parts.rehearsal.xcoms("waits").get("return_value") == (7 if outcome is Outcome.SUCCESS else None)


def test_a_task_may_begin_with_its_trigger(parts: Parts) -> None:
    first = parts.go("starts")
    wait = wait_of(first)
    assert wait.trigger == "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
    assert json.loads(wait.trigger_kwargs) == {"target_time": "2024-03-05T05:00:00+00:00", "end_from_trigger": True}
    assert wait.timeout_seconds == 5
    assert parts.back(first, "starts", TriggerEvent(0)).outcome is Outcome.SUCCESS
    assert parts.rehearsal.xcoms("starts")["return_value"] == 1


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("method", "Wrong has none of that name"),
        ("trigger", "which is no trigger"),
        ("serialize", "must return the dotted path of the class and a dict"),
        ("local", "stands inside a function"),
        ("value", "cannot be stored"),
        ("kwargs", "must be a dict with text keys"),
        ("timeout", "must be a timedelta or seconds"),
    ],
)
def test_a_wait_that_could_not_be_found_again_is_refused_at_once(parts: Parts, how: str, words: str) -> None:
    result = parts.go(how)
    assert result.outcome is Outcome.FAILED
    assert words in (result.error or "")


def test_events_come_back_as_they_were() -> None:
    for payload in (None, {"payload": 1}, {"end": "success"}, (1, {2})):
        assert read_event(write_event(TriggerEvent(payload).said())).payload == payload
    end = read_event(write_event(TaskSuccessEvent(xcoms={"k": timedelta(1)}).said()))
    assert (end.end, end.xcoms) == ("success", {"k": timedelta(1)})
