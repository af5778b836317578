"""What goes between a worker and a web server, byte for byte? One address, a few headers, msgpack, and bounds.

Every message is one POST to :data:`PATH`. Whatever comes back, success or refusal, is a message too: an answer without
:data:`VERSION_HEADER` was not written by Tradewind but by somebody in between.
"""

from __future__ import annotations

from typing import Final

import msgspec

from executors.worker.talk import TALK_VERSION, WorkerAnswer, WorkerRequest

PATH: Final = "/execution/v1/worker"
MEDIA_TYPE: Final = "application/msgpack"
VERSION_HEADER: Final = "Tradewind-Talk"
"""The version of the messages: of the worker's in a request, of the web server's in an answer."""
OLDEST_VERSION: Final = max(1, TALK_VERSION - 1)
"""A web server understands workers from this version on, so that web servers can be upgraded before them."""
MAX_REQUEST_BYTES: Final = 64 << 20
"""What a worker may send at once: several XComs of the size that is usually allowed."""

_encoder: Final = msgspec.msgpack.Encoder()
_requests: Final[msgspec.msgpack.Decoder[WorkerRequest]] = msgspec.msgpack.Decoder(WorkerRequest)
_answers: Final[msgspec.msgpack.Decoder[WorkerAnswer]] = msgspec.msgpack.Decoder(WorkerAnswer)

encode_request = encode_answer = _encoder.encode

decode_request = _requests.decode
"""Return what a worker says; ``ValueError`` says why it is no message of a version that is known here."""
decode_answer = _answers.decode
"""Return what a web server says; ``ValueError`` as above."""


def understands(version: str | None) -> bool:
    """Return whether a request of this version, as its header says, can be answered."""
    return (
        version is not None
        and version.isascii()
        and version.isdigit()
        and OLDEST_VERSION <= int(version) <= TALK_VERSION
    )
