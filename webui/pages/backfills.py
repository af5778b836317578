"""The pages of backfills: those there are, one with its dates, and the form that starts one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from tradewind.errors import Conflict, TradewindError, UsageError
from tradewind.metadata.backfills import (
    BackfillCounts,
    BackfillRecord,
    SlotRecord,
    count_backfills,
    count_slots,
    get_backfill,
    list_backfills,
    list_slots,
)
from tradewind.model.backfills import Action, BackfillPlan, Only, Reprocess, Slot, SlotState, WantedBackfill
from webui.auth.guard import needs
from webui.backfilling import STEERS, create_backfill, plan_backfill, steer
from webui.formats import time_html
from webui.pages.shared import dag_head
from webui.web import now, web, zone

if TYPE_CHECKING:
    from sqlalchemy import Connection

pages: Final = Blueprint("backfills", __name__)
PAGE: Final = 25
SLOTS: Final = 100
SHOWN: Final = 300
"""So many dates of a plan are listed before it is started."""
REPROCESS: Final = {
    "": (None, None),
    "failed": (Reprocess.FAILED, None),
    "completed": (Reprocess.COMPLETED, None),
    "only_failed": (None, Only.FAILED),
}
SHOWS: Final = {"waiting": (SlotState.WAITING,), "made": (SlotState.MADE,), "left out": (SlotState.SKIPPED,)}
BAR: Final = {
    "success": "success", "failed": "failed", "running": "running", "queued": "queued", "gone": "removed",
    "cancelled": "skipped", "waiting": "none",
}  # fmt: skip
"""What counts in the progress of a backfill, and as which state it is drawn."""


@pages.get("/backfills", endpoint="all")
def every() -> str:
    return _list(None)


@pages.get("/dags/<dag_id>/backfills", endpoint="of_dag")
def of_dag(dag_id: str) -> str:
    return _list(dag_id)


def _list(dag_id: str | None) -> str:
    offset = _number(request.args.get("offset", ""), 0)
    with web().db.read() as tx:
        head = None if dag_id is None else dag_head(tx, dag_id)
        found = list_backfills(tx, dag_id=dag_id, limit=PAGE + 1, offset=offset)
        lines = [(one, progress_of(count_slots(tx, one.id))) for one in found[:PAGE]]
        total = count_backfills(tx, dag_id=dag_id)
    return render_template(
        "backfills.html",
        head=head,
        lines=lines,
        total=total,
        offset=offset,
        page_size=PAGE,
        has_more=len(found) > PAGE,
        tab="backfills",
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill has come."""

    counts: BackfillCounts
    states: Mapping[str, int]  # by the state that the bar shows

    @property
    def total(self) -> int:
        """How many dates are to be done; those that are left out do not count."""
        return sum(self.states.values())

    @property
    def done(self) -> int:
        return self.counts.done


def progress_of(counts: BackfillCounts) -> Progress:
    """Return the progress that these counts say."""
    return Progress(counts, {state: getattr(counts, name) for name, state in BAR.items()})


@pages.get("/backfills/<int:backfill_id>", endpoint="one")
def one(backfill_id: int) -> str:
    show = request.args.get("show", "")
    offset = _number(request.args.get("offset", ""), 0)
    with web().db.read() as tx:
        record = get_backfill(tx, backfill_id)
        head = dag_head(tx, record.dag_ids[0]) if len(record.dag_ids) == 1 else None
        progress = progress_of(count_slots(tx, backfill_id))
        slots = list_slots(tx, backfill_id, limit=SLOTS + 1, offset=offset, states=SHOWS.get(show, ()))
        zone_name = _zone_of(tx, record.dag_ids[0])
    return render_template(
        "backfill.html",
        record=record,
        head=head,
        progress=progress,
        slots=[(slot, slot_state(slot)) for slot in slots[:SLOTS]],
        at=lambda slot: _at(slot.date, zone_name),
        at_date=lambda date: _at(date, zone_name),
        zone_name=zone_name,
        show=show,
        shows=tuple(SHOWS),
        pace=_pace(record, progress),
        offset=offset,
        page_size=SLOTS,
        has_more=len(slots) > SLOTS,
        tab="backfills",
    )


def slot_state(slot: SlotRecord) -> tuple[str, str]:
    """Return what a date is at: the state to draw it as, and the word for it."""
    if slot.state is SlotState.MADE:
        return (slot.run_state.value, slot.run_state.value) if slot.run_state else ("removed", "run deleted")
    words = {SlotState.WAITING: ("none", "to come"), SlotState.SKIPPED: ("removed", "left out")}
    return words.get(slot.state, ("skipped", "cancelled"))


def _pace(record: BackfillRecord, progress: Progress) -> tuple[float, float] | None:
    """Return how many runs end in an hour, and in how many seconds the rest is done at that pace; None: not known."""
    if record.completed_at is not None or record.is_paused or not progress.done or not progress.counts.open:
        return None
    seconds = max((now() - record.created_at).total_seconds(), 1.0)
    return progress.done / seconds * 3600, progress.counts.open * seconds / progress.done


@pages.post(f"/backfills/<int:backfill_id>/<any({', '.join(STEERS)}):how>", endpoint="steer")
@needs("user")
def steer_one(backfill_id: int, how: str) -> ResponseReturnValue:
    try:
        steer(backfill_id, how, via="ui", stop_running="stop_running" in request.form)
    except Conflict as error:
        flash(str(error))
    return redirect(url_for("backfills.one", backfill_id=backfill_id))


# --- a new one --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskedBackfill:
    """The form as it was filled in."""

    start: str = ""
    end: str = ""
    reprocess: str = ""
    max: str = "10"
    backwards: str = ""
    tasks: str = ""
    upstream: str = ""
    downstream: str = ""
    conf: str = ""
    old_version: str = ""


def read_form(args: MultiDict[str, str]) -> AskedBackfill:
    """Return the form that an address, or a post, carries."""
    given = {field.name: args.get(field.name, "").strip() for field in fields(AskedBackfill)}
    if given["reprocess"] not in REPROCESS:
        given["reprocess"] = ""
    return AskedBackfill(**{**given, "max": given["max"] or "10"})


def to_wanted(dag_id: str, asked: AskedBackfill, zone_name: str) -> WantedBackfill:
    """Return what the form means.

    Raises:
        UsageError: a field means nothing.
    """
    reprocess, only = REPROCESS[asked.reprocess]
    if not asked.max.isascii() or not asked.max.isdigit() or not 0 < int(asked.max) <= 10_000:
        raise UsageError(f"Runs at once is {asked.max!r}; expected a whole number from 1 to 10000.")
    return WantedBackfill(
        [dag_id],
        _instant("From", asked.start, zone_name),
        _instant("To", asked.end, zone_name),
        conf=_conf(asked.conf),
        reprocess=reprocess,
        only=only,
        max_active_runs=int(asked.max),
        run_backwards=bool(asked.backwards),
        run_on_latest_version=not asked.old_version,
        tasks=[name for part in asked.tasks.split(",") if (name := part.strip())],
        with_upstream=bool(asked.upstream),
        with_downstream=bool(asked.downstream),
    )


def _instant(name: str, text: str, zone_name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name} is {text!r}; expected a date and time like 2013-01-31T00:00.") from None
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone_name))


def _conf(text: str) -> Mapping[str, Any] | None:
    if not text:
        return None
    try:
        conf = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"The configuration is no JSON: {error.msg} in line {error.lineno}.") from None
    if not isinstance(conf, dict):
        raise UsageError('The configuration must be a JSON object, like {"day": "2013-01-01"}.')
    return conf


@pages.get("/dags/<dag_id>/backfills/new", endpoint="new")
@needs("user")
def new(dag_id: str) -> str:
    return _form(dag_id, read_form(request.args))


@pages.post("/dags/<dag_id>/backfills/new")
@needs("user")
def start(dag_id: str) -> ResponseReturnValue:
    asked = read_form(request.form)
    with web().db.read() as tx:
        zone_name = _zone_of(tx, dag_id)
    try:
        made = create_backfill(to_wanted(dag_id, asked, zone_name), via="ui")
    except (UsageError, Conflict) as error:
        return _form(dag_id, asked, str(error)), 409 if isinstance(error, Conflict) else 400
    flash(f"Backfill {made.id} has started.")
    return redirect(url_for("backfills.one", backfill_id=made.id))


def _form(dag_id: str, asked: AskedBackfill, error: str = "") -> str:
    with web().db.read() as tx:
        head = dag_head(tx, dag_id)
        zone_name = _zone_of(tx, dag_id)
    if not asked.start and not asked.end:  # nothing was said yet: the last week
        today = now().astimezone(ZoneInfo(zone_name)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        first, last = today - timedelta(days=7), today - timedelta(days=1)
        span = {"start": first.isoformat(timespec="minutes"), "end": last.isoformat(timespec="minutes")}
        asked = replace(asked, **span)
    plan, problem = None, ""
    try:
        plan = plan_backfill(to_wanted(dag_id, asked, zone_name))
    except TradewindError as refused:
        problem = str(refused)
    return render_template(
        "backfill_new.html",
        head=head,
        asked=asked,
        plan=plan,
        problem=problem if problem != error else "",
        error=error,
        fields=[(field.name, value) for field in fields(asked) if (value := getattr(asked, field.name))],
        zone_name=zone_name,
        at=lambda slot: _at(slot.date, zone_name),
        **_counted(plan),
    )


def _counted(plan: BackfillPlan | None) -> dict[str, Any]:
    slots: list[Slot] = list(plan.slots) if plan else []
    new, again, left = (plan.count(action) if plan else 0 for action in (Action.CREATE, Action.RERUN, Action.SKIP))
    return {
        "todo": new + again,
        "counts": (("new", new, "plus"), ("done again", again, "again"), ("left out", left, "skip")),
        "shown": slots[:SHOWN],
    }


def _zone_of(tx: Connection, dag_id: str) -> str:
    """Return the time zone of a DAG's schedule: its dates are said in this one."""
    head = dag_head(tx, dag_id)
    return head.spec.timezone if head.spec else zone().key


def _at(at: datetime, zone_name: str) -> Markup:
    return time_html(at, ZoneInfo(zone_name), now(), style="full")


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else default
