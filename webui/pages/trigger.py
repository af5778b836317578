"""The form that starts a run: a field for each parameter, or the configuration as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tradewind.errors import TradewindError
from tradewind.metadata.views.runs import recent_confs
from tradewind.model.spec import ParamSpec
from webui.actions import TriggerRequest, trigger
from webui.auth.guard import needs
from webui.forms.fields import BadField, Field, kind_of, make_field, read_field, value_text
from webui.pages.shared import DagHead, dag_head
from webui.web import web, zone

pages: Final = Blueprint("trigger", __name__)


@pages.get("/dags/<dag_id>/trigger", endpoint="trigger")
@needs("user")
def form(dag_id: str) -> str:
    head, confs = _load(dag_id)
    given = _given_conf()
    fields = [
        make_field(name, param, None if name not in given else _text(param, given[name]))
        for name, param in _params(head).items()
    ]
    values = {"conf": json.dumps(given, indent=2) if given else ""}
    return _page(head, confs, fields, values)


@pages.post("/dags/<dag_id>/trigger")
@needs("user")
def submit(dag_id: str) -> ResponseReturnValue:
    head, confs = _load(dag_id)
    if "now" in request.form:  # the button of lists: no form was shown
        return _start(dag_id, head, confs, [], TriggerRequest(dag_id, {}))
    fields, conf, error = _read_conf(_params(head))
    logical_date, date_error = _logical_date()
    error = error or date_error
    if error or any(field.error for field in fields):
        return _page(head, confs, fields, request.form, error), 400
    wanted = TriggerRequest(
        dag_id,
        conf,
        run_id=request.form.get("run_id", "").strip() or None,
        logical_date=logical_date,
        has_logical_date=request.form.get("date_kind", "now") != "now",
        note=request.form.get("note", "").strip() or None,
        unpause="unpause" in request.form,
    )
    return _start(dag_id, head, confs, fields, wanted)


def _start(
    dag_id: str, head: DagHead, confs: list[Mapping[str, Any]], fields: list[Field], wanted: TriggerRequest
) -> ResponseReturnValue:
    try:
        run_id = trigger(wanted)
    except TradewindError as error:
        fields = fields or [make_field(name, param) for name, param in _params(head).items()]
        return _page(head, confs, fields, request.form, str(error)), 400
    if head.dag.is_paused and not wanted.unpause:
        flash(f"{dag_id} is paused: this run goes on, scheduled ones wait.")
    return redirect(url_for("graph.graph", dag_id=dag_id, run=run_id))


def _load(dag_id: str) -> tuple[DagHead, list[Mapping[str, Any]]]:
    with web().db.read() as tx:
        return dag_head(tx, dag_id), recent_confs(tx, dag_id)


def _params(head: DagHead) -> Mapping[str, ParamSpec]:
    return head.spec.params if head.spec else {}


def _given_conf() -> dict[str, Any]:
    """Return the configuration in the address: a run is started again with what another was given."""
    try:
        value = json.loads(request.args.get("conf", "{}"))
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(param: ParamSpec, value: Any) -> str:
    return value_text(kind_of(param.schema, param.default), value)


def _read_conf(params: Mapping[str, ParamSpec]) -> tuple[list[Field], dict[str, Any], str]:
    """Return the fields as they were filled in, the configuration they stand for, and what is wrong with the whole."""
    fields: list[Field] = []
    conf: dict[str, Any] = {}
    for name, param in params.items():
        text = request.form.get(f"p_{name}", "")
        field = make_field(name, param, text)
        try:
            value = read_field(field.kind, text, nullable=field.may_be_empty)
        except BadField as error:
            fields.append(make_field(name, param, text, str(error)))
            continue
        fields.append(field)
        if not param.has_default or value != param.default:
            conf[name] = value
    text = request.form.get("conf", "").strip()
    if not text:
        return fields, conf, ""
    try:
        extra = json.loads(text)
    except json.JSONDecodeError as error:
        return fields, conf, f"The configuration is no JSON: {error.msg} in line {error.lineno}, column {error.colno}."
    if not isinstance(extra, dict):
        return fields, conf, 'The configuration must be a JSON object, like {"day": "2013-01-01"}.'
    return fields, {**conf, **extra}, ""


def _logical_date() -> tuple[datetime | None, str]:
    """Return the logical date of the form, in the zone that the page shows."""
    if request.form.get("date_kind", "now") != "at":
        return None, ""
    text = request.form.get("logical_date", "").strip()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None, f"{text!r} is no date and time. Write it like 2013-01-31T02:00."
    return (at if at.tzinfo else at.replace(tzinfo=zone())), ""


def _page(
    head: DagHead, confs: list[Mapping[str, Any]], fields: list[Field], values: Mapping[str, Any], error: str = ""
) -> str:
    return render_template(
        "trigger.html", head=head, confs=confs, fields=fields, values=values, error=error, tab="trigger"
    )
