"""How do probes ask a process that is no web server? ``/healthz`` and ``/readyz`` on a small HTTP server of its own."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tradewind.errors import UsageError
from tradewind.health.pulse import Pulse

log = logging.getLogger(__name__)

PATHS: Final = ("/healthz", "/readyz")
_PATIENCE_SECONDS: Final = 5.0


@contextmanager
def told_to_probes(pulse: Pulse, listen: tuple[str, int] | None) -> Iterator[str]:
    """Answer probes about ``pulse`` for as long as the context lasts.

    Args:
        listen: host and port; port 0 is any free one. None: nobody is answered.

    Returns:
        The address that was opened, as ``http://host:port``; empty when there is none.

    Raises:
        UsageError: the address cannot be listened at.
    """
    if listen is None:
        yield ""
        return
    server = _open(pulse, *listen)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    host, port = server.server_address[:2]
    shown = f"[{host!s}]" if ":" in str(host) else str(host)
    address = f"http://{shown}:{port}"
    log.info("health of this %s: %s/healthz and /readyz", pulse.kind, address)
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()


def _open(pulse: Pulse, host: str, port: int) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    class Handler(_Handler):
        asked = pulse

    try:
        return Server((host, port), Handler)
    except OSError as error:
        raise UsageError(
            f"The health of this {pulse.kind} cannot be served at {host}:{port}: {error.strerror or error}. Each "
            "process of a machine needs a port of its own: choose another with TRADEWIND__HEALTH__LISTEN, or port 0 "
            "for any free one."
        ) from error


class _Handler(BaseHTTPRequestHandler):
    asked: Pulse
    timeout = _PATIENCE_SECONDS  # a client that says nothing must not hold a thread
    protocol_version = "HTTP/1.0"
    server_version, sys_version = "tradewind", ""

    def do_GET(self) -> None:
        """Answer 200 when it is so, 503 when it is not; the same words in both."""
        report = self.asked.report()
        path = self.path.partition("?")[0]
        if path not in PATHS:
            self._send(404, {"error": f"There is no {path} here; ask {' or '.join(PATHS)}."})
            return
        is_well = report.is_alive if path == "/healthz" else report.is_ready
        self._send(200 if is_well else 503, report.as_dict())

    do_HEAD = do_GET

    def _send(self, status: int, body: object) -> None:
        data = json.dumps(body, default=str).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in http.server
        """Keep quiet: probes ask every few seconds."""
