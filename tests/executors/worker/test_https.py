"""Is the web server that a worker speaks to the one that it should be? Certificates, on a real server that has one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from executors.worker.http_link import HttpLink
from tests.executors.worker.control import TOKEN, facts, remote
from tests.support.waiting import wait_until
from tests.webui.processes import free_port
from tradewind.config import load_config
from tradewind.errors import UsageError
from webui.server import find_certificate

ROOT = Path(__file__).parents[3]


def write_certificate(folder: Path, name: str = "") -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tradewind")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
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


def test_a_worker_speaks_to_the_web_server_that_its_authority_vouches_for_and_to_no_other(server, tmp_path):
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


def _registered(link: HttpLink) -> object:
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
