"""What does the reader see when something is wrong? A page that says what, and JSON for clients."""

from __future__ import annotations

import logging
from typing import Any, Final

from flask import Flask, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from tradewind.errors import Conflict, MetadataError, NotFound, TradewindError, UsageError
from tradewind.metadata.again import is_passing
from tradewind.metadata.database import DATABASE_ERRORS, in_words, is_in_doubt
from webui.auth.guard import SAFE

log: Final = logging.getLogger("tradewind.webui")
_STATUS: Final[tuple[tuple[type[TradewindError], int], ...]] = (
    (NotFound, 404), (Conflict, 409), (UsageError, 400), (MetadataError, 503),
)  # fmt: skip
_TITLES: Final = {
    400: "That cannot be done", 401: "Please log in", 403: "Not allowed", 404: "Not found", 405: "Not allowed",
    409: "That is not possible now", 413: "Too much at once", 429: "Too fast", 503: "Not available now",
}  # fmt: skip


def install(app: Flask) -> None:
    """Register the handlers."""

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> ResponseReturnValue:
        return _answer(error.code or 500, error.description or "")

    @app.errorhandler(TradewindError)
    def _own(error: TradewindError) -> ResponseReturnValue:
        return _answer(next((code for kind, code in _STATUS if isinstance(error, kind)), 400), str(error))

    for kind in DATABASE_ERRORS:
        app.register_error_handler(kind, _database)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> ResponseReturnValue:
        log.error("Request %s %s failed", request.method, request.path, exc_info=error)
        text = f"{type(error).__name__} while this page was made. The log of the web server has the details."
        return _answer(500, text)


def _database(error: Exception) -> ResponseReturnValue:
    log.error("Request %s %s: metadata DB: %s", request.method, request.path, in_words(error))
    if not is_passing(error):
        return _answer(500, f"The metadata DB refused ({type(error).__name__}). The log of the web server has more.")
    text = "The metadata DB does not answer now. Try again in a moment."
    if request.method not in SAFE:
        what = "It may have been done or not: look before you" if is_in_doubt(error) else "What had begun was undone;"
        text = f"The metadata DB does not answer now. {what} try again."
    answer = make_response(_answer(503, text))
    answer.headers["Retry-After"] = "2"
    return answer


def _answer(status: int, text: str) -> ResponseReturnValue:
    if request.path.startswith(("/api/", "/auth/", "/live", "/execution/")) or request.args.get("_p"):
        return jsonify(detail=text), status
    title = _TITLES.get(status, "Something went wrong")
    if "login" not in g:
        g.login = None
    values: dict[str, Any] = {"status": status, "title": title, "text": text}
    return make_response(render_template("error.html", **values), status)
