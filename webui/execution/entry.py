"""Who is let in as a worker? Whoever has a token of ``[workers] token`` and speaks a version that is understood."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Sequence
from typing import Final

from flask import Request, Response

log: Final = logging.getLogger("tradewind.webui.execution")

LOG_SECONDS: Final = 10.0
"""Wrong tokens are logged at most so often: whoever guesses shall not fill the disk."""


class Entry:
    """The door for workers. Keeps digests of the tokens only."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._digests: Final = tuple(_digest(token) for token in tokens)
        self._logged_at = 0.0

    def refuse(self, request: Request) -> Response | None:
        """Return why a request is refused, before anything of its body is looked at; None: it is not."""
        from executors.worker.http_wire import MEDIA_TYPE, OLDEST_VERSION, VERSION_HEADER, understands
        from executors.worker.talk import TALK_VERSION
        from webui.execution.sending import refusal

        if not self._digests:
            return refusal(
                403,
                "This web server lets no worker in, since its [workers] token is empty. Give it and the workers the "
                "same one; `tradewind celery token` makes it.",
            )
        if not self._knows(request.headers.get("Authorization", "")):
            self._log(request.remote_addr)
            answer = refusal(
                401,
                "The token of this worker is not one of this web server. Set [workers] token of both to the same.",
            )
            answer.headers["WWW-Authenticate"] = 'Bearer realm="workers"'
            return answer
        version = request.headers.get(VERSION_HEADER)
        if not understands(version):
            known = " and ".join(map(str, sorted({OLDEST_VERSION, TALK_VERSION})))
            return refusal(
                400,
                f"This worker speaks version {version!r} with its control plane, and this web server version {known}. "
                "Use versions of Tradewind that are next to each other; upgrade the web servers first, then the "
                "workers.",
            )
        if request.mimetype != MEDIA_TYPE:
            return refusal(415, f"The message is {request.mimetype!r}, and must be {MEDIA_TYPE!r}.")
        return None

    def _knows(self, header: str) -> bool:
        kind, _, token = header.partition(" ")
        digest = _digest(token.strip())
        # All are compared, whichever fits: how long it takes tells nothing.
        fits = [hmac.compare_digest(digest, one) for one in self._digests]
        return any(fits) and kind.lower() == "bearer"

    def _log(self, address: str | None) -> None:
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            log.warning("Somebody at %s wanted in as a worker, without a token of [workers] token.", address)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
