"""What do workers get from a web server? One address at which they say what they would else do in the metadata DB.

The words are those of :mod:`executors.worker.talk`, the bytes those of :mod:`executors.worker.http_wire`. Everything
that is answered, refusals included, is a message, so that a worker can tell it from what a proxy says.
"""

from __future__ import annotations

import logging
from typing import Final, cast

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from tradewind.errors import MetadataError, TradewindError
from tradewind.metadata.database import DATABASE_ERRORS
from webui.execution.entry import Entry
from webui.execution.office import Office
from webui.web import Web

log: Final = logging.getLogger("tradewind.webui.execution")

execution: Final = Blueprint("execution", __name__, url_prefix="/execution/v1")
_KEY: Final = "tradewind.execution"


def install(app: Flask) -> None:
    """Let workers in, when a token is set."""
    state: Web = app.extensions["tradewind"]
    app.extensions[_KEY] = (Entry(state.config.workers.token), Office(state.db, state.config))
    app.register_blueprint(execution)


@execution.post("/worker")
def worker() -> Response:
    """Answer one message of a worker."""
    entry, office = cast("tuple[Entry, Office]", current_app.extensions[_KEY])
    refused = entry.refuse(request)
    if refused is not None:
        return refused
    # Only now: the modules behind it take memory that a web server without workers need not have.
    from executors.worker.http_wire import MAX_REQUEST_BYTES, decode_request
    from webui.execution.sending import refusal, send

    request.max_content_length = MAX_REQUEST_BYTES
    try:
        message = decode_request(request.get_data(cache=False))
    except RequestEntityTooLarge:
        return refusal(413, f"A message to the control plane may take {MAX_REQUEST_BYTES >> 20} MiB, and this is more.")
    except ValueError as error:
        return refusal(400, f"The message cannot be read: {error}. Use the same version of Tradewind on both sides.")
    try:
        return send(office.serving, message, office.serving.answer(message))
    except (*DATABASE_ERRORS, MetadataError) as error:
        log.warning("%s of a worker was not answered: %s", type(message).__name__, error)
        return refusal(503, "The metadata DB cannot be reached by the web server now.", is_final=False)
    except TradewindError as error:
        return refusal(400, str(error))
    except Exception as error:
        log.exception("%s of a worker failed.", type(message).__name__)
        text = f"{type(message).__name__} failed in the web server, whose log has the details: {type(error).__name__}."
        return refusal(500, text, is_final=False)
