"""What can templates use beside what their page gives them? Times, durations, states, links, the person who reads."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from flask import Flask, request, url_for
from markupsafe import Markup, escape

from tradewind.metadata.questions import count_open
from tradewind.model.states import FINAL_RUN_STATES, FINAL_TASK_STATES, RunState, TaskState
from webui import formats
from webui.auth.guard import csrf_token, may
from webui.live.topics import Topic
from webui.markdown import render_markdown
from webui.places import place_of
from webui.web import now, page_args, session, theme, web, zone

STATE_WORDS: Final = {
    "none": "waiting",
    "upstream_failed": "upstream failed",
    "up_for_retry": "up for retry",
    "up_for_reschedule": "up for reschedule",
    "awaiting_input": "awaiting input",
}


def state_word(state: str) -> str:
    """Return how a state is called on the page."""
    return STATE_WORDS.get(str(state), str(state))


def state_html(state: str, text: str | None = None) -> Markup:
    """Return a state as shape, colour and word."""
    word = state_word(state) if text is None else text
    return Markup(
        '<span class="st s-{0}"><svg class="si" aria-hidden="true"><use href="#s-{0}"/></svg>{1}</span>'
    ).format(str(state), word)


def icon(name: str) -> Markup:
    """Return an icon of the sprite."""
    return Markup('<svg class="ic" aria-hidden="true"><use href="#i-{}"/></svg>').format(name)


def held_html(why: str | None) -> Markup:
    """Return the mark of what somebody holds, nothing when nobody does."""
    if not why:
        return Markup("")
    return Markup(
        '<span class="tag held" title="{}"><svg class="ic" aria-hidden="true"><use href="#i-hold"/></svg>held</span>'
    ).format(why)


def attrs(values: dict[str, Any]) -> Markup:
    """Return HTML attributes; True is a bare one, None and False are left out."""
    parts = [name if value is True else f'{name}="{escape(value)}"' for name, value in values.items() if value]
    return Markup(" ".join(parts))


def pretty_json(value: Any, limit: int = 64 << 10) -> str:
    """Return indented JSON, cut where it is long."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= limit else f"{text[:limit]}\n… {len(text) - limit} more characters"


def topic(kind: str, *names: object) -> str:
    """Return the name of a live topic."""
    return str(Topic(kind, tuple(str(name) for name in names)))


def here_url(**changes: Any) -> str:
    """Return the address of this page with some values of its query changed."""
    return url_for(request.endpoint or "", **{**(request.view_args or {}), **page_args(**changes)})


def open_questions() -> int:
    """Return how many questions of tasks wait for an answer; 0 for those who have not logged in."""
    if session() is None:
        return 0
    with web().db.read() as tx:
        return count_open(tx)


def install(app: Flask) -> None:
    """Give the templates their helpers."""
    env = app.jinja_env
    env.filters.update(
        duration=formats.duration,
        size=formats.file_size,
        word=state_word,
        pretty=pretty_json,
        markdown=render_markdown,
    )
    env.globals.update(
        state=state_html,
        held=held_html,
        icon=icon,
        topic=topic,
        place_of=place_of,
        csrf=csrf_token,
        may=may,
        open_questions=open_questions,
        page_args=page_args,
        here_url=here_url,
        now=now,
        is_over=lambda state: state in FINAL_RUN_STATES or state in FINAL_TASK_STATES,
        run_states=tuple(RunState),
        task_states=tuple(TaskState),
        zone=zone,
        when=lambda at, style="relative": formats.time_html(at, zone(), now(), style=style),
        lasted=lambda start, end: formats.between(start, end, now()),
        pretty_xcom=formats.pretty_xcom,
        run_name=lambda run: formats.run_name(run.run_id, run.run_type, run.run_after, zone()),
    )

    @app.context_processor
    def _reader() -> dict[str, Any]:
        return {"login": session(), "theme": theme(request), "zone_label": _zone_label()}


def _zone_label() -> str:
    here = zone()
    return here.key if here.key == "UTC" else f"{here.key} ({datetime.now(here):%Z})"
