"""The addresses of the live stream: server-sent events, and polling where a stream cannot be had."""

from __future__ import annotations

import json
import queue
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, Response, jsonify, make_response, request, stream_with_context

from tradewind.metadata.database import Database
from tradewind.metadata.sessions import find_session
from webui.live.hub import Hub, Listener, Message
from webui.live.topics import parse_topics
from webui.settings import STREAMS_PER_PROCESS
from webui.web import session, web

pages: Final = Blueprint("live", __name__)
HEARTBEAT: Final = 10.0
"""Seconds between signs of life: without a write a browser that is gone is never noticed."""
LIFETIME: Final = 600.0
CHECK_LOGIN_EVERY: Final = 60.0


@pages.get("/live")
def live() -> Response:
    """Stream events of the topics asked for. It ends after ten minutes, so that servers can be replaced."""
    topics = parse_topics(request.args.get("topics", ""))
    hub, login = web().hub, session()
    assert login is not None
    if hub.listeners >= STREAMS_PER_PROCESS:
        response = make_response(jsonify(detail="All streams of this process are taken; poll instead."), 503)
        response.headers["Retry-After"] = "15"
        return response
    listener = hub.listen(topics)
    events = _events(hub, listener, web().db, login.token_hash)
    response = Response(stream_with_context(events), mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    response.headers["Cache-Control"] = "no-store"
    return response


def _events(hub: Hub, listener: Listener, db: Database, token_hash: str) -> Iterator[str]:
    try:
        yield "retry: 3000\n\n"
        ends_at = time.monotonic() + LIFETIME + random.uniform(-60, 60)
        check_at = time.monotonic() + CHECK_LOGIN_EVERY
        while time.monotonic() < ends_at:
            try:
                name, data = listener.messages.get(timeout=HEARTBEAT)
                if name == "end":
                    return
                yield f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
            except queue.Empty:
                yield ": still here\n\n"
            if time.monotonic() > check_at:
                check_at = time.monotonic() + CHECK_LOGIN_EVERY
                with db.read() as tx:
                    if find_session(tx, token_hash, datetime.now(UTC)) is None:
                        return
    finally:
        hub.leave(listener)


@pages.get("/live/now")
def live_now() -> Response:
    """Return what a stream would say first, for browsers that must poll."""
    topics = parse_topics(request.args.get("topics", ""))
    words: list[Message] = web().hub.first_words(topics)
    words += [(topic.kind, {"topic": str(topic)}) for topic in topics if topic.kind in ("all", "dag")]
    return jsonify(words)
