"""Is the web server that a worker speaks to the one that it should be? Certificates, on a real server that has one."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from executors.worker.http_link import HttpLink
from executors.worker.http_wire import PATH
from executors.worker.link import LinkLost
from executors.worker.talk import Welcome
from tests.executors.worker.control import TOKEN, facts, remote
from tests.support.waiting import wait_until
from tests.webui.processes import free_port
from tradewind.config import load_config
from tradewind.errors import UsageError
from webui.server import find_certificate

ROOT = Path(__file__).parents[3]
BEHIND_THE_PROXY = "tradewind.invalid"
"""A name that only the proxy can resolve."""


def write_certificate(folder: Path, name: str = "") -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and a name that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tradewind")])
    now = datetime.now(UTC)
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(BEHIND_THE_PROXY)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / f"{name}cert.pem", folder / f"{name}key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_path, key_path


@pytest.fixture
def server(home: Path, sqlite_url: str, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A web server that speaks HTTPS; gives its port and its certificate."""
    cert, key = write_certificate(tmp_path)
    port = free_port()
    environ = {
        **os.environ,
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": sqlite_url,
        "TRADEWIND__WORKERS__TOKEN": TOKEN,
        "TRADEWIND__API__SSL_CERT": str(cert),
        "TRADEWIND__API__SSL_KEY": str(key),
    }
    words = [sys.executable, "-m", "tradewind.cli", "webserver", "--port", str(port)]
    process = subprocess.Popen(words, env=environ, cwd=ROOT)
    try:
        yield port, cert
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_a_worker_speaks_to_the_web_server_that_its_authority_vouches_for_and_to_no_other(
    server, tmp_path, monkeypatch
):
    port, cert = server

    def link(host: str, scheme: str = "https", **settings: str) -> HttpLink:
        return HttpLink(load_config({**remote({}, f"{scheme}://{host}:{port}"), **settings}, tmp_path))

    trusting = link("127.0.0.1", TRADEWIND__WORKERS__CA_FILE=str(cert))
    welcome = wait_until(lambda: _registered(trusting), timeout=60, what="the web server")
    assert welcome.lease_seconds == 30
    trusting.close()

    with pytest.raises(UsageError, match=r"certificate is not trusted: .*self.signed.*\[workers\] ca_file"):
        link("127.0.0.1").register(uuid4(), facts())
    with pytest.raises(UsageError, match=r"certificate is not trusted: .*localhost.*the name of the host"):
        link("localhost", TRADEWIND__WORKERS__CA_FILE=str(cert)).register(uuid4(), facts())
    other, _ = write_certificate(tmp_path, "other-")
    with pytest.raises(UsageError, match="certificate is not trusted"):
        link("127.0.0.1", TRADEWIND__WORKERS__CA_FILE=str(other)).register(uuid4(), facts())

    with closing(HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(cafile=cert))) as raw:
        raw.putrequest("POST", PATH)
        raw.putheader("Authorization", "Bearer somebody")
        raw.putheader("Content-Length", str(60 << 20))
        raw.endheaders()  # and not a byte of the body: who has no token is refused before it is read
        assert raw.getresponse().status == 401
    with proxy_to(port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("NO_PROXY", "elsewhere.invalid")
        behind = link(BEHIND_THE_PROXY, TRADEWIND__WORKERS__CA_FILE=str(cert))
        assert behind.register(uuid4(), facts()).lease_seconds == 30
        behind.close()
        assert proxy.asked == [(f"{BEHIND_THE_PROXY}:{port}", "me:p@ss")]
    with pytest.raises(LinkLost, match="cannot be reached: .*Connection refused"):
        behind.register(uuid4(), facts())
    monkeypatch.setenv("HTTPS_PROXY", "socks5://secret@127.0.0.1:1")
    with pytest.raises(UsageError, match=r"names a proxy for https:// that is none. Set HTTPS_PROXY") as caught:
        link(BEHIND_THE_PROXY)
    assert "secret" not in str(caught.value)


class Proxy(ThreadingHTTPServer):
    """A proxy that leads to one port of this machine, whatever it is asked for."""

    daemon_threads = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.target = target
        self.asked: list[tuple[str, str]] = []  # what for, and who


class Tunnel(BaseHTTPRequestHandler):
    """One connection through the proxy."""

    server: Proxy

    def do_CONNECT(self) -> None:
        login = self.headers["Proxy-Authorization"].removeprefix("Basic ")
        self.server.asked.append((self.path, b64decode(login).decode()))
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", self.server.target)) as far:
            back = threading.Thread(target=_carry, args=(far, self.connection), daemon=True)
            back.start()
            _carry(self.connection, far)
            back.join()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A proxy that leads to a port."""
    with Proxy(port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), name="proxy")
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


def _registered(link: HttpLink) -> Welcome:
    try:
        return link.register(uuid4(), facts())
    except Exception as error:
        raise AssertionError(str(error)) from error


def test_a_web_server_without_a_whole_certificate_does_not_begin(tmp_path):
    cert, key = write_certificate(tmp_path)
    _, foreign = write_certificate(tmp_path, "other-")

    def found(cert: Path | None, key: Path | None) -> dict[str, str]:
        given = {"TRADEWIND__API__SSL_CERT": cert, "TRADEWIND__API__SSL_KEY": key}
        return find_certificate(load_config({k: str(v) for k, v in given.items() if v}, tmp_path))

    assert found(None, None) == {}
    assert found(cert, key) == {"certfile": str(cert), "keyfile": str(key)}
    with pytest.raises(UsageError, match="needs both"):
        found(cert, None)
    with pytest.raises(UsageError, match="No such file"):
        found(cert, tmp_path / "none.pem")
    with pytest.raises(UsageError, match=r"belong\s+together"):
        found(cert, foreign)
