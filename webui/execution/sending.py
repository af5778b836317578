"""How does an answer get to a worker? As one message; what cannot be sent is told in place of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import Response
from msgspec import structs

from executors.runner.protocol import Refused
from executors.worker.http_wire import MEDIA_TYPE, VERSION_HEADER, encode_answer
from executors.worker.serving import Serving
from executors.worker.talk import TALK_VERSION, Answered, Found, No, Orders, WorkerAnswer, WorkerRequest
from tradewind.model.orders import AttemptEnded, AttemptOrder, Outcome

_UNSENDABLE: Final = (OverflowError, UnicodeEncodeError)
"""A number of more than 64 bits; half a character: JSON, and so a conf or an XCom, may hold them, a message may not."""


def send(serving: Serving, request: WorkerRequest, answer: WorkerAnswer) -> Response:
    """Return the answer. An order that cannot be sent is not given out, and its attempt has failed."""
    try:
        return _message(200, answer)
    except _UNSENDABLE as error:
        if isinstance(answer, Answered):
            return _message(200, Answered(Refused(f"The answer cannot be sent to this worker: {error}.")))
        if not isinstance(answer, Orders | Found):
            raise
    sendable = tuple(order for order in answer.orders if _why_not(order) is None)
    failed = [_failed(order, why) for order in answer.orders if (why := _why_not(order)) is not None]
    serving.report(request.worker_id, failed)
    return _message(200, structs.replace(answer, orders=sendable))


def refusal(status: int, why: str, *, is_final: bool = True) -> Response:
    """Return a refusal, which says the mend."""
    return _message(status, No(why, is_final))


def _message(status: int, answer: WorkerAnswer) -> Response:
    headers = {VERSION_HEADER: str(TALK_VERSION), "Cache-Control": "no-store"}
    return Response(encode_answer(answer), status, headers, mimetype=MEDIA_TYPE)


def _why_not(order: AttemptOrder) -> str | None:
    try:
        encode_answer(Orders((order,)))
    except _UNSENDABLE as error:
        return str(error)
    return None


def _failed(order: AttemptOrder, why: str) -> AttemptEnded:
    return AttemptEnded(
        order.attempt_id,
        order.fence,
        order.run_pk,
        Outcome.FAILED,
        datetime.now(UTC),
        may_retry=False,
        died=True,  # no process of it has called anybody back
        error=f"Its order cannot be sent to a worker: {why}. Look at the conf of the run.",
    )
