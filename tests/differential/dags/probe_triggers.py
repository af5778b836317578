# mypy: ignore-errors
"""Triggers and operators that wait for them; no file of tasks of its own."""

import asyncio
import os
from datetime import timedelta

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

PACE = float(os.environ.get("PROBE_PACE", "1"))  # what comes back too soon confuses a slow scheduler


class Tell(BaseTrigger):
    """Tells what it was given, or fails."""

    def __init__(self, said, delay=0.2 * PACE):
        super().__init__()
        self.said, self.delay = said, delay

    def serialize(self):
        return ("probe_triggers.Tell", {"said": self.said, "delay": self.delay})

    async def run(self):
        await asyncio.sleep(self.delay)
        if self.said == "raise":
            raise ValueError("as asked")
        if self.said != "nothing":
            yield TriggerEvent(self.said)


class Waits(BaseOperator):
    """Defers once for each word, then returns what it was told."""

    template_fields = ("words",)

    def __init__(self, *, words, delay=0.2 * PACE, wait_seconds=None, **fields):
        super().__init__(**fields)
        self.words, self.delay, self.wait_seconds = words, delay, wait_seconds

    def execute(self, context):
        self.next([], list(self.words))

    def next(self, told, left):
        limit = timedelta(seconds=self.wait_seconds) if self.wait_seconds else None
        self.defer(
            trigger=Tell(left[0], self.delay),
            method_name="resumed",
            kwargs={"told": told, "left": left[1:]},
            timeout=limit,
        )

    def resumed(self, context, event, told, left):
        context["ti"].xcom_push(key=f"event{len(told)}", value=event)
        told = [*told, event]
        if event == "fail":
            raise ValueError("as asked")
        if left:
            self.next(told, left)
        return {"told": told, "try": context["ti"].try_number}
