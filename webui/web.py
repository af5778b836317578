"""What does every request have at hand? The configuration, the database, caches, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo, available_timezones

from flask import Request, current_app, g, request

from executors.logs.reading import LogFiles
from tradewind.config import Config
from tradewind.metadata.database import Database
from tradewind.metadata.sessions import LiveSession
from webui.graph.cache import GraphCache
from webui.live.hub import Hub
from webui.logs.window import LogReader
from webui.settings import WebSettings
from webui.specs import SpecCache

ZONES = frozenset(available_timezones())


@dataclass(slots=True)
class Web:
    """What the web UI of one process works with."""

    config: Config
    settings: WebSettings
    db: Database
    hub: Hub
    log_files: LogFiles
    graphs: GraphCache = field(default_factory=GraphCache)
    logs: LogReader = field(default_factory=LogReader)
    specs: SpecCache = field(default_factory=SpecCache)


def web() -> Web:
    """Return the things of the application that handles the request."""
    return cast(Web, current_app.extensions["tradewind"])


def now() -> datetime:
    """Return the instant of this request: one for all that the page says."""
    if "now" not in g:
        g.now = datetime.now(UTC)
    return cast(datetime, g.now)


def session() -> LiveSession | None:
    """Return who is asking, None when nobody has logged in."""
    return cast("LiveSession | None", g.get("login"))


def zone() -> ZoneInfo:
    """Return the time zone that the reader chose, or that their browser said."""
    name = request.cookies.get("tz", "")
    return ZoneInfo(name if name in ZONES else web().settings.time_zone)


def theme(req: Request) -> str:
    """Return light, dark, or auto."""
    name = req.cookies.get("theme", "auto")
    return name if name in ("light", "dark") else "auto"


def wants_part() -> str:
    """Return which part of the page was asked for, empty for the whole."""
    return request.args.get("_p", "")


def page_args(**changes: Any) -> dict[str, Any]:
    """Return the query of the current address with some values changed; None and empty ones are left out."""
    args: dict[str, Any] = {name: values for name, values in request.args.lists() if name != "_p"}
    args.update(changes)
    return {name: value for name, value in args.items() if value not in (None, "", [])}
