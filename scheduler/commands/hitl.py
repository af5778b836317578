"""``tradewind hitl``: what tasks ask people, and the answers."""

from __future__ import annotations

from typing import Any, Final

import click

from scheduler import hitl
from scheduler.commands.lookup import find_named_run, user_name
from tradewind.metadata import questions
from tradewind.metadata.opening import open_database
from tradewind.metadata.questions import QuestionFilter, QuestionRow
from tradewind.terminal.output import emit, talk

COLUMNS: Final = (
    "dag_id", "run_id", "task_id", "map_index", "state", "subject", "options", "assignees", "created_at", "due_at",
    "answered_by", "chosen",
)  # fmt: skip
TABLE: Final = ("dag_id", "run_id", "task_id", "subject", "options", "due_at")
FULL: Final = (*COLUMNS[:6], "body", *COLUMNS[6:], "defaults", "multiple", "params", "params_input", "ended_at")


def list_questions(dag_id: str | None, every: bool, limit: int, output: str) -> None:
    """List the questions that wait for an answer."""
    wanted = QuestionFilter(dag_id=dag_id, is_open=None if every else True)
    with open_database() as db, db.read() as tx:
        found = questions.list_questions(tx, wanted, limit=limit)
        total = questions.count_questions(tx, wanted)
    columns = COLUMNS if output != "table" else (*TABLE, "state", "chosen") if every else TABLE
    emit([_row(one) for one in found], columns, output, empty="Nothing waits for an answer.")
    if total > len(found):
        talk(f"{total - len(found)} more; --limit shows more.")


def show(dag_id: str, logical_date_or_run_id: str, task_id: str, map_index: int, output: str) -> None:
    """Show the question of a task, and its answer."""
    with open_database() as db, db.read() as tx:
        run = find_named_run(tx, dag_id, logical_date_or_run_id)
        found = hitl.get_question(tx, run.pk, task_id, map_index)
    row = _row(found)
    if output == "table":
        for name in FULL:
            if row[name] not in (None, [], {}, ""):
                click.echo(f"{name:<13}{_text(row[name])}")
        return
    emit([row], FULL, output)


def respond(
    dag_id: str,
    logical_date_or_run_id: str,
    task_id: str,
    options: tuple[str, ...],
    params: dict[str, Any] | None,
    map_index: int,
) -> None:
    """Answer the question of a task."""
    with open_database() as db:
        with db.read() as tx:
            run = find_named_run(tx, dag_id, logical_date_or_run_id)
            found = hitl.get_question(tx, run.pk, task_id, map_index)
        hitl.respond(db, found.attempt_id, chosen=options, params_input=params or {}, user=user_name(), via="cli")
    talk(f"Answered {found.subject!r}: {', '.join(options)}.")


def _row(found: QuestionRow) -> dict[str, Any]:
    return {name: getattr(found, name) for name in FULL}


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
