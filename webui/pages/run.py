"""The page of one run: its tasks on a time line, its graph, its log of events, what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, render_template, request

from tradewind.metadata.views.runs import RunPage, find_run_id, list_events, neighbours
from tradewind.metadata.views.summaries import TaskSum, sum_tasks
from tradewind.model.states import FINAL_RUN_STATES
from webui.actions import Why, why
from webui.pages.graph import count_states, graph_view
from webui.pages.grid import flow_ranks
from webui.pages.shared import dag_head, get_run
from webui.web import now, web

pages: Final = Blueprint("run", __name__)
EVENTS: Final = 500
SCALE: Final = 1000
"""Width of the time line in its own units."""


@dataclass(frozen=True, slots=True)
class Span:
    """One task on the time line: where it waited for a slot and where it ran."""

    task: TaskSum
    operator: str
    queued: tuple[float, float] | None  # start and width
    ran: tuple[float, float] | None


@pages.get("/dags/<dag_id>/runs/<run_id>", endpoint="run")
def run(dag_id: str, run_id: str) -> str:
    view = request.args.get("view", "tasks")
    with web().db.read() as tx:
        head = dag_head(tx, dag_id)
        this = get_run(tx, dag_id, run_id)
        spec = web().specs.get(tx, this.version_id)
        tasks = sum_tasks(tx, this.pk)
        earlier, later = neighbours(tx, this)
        replayed = None if this.replay_of is None else find_run_id(tx, this.replay_of)
        after = request.args.get("after", "")
        seq = int(after) if after.isdecimal() and len(after) < 9 else 0
        events = list_events(tx, this.pk, after_seq=seq, limit=EVENTS + 1) if view == "events" else []
    ranks = flow_ranks(spec)
    operators = {task.task_id: task.operator for task in spec.tasks}
    tasks.sort(key=lambda task: (task.started_at or task.ended_at or _END, ranks.get(task.task_id, 0), task.task_id))
    return render_template(
        "run.html",
        head=head,
        run=this,
        spec=spec,
        view=view,
        spans=_spans(this, tasks, operators) if view == "tasks" else [],
        counts=count_states(tasks),
        task_count=sum(task.size for task in tasks),
        graph=graph_view(spec, this.version_id, this, tasks) if view == "graph" else None,
        events=events[:EVENTS],
        more_events=events[EVENTS - 1].seq if len(events) > EVENTS else None,
        why=_why(this),
        replayed=replayed,
        before=earlier,
        after=later,
        tab="runs",
    )


_END: Final = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


def _why(run: RunPage) -> Why | None:
    """Return why a run and its tasks wait; None when it is over: its tasks say then how they ended."""
    return None if run.state in FINAL_RUN_STATES else why(run.dag_id, run.run_id)


def _spans(run: RunPage, tasks: Sequence[TaskSum], operators: dict[str, str]) -> list[Span]:
    start = min((at for task in tasks if (at := task.queued_at or task.started_at)), default=None)
    start = min(start, run.started_at) if start and run.started_at else start or run.started_at or run.queued_at
    total = max(((run.ended_at or now()) - start).total_seconds(), 0.001)

    def place(begin: datetime | None, end: datetime | None) -> tuple[float, float] | None:
        if begin is None:
            return None
        left = max(0.0, (begin - start).total_seconds() / total * SCALE)
        width = ((end or now()) - begin).total_seconds() / total * SCALE
        return round(min(left, SCALE - 3.0), 1), round(max(3.0, min(width, SCALE - left)), 1)

    return [
        Span(
            task,
            operators.get(task.task_id, ""),
            place(task.queued_at, task.started_at or task.ended_at) if task.queued_at else None,
            place(task.started_at, task.ended_at),
        )
        for task in tasks
    ]
