"""Which paths of the REST API are about questions to people? Lists of them, one, its answer."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, abort, jsonify

from tradewind.errors import NotFound
from tradewind.metadata import questions
from tradewind.metadata.dags import get_dag
from tradewind.metadata.questions import QuestionFilter, QuestionRow
from tradewind.metadata.views.tasks import find_task_line
from webui.answering import may_answer, respond
from webui.api.query import PAGING, body, boolean, instant, number, one_of, page, refuse, takes, text
from webui.api.run_routes import task_shapes
from webui.api.shapes import iso
from webui.pages.shared import get_run
from webui.web import web

if TYPE_CHECKING:
    from sqlalchemy import Connection

ORDERS: Final = tuple(sign + name for name in questions.ORDERS for sign in ("", "-"))
BOUNDS: Final = tuple(f"created_at_{sign}" for sign in ("gte", "gt", "lte", "lt"))
FILTERS: Final = (
    "task_id", "map_index", "response_received", "responded_by_user_name", "responded_by_user_id", "subject_search",
    "body_search", "dag_id_pattern", "task_id_pattern", "order_by",
)  # fmt: skip
ANSWER: Final = {"chosen_options": list, "params_input": dict}


def register(api: Blueprint) -> None:
    """Add the paths."""
    run = "/dags/<dag_id>/dagRuns/<run_id>"
    task = f"{run}/taskInstances/<task_id>/<int(signed=True):map_index>/hitlDetails"
    api.get(f"{run}/hitlDetails", endpoint="hitl_details")(hitl_details)
    api.get(task, endpoint="hitl_detail")(hitl_detail)
    api.get(f"{task}/tries/<int:try_number>", endpoint="hitl_try")(hitl_detail)
    api.patch(task, endpoint="answer_hitl")(answer)


@takes(*PAGING, *FILTERS, *BOUNDS)
def hitl_details(dag_id: str, run_id: str) -> Response:
    """List questions. ``~`` stands for every DAG, and for every run."""
    part = page()
    created: dict[str, datetime] = {}
    for name in BOUNDS:
        at = instant(name)
        if at is not None:
            created[name.removeprefix("created_at_")] = at
    names = [name for name in (text("responded_by_user_name"), text("responded_by_user_id")) if name]
    wanted = QuestionFilter(
        dag_id=None if dag_id == "~" else dag_id,
        run_id=None if run_id == "~" else run_id,
        task_id=text("task_id"),
        map_index=None if text("map_index") is None else number("map_index", -1, least=-1),
        has_answer=boolean("response_received"),
        answered_by=names,
        subject=_part("subject_search"),
        body=_part("body_search"),
        dag_part=_part("dag_id_pattern"),
        task_part=_part("task_id_pattern"),
        created=created,
    )
    order = one_of("order_by", ORDERS, "created_at")
    with web().db.read() as tx:
        if wanted.dag_id is not None:
            get_dag(tx, wanted.dag_id)
            if wanted.run_id is not None:
                get_run(tx, wanted.dag_id, wanted.run_id)
        found = questions.list_questions(tx, wanted, order=order, offset=part.offset, limit=part.limit)
        total = questions.count_questions(tx, wanted)
        shapes = [_shape(tx, one) for one in found]
    return jsonify(hitl_details=shapes, total_entries=total)


def hitl_detail(dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int | None = None) -> Response:
    with web().db.read() as tx:
        return jsonify(_shape(tx, _find(tx, dag_id, run_id, task_id, map_index, try_number)))


def answer(dag_id: str, run_id: str, task_id: str, map_index: int) -> Response:
    """Answer a question."""
    sent = body(ANSWER)
    chosen = sent.get("chosen_options") or []
    if not chosen or not all(isinstance(option, str) for option in chosen):
        refuse("The field 'chosen_options' must be a list of at least one text.")
    with web().db.read() as tx:
        found = _find(tx, dag_id, run_id, task_id, map_index, None)
    if not may_answer(found):
        whom = ", ".join(found.assignees)
        abort(403, description=f"Only {whom} may answer." if whom else "This needs the role 'op', or an assignment.")
    done = respond(found.attempt_id, chosen, sent.get("params_input") or {}, via="rest_api")
    return jsonify(
        responded_by=_user(done.answered_by),
        responded_at=iso(done.ended_at),
        chosen_options=done.chosen,
        params_input=done.params_input or {},
    )


def _find(
    tx: Connection, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int | None
) -> QuestionRow:
    run = get_run(tx, dag_id, run_id)
    found = questions.find_question(tx, run.pk, task_id, map_index, try_number)
    if found is None:
        raise NotFound("Question", task_id, (), "The task asks nobody, or has not asked yet.", within="of task")
    return found


def _shape(tx: Connection, found: QuestionRow) -> dict[str, Any]:
    """Return a question as ``HITLDetail``."""
    run = get_run(tx, found.dag_id, found.run_id)
    line = find_task_line(tx, found.run_pk, found.task_id, found.map_index)
    return {
        "task_instance": None if line is None else task_shapes(tx, run, [line])[0],
        "options": found.options,
        "subject": found.subject,
        "body": found.body,
        "defaults": found.defaults,
        "multiple": found.multiple,
        "params": found.params,
        "assigned_users": [_user(name) for name in found.assignees],
        "created_at": iso(found.created_at),
        "responded_by_user": None if found.answered_by is None else _user(found.answered_by),
        "responded_at": iso(found.ended_at) if found.has_answer else None,
        "chosen_options": found.chosen,
        "params_input": found.params_input or {},
        "response_received": found.has_answer,
    }


def _user(name: str | None) -> dict[str, str]:
    return {"id": name or "", "name": name or ""}


def _part(name: str) -> str | None:
    """Return what a text must hold; the ``%`` and ``~`` of Airflow's patterns stand for anything."""
    given = text(name)
    return None if given is None else given.strip("%~") or None
