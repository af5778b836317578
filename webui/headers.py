"""What goes with every answer? Security headers, caching, compression, a figure of what the page cost."""

from __future__ import annotations

import gzip
import time
from typing import Final

from flask import Flask, Response, g, request

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; font-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types tradewind"
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
COMPRESS_FROM: Final = 1024
_TEXT: Final = ("text/", "application/json", "application/javascript", "image/svg+xml")


def install(app: Flask, *, is_https: bool) -> None:
    """Add the headers to every answer of ``app``."""

    @app.before_request
    def _start_clock() -> None:
        g.cpu = time.thread_time()

    @app.after_request
    def _finish(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if is_https:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        response.headers.setdefault("Cache-Control", "private, no-cache")
        if not response.is_streamed and not response.direct_passthrough:
            _validate(response)
            _compress(response)
        if "cpu" in g:
            response.headers["Server-Timing"] = f"cpu;dur={(time.thread_time() - g.cpu) * 1000:.1f}"
        return response


def _validate(response: Response) -> None:
    """Answer 304 when the browser has the same text already."""
    if request.method == "GET" and response.status_code == 200 and "ETag" not in response.headers:
        response.add_etag(weak=True)
        response.make_conditional(request)


def _compress(response: Response) -> None:
    if (
        response.status_code == 200
        and "Content-Encoding" not in response.headers
        and (response.mimetype or "").startswith(_TEXT)
        and request.accept_encodings["gzip"]
        and (response.content_length or 0) >= COMPRESS_FROM
    ):
        response.set_data(gzip.compress(response.get_data(), compresslevel=5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
