"""How is the web application put together? Pages, login, live updates, static files, templates, error pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from flask import Flask, request
from flask.typing import ResponseReturnValue
from jinja2 import StrictUndefined

from tradewind.config import Config
from tradewind.metadata.again import again
from tradewind.metadata.database import Database
from webui import assets, error_pages, execution, headers, templating
from webui.api import api
from webui.auth import guard
from webui.auth.pages import pages as auth_pages
from webui.live.hub import Hub
from webui.live.pages import pages as live_pages
from webui.logs.files import log_files
from webui.pages import all_pages
from webui.settings import WebSettings
from webui.web import Web

MAX_BODY: Final = 2 << 20
PATIENCE_SECONDS: Final = 2.0
"""How long a page tries again when the metadata DB is away; then the reader is told."""
T = TypeVar("T")


def create_app(config: Config, db: Database) -> Flask:
    """Return the WSGI application.

    Connects to nothing and starts no thread, so a server may fork after it; ``db`` must then be fresh in each process.

    Raises:
        UsageError: the log store cannot be used as it is configured.
    """
    settings = WebSettings.of(config)
    app = _App(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key or None,
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        SESSION_COOKIE_NAME="tradewind_notice",  # holds only the notice for the next page
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=settings.is_https,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.auto_reload = False
    logs = log_files(config, db)
    app.extensions["tradewind"] = Web(config, settings, db, Hub(db, logs), logs)
    headers.install(app, is_https=settings.is_https)
    guard.install(app)
    assets.install(app)
    templating.install(app)
    error_pages.install(app)
    execution.install(app)
    for blueprint in (auth_pages, live_pages, api, *all_pages()):
        app.register_blueprint(blueprint)
    if settings.base_path:
        app.wsgi_app = _Below(app.wsgi_app, settings.base_path)  # type: ignore[method-assign]  # the documented way
    return app


class _App(Flask):
    """Makes a page again when the metadata DB went away under it: reading twice is reading once."""

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Look who is asking, patiently."""
        return self._patiently(super().preprocess_request)

    def dispatch_request(self) -> ResponseReturnValue:
        """Make the page, patiently."""
        return self._patiently(super().dispatch_request)

    def _patiently(self, act: Callable[[], T]) -> T:
        if request.method not in guard.SAFE or (request.endpoint or "").startswith("health."):
            return act()
        return again(act, patience_seconds=PATIENCE_SECONDS, what=f"{request.method} {request.path}")


class _Below:
    """Serves the application below a path, whether the proxy in front cuts the path off or not."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], path: str) -> None:
        self.inner = inner
        self.path = path

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == self.path or path.startswith(f"{self.path}/"):
            environ["PATH_INFO"] = path[len(self.path) :] or "/"
        environ["SCRIPT_NAME"] = self.path
        return self.inner(environ, start_response)
