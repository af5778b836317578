"""How does a trial run wait? In ``dag.test()`` a trigger runs right here, and people are asked at the terminal."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from scheduler.triggerer.finding import Finder
from scheduler.triggerer.protocol import Add, Failed, Fired
from scheduler.triggerer.running import Run
from tradewind.metadata.waits import WaitOver
from tradewind.model.orders import AttemptOrder, Question, Resumption, Wait
from tradewind.sdk import reach
from tradewind.sdk.channel import TaskChannel
from tradewind.sdk.execution import TaskResult, run_task
from tradewind.xcom.event_text import Said, write_event

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG

log = logging.getLogger("airflow.task")


def run_through(dag: DAG, order: AttemptOrder, channel: TaskChannel) -> TaskResult:
    """Run one task of ``dag`` in this process, its waits included, and return how it ended."""
    task = dag.get_task(order.task_id)
    result = run_task(dag, task, order, channel, in_process=True)
    while result.then is not None and result.then.wait is not None:
        wait = result.then.wait
        over = wait_here(wait, order, channel, datetime.now(UTC))
        resume = Resumption(wait.method, wait.kwargs, over.event, over.failure)
        order = msgspec.structs.replace(order, part=order.part + 1, resume=resume)
        result = run_task(dag, task, order, channel, in_process=True)
    return result


def wait_here(wait: Wait, order: AttemptOrder, channel: TaskChannel, now: datetime) -> WaitOver:
    """Wait for what a task waits for, and return how that ended.

    A question without an answer does not wait for its time to be over: its defaults are taken at once.
    """
    if wait.question is not None:
        return _ask(wait, wait.question, order, now)
    said = contextvars.copy_context().run(_run_trigger, wait, order, channel)
    if isinstance(said, Fired):
        return WaitOver(order.attempt_id, event=said.event)
    return WaitOver(order.attempt_id, failure="timeout" if said is None else said.failure)


def _run_trigger(wait: Wait, order: AttemptOrder, channel: TaskChannel) -> Fired | Failed | None:
    """Run a trigger in this process; None: its time was over."""
    reach.bind(channel)
    add = Add(
        order.attempt_id,
        wait.trigger or "",
        wait.trigger_kwargs,
        order.dag_id,
        order.run_id,
        order.task_id,
        order.map_index,
        order.try_number,
        log_path="",
        dag_path=order.file_path,
    )
    told: list[Fired | Failed] = []

    async def run() -> None:
        async with asyncio.timeout(wait.timeout_seconds):
            await Run(add, Finder(""), told.append).run()

    log.info("running the trigger %s here", add.trigger)
    try:
        asyncio.run(run())
    except TimeoutError:
        return None
    return told[0]


def _ask(wait: Wait, question: Question, order: AttemptOrder, now: datetime) -> WaitOver:
    if sys.stdin is not None and sys.stdin.isatty():
        return WaitOver(order.attempt_id, event=write_event(Said(_answer(question, now))))
    if wait.timeout_seconds is not None and wait.timeout_event is not None:
        log.info("nobody is here to answer %r, so its time counts as over", question.subject)
        return WaitOver(order.attempt_id, event=wait.timeout_event)
    return WaitOver(
        order.attempt_id,
        failure=f"The task asks {question.subject!r}, and there is no terminal on which somebody could answer. Run it "
        "in a terminal, or give it response_timeout= and defaults=.",
    )


def _answer(question: Question, now: datetime) -> dict[str, Any]:
    click.echo(question.subject)
    if question.body:
        click.echo(question.body)
    chosen = [click.prompt("Answer", type=click.Choice(question.options), default=(question.defaults or (None,))[0])]
    fields = {name: one.get("value") for name, one in question.params.items()}
    for name in fields:
        kind = type(fields[name]) if isinstance(fields[name], str | int | float) else str
        fields[name] = click.prompt(name, default=fields[name], type=kind)
    user = {"id": "trial", "name": "trial"}
    return {
        "chosen_options": chosen,
        "params_input": fields,
        "responded_at": now,
        "responded_by_user": user,
        "timedout": False,
    }
