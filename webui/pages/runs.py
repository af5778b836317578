"""Lists of runs: of one DAG, and of all."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from flask import Blueprint, render_template, request

from tradewind.metadata.views.home import first_failures
from tradewind.metadata.views.runs import RunLine, list_run_lines
from tradewind.model.states import RunState, RunType
from webui.pages.shared import DagHead, dag_head
from webui.web import page_args, web

pages: Final = Blueprint("runs", __name__)
PAGE: Final = 50


@pages.get("/dags/<dag_id>/runs", endpoint="runs")
def runs(dag_id: str) -> str:
    with web().db.read() as tx:
        head = dag_head(tx, dag_id)
    return _list(dag_id, head)


@pages.get("/dag_runs", endpoint="all_runs")
def all_runs() -> str:
    return _list(None, None)


def _list(dag_id: str | None, head: DagHead | None) -> str:
    states = [RunState(name) for name in request.args.getlist("state") if name in set(RunState)]
    kind = request.args.get("type", "")
    run_type = RunType(kind) if kind in set(RunType) else None
    before = _cursor(request.args.get("before", ""))
    with web().db.read() as tx:
        lines = list_run_lines(tx, dag_id=dag_id, states=states, run_type=run_type, before=before, limit=PAGE + 1)
        failures = first_failures(tx, [line.pk for line in lines if line.state is RunState.FAILED])
    more = page_args(before=_cursor_text(lines[PAGE - 1])) if len(lines) > PAGE else None
    return render_template(
        "runs.html",
        head=head,
        lines=lines[:PAGE],
        failures=failures,
        states=states,
        run_type=run_type,
        run_types=tuple(RunType),
        more=more,
        is_first=before is None,
        tab="runs",
    )


def _cursor_text(line: RunLine) -> str:
    return f"{line.run_after.isoformat()}~{line.pk}"


def _cursor(text: str) -> tuple[datetime, int] | None:
    """Return the place in the list that an address names; a broken one means the beginning."""
    when, _, pk = text.rpartition("~")
    try:
        at = datetime.fromisoformat(when)
        return (at, int(pk)) if at.tzinfo else None
    except ValueError:
        return None
