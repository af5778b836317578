"""What do tasks ask, and who answers? A page of the open questions, each with its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tradewind.errors import NotFound, TradewindError
from tradewind.metadata import questions
from tradewind.metadata.questions import OPEN, QuestionFilter, QuestionRow
from tradewind.model.spec import ParamSpec
from webui.answering import may_answer, respond
from webui.forms.fields import BadField, Field, kind_of, make_field, read_field, value_text
from webui.pages.shared import get_run
from webui.web import now, web

pages: Final = Blueprint("required_actions", __name__)
PAGE: Final = 20
SHOW: Final = ("open", "answered", "all")


@dataclass(frozen=True, slots=True)
class Item:
    """One question as it is shown: ``chosen`` and ``fields`` are what the form says, ``linked`` what a link chose."""

    question: QuestionRow
    is_open: bool
    may_answer: bool
    chosen: tuple[str, ...]
    fields: list[Field]
    error: str = ""
    linked: tuple[str, ...] = ()


@pages.get("/required_actions", endpoint="required_actions")
def required_actions() -> str:
    show = request.args.get("show", "open")
    dag_id = request.args.get("dag_id") or None
    offset = request.args.get("offset", "")
    first = int(offset) if offset.isdecimal() and len(offset) < 7 else 0
    wanted = QuestionFilter(dag_id=dag_id, is_open={"open": True, "answered": False}.get(show))
    with web().db.read() as tx:
        order = "created_at" if show == "open" else "-created_at"
        found = questions.list_questions(tx, wanted, order=order, offset=first, limit=PAGE + 1)
    return _page([_item(one) for one in found[:PAGE]], show, first, has_more=len(found) > PAGE)


@pages.get(
    "/dags/<dag_id>/runs/<run_id>/tasks/<path:task_id>/mapped/<int(signed=True):map_index>/required_actions",
    endpoint="mapped",
)
@pages.get("/dags/<dag_id>/runs/<run_id>/tasks/<path:task_id>/required_actions", endpoint="one")
def one(dag_id: str, run_id: str, task_id: str, map_index: int | None = None) -> str:
    """The question of one task; a link may bring an answer to be looked at and sent."""
    given = request.args.get("map_index", "-1")
    index = map_index if map_index is not None else int(given) if given.lstrip("-").isdecimal() else -1
    with web().db.read() as tx:
        run = get_run(tx, dag_id, run_id)
        found = questions.find_question(tx, run.pk, task_id, index)
    if found is None:
        raise NotFound("Question", task_id, (), "The task asks nobody, or has not asked yet.", within="of task")
    chosen = tuple(option for option in request.args.getlist("_options") if option in found.options)
    values = {name: request.args[name] for name in found.params if name in request.args}
    return _page([_item(found, chosen, values)], "", 0)


@pages.post("/required_actions/<uuid:attempt>", endpoint="answer")
def answer(attempt: UUID) -> ResponseReturnValue:
    with web().db.read() as tx:
        found = questions.get_question(tx, attempt)
    if found is None:
        raise NotFound("Question", str(attempt), (), "Its run may have been deleted.")
    if not may_answer(found):
        abort(403, description=f"This question is for {', '.join(found.assignees) or 'the role op'} to answer.")
    chosen = tuple(request.form.getlist("option"))
    texts = {name: request.form.get(f"p_{name}", "") for name in found.params}
    fields, values = _read(found, texts)
    if any(field.error for field in fields):
        item = Item(found, True, True, chosen, fields, "Some values cannot be used.")
        return _page([item], "", 0), 400
    try:
        respond(attempt, chosen, values, via="ui")
    except TradewindError as error:
        with web().db.read() as tx:
            found = questions.get_question(tx, attempt) or found
        status = 400 if _is_open(found) else 409
        return _page([Item(found, _is_open(found), True, chosen, fields, str(error))], "", 0), status
    flash(f"Answered “{found.subject}”: {', '.join(chosen)}.")
    return redirect(url_for("required_actions.required_actions"))


def _page(items: list[Item], show: str, first: int, *, has_more: bool = False) -> str:
    return render_template(
        "required_actions.html", items=items, show=show, first=first, page_size=PAGE, has_more=has_more, shows=SHOW
    )


def _item(found: QuestionRow, chosen: tuple[str, ...] = (), given: Mapping[str, str] | None = None) -> Item:
    fields = [make_field(name, spec, (given or {}).get(name)) for name, spec in _specs(found).items()]
    if found.has_answer:
        fields = [
            make_field(name, spec, value_text(kind_of(spec.schema, spec.default), (found.params_input or {}).get(name)))
            for name, spec in _specs(found).items()
        ]
    picked = tuple(found.chosen or ()) or chosen or tuple(found.defaults or ())
    return Item(found, _is_open(found), may_answer(found), picked, fields, linked=chosen)


def _is_open(found: QuestionRow) -> bool:
    return found.state == OPEN and (found.due_at is None or found.due_at > now())


def _specs(found: QuestionRow) -> dict[str, ParamSpec]:
    return {
        name: ParamSpec(
            param.get("schema") or {},
            param.get("value"),
            has_default=param.get("value") is not None,
            description=param.get("description"),
        )
        for name, param in found.params.items()
    }


def _read(found: QuestionRow, texts: Mapping[str, str]) -> tuple[list[Field], dict[str, Any]]:
    """Return the fields as they were filled in, and the values that they stand for."""
    fields: list[Field] = []
    values: dict[str, Any] = {}
    for name, spec in _specs(found).items():
        field = make_field(name, spec, texts[name])
        try:
            values[name] = read_field(field.kind, texts[name], nullable=field.may_be_empty)
        except BadField as error:
            field = make_field(name, spec, texts[name], str(error))
        fields.append(field)
    return fields, values
