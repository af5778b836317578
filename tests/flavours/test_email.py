"""Does mail reach a real mail server as it was meant, and is it told when it does not?"""

from __future__ import annotations

import email
import json
import ssl
from asyncio import Server
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.authoring.support import Rehearsal
from tradewind.model.orders import Outcome
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.hooks.smtp import SmtpHook
from tradewind.sdk.mail import send_email
from tradewind.sdk.operators.email import EmailOperator
from tradewind.sdk.smtp_notifier import SmtpNotifier
from tradewind.sdk.taskflow import task


class Letterbox:
    """Keeps what the server was sent."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        """Of each envelope, whether it came over TLS."""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:
        if address.startswith("nobody"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    @property
    def messages(self) -> list[Message]:
        return [email.message_from_bytes(bytes(envelope.original_content or b"")) for envelope in self.envelopes]


def is_known(_server: Any, _session: Any, _envelope: Any, mechanism: str, given: Any) -> AuthResult:
    assert isinstance(given, LoginPassword)
    return AuthResult(success=(given.login, given.password) == (b"me", b"secret"), handled=False)


class AnyPort(Controller):
    """A mail server on a port that is free."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Iterator[Letterbox]:
    """A mail server that knows one login, and the connection ``smtp_default`` that leads there."""
    with serving(monkeypatch) as box:
        yield box


@pytest.fixture
def sealed_letters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Letterbox]:
    """One that offers STARTTLS besides, with a certificate that nobody has signed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(write_certificate(tmp_path / "server.pem"))
    with serving(monkeypatch, tls_context=tls) as box:
        yield box


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Letterbox]:
    box = Letterbox()
    controller = AnyPort(box, hostname="127.0.0.1", port=0, authenticator=is_known, auth_require_tls=False, **settings)
    controller.start()
    connection = {
        "conn_type": "smtp", "host": "127.0.0.1", "port": controller.port, "login": "me", "password": "secret",
        "extra": {"from_email": "robot@example.org", "timeout": 5, "retry_limit": 1},
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    try:
        yield box
    finally:
        controller.stop()


def write_certificate(path: Path) -> Path:
    """Write a key and a certificate for this host that it has signed itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.org")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key_text + certificate.public_bytes(pem))
    return path


def run(**settings: Any) -> Any:
    dag = DAG("report")
    EmailOperator(task_id="t", dag=dag, **settings)
    return Rehearsal(dag).attempt("t")


def test_a_message_arrives_with_all_its_parts(letters, tmp_path):
    (tmp_path / "sales.csv").write_text("day,amount\n")

    result = run(
        to="ann@example.org; bob@example.org",
        cc=["eve@example.org"],
        bcc="max@example.org",
        subject="Sales of {{ ds }}",
        html_content="<b>Grüße</b> {{ run_id }}",
        files=[str(tmp_path / "sales.csv")],
        custom_headers={"X-Team": "blue"},
    )

    assert result.error is None
    (envelope,), (message,) = letters.envelopes, letters.messages
    assert envelope.mail_from == "robot@example.org"
    assert envelope.rcpt_tos == ["ann@example.org", "bob@example.org", "eve@example.org", "max@example.org"]
    assert (message["Subject"], message["To"]) == ("Sales of 2024-03-05", "ann@example.org, bob@example.org")
    assert (message["CC"], message["BCC"], message["X-Team"]) == ("eve@example.org", None, "blue")
    text, attached = message.get_payload()
    assert text.get_payload(decode=True).decode() == "<b>Grüße</b> manual__1"
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("sales.csv", b"day,amount\n")


def test_texts_may_come_from_the_templates_of_the_connection(letters, tmp_path, monkeypatch):
    (tmp_path / "subject").write_text("Run {{ run_id }}\n")
    (tmp_path / "text").write_text("<p>\n{{ ds }}</p>")
    with_templates("subject_template", tmp_path / "subject", monkeypatch)
    assert "html_content is not given" in (run(to="ann@example.org").error or "")
    with_templates("html_content_template", tmp_path / "text", monkeypatch)

    assert run(to="ann@example.org").error is None

    (message,) = letters.messages
    assert message["Subject"] == "Run manual__1"
    assert message.get_payload()[0].get_payload(decode=True) == b"<p>2024-03-05</p>"


def with_templates(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change one entry of the extra of the connection."""
    import os

    connection = json.loads(os.environ["AIRFLOW_CONN_SMTP_DEFAULT"])
    place = connection["extra"] if name not in connection else connection
    place[name] = str(value) if value is not None else None
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))


@pytest.mark.parametrize(
    ("changes", "settings", "error"),
    [
        ({"password": "wrong"}, {}, "cannot be used: (535"),
        ({"host": ""}, {}, "Connection 'smtp_default' has no host"),
        ({"from_email": ""}, {}, "There is no sender"),
        ({"disable_ssl": ""}, {}, "cannot be used"),  # the server speaks no TLS
        ({}, {"to": "nobody@example.org"}, "did not take the message 'S'"),
        ({}, {"to": []}, "nobody to send the message to"),
        ({}, {"conn_id": "no_such"}, "'no_such' does not exist"),
    ],
)
def test_what_goes_wrong_is_told(letters, monkeypatch, changes, settings, error):
    for name, value in changes.items():
        with_templates(name, value, monkeypatch)

    result = run(**{"to": "ann@example.org", "subject": "S", "html_content": "T", **settings})

    assert result.outcome is Outcome.FAILED
    assert error in result.error
    assert letters.envelopes == []


def test_one_session_carries_many_messages(letters):
    with SmtpHook() as hook:
        for number in range(3):
            hook.send_email_smtp(to="ann@example.org", subject=str(number), html_content="")
        hook.send_email_smtp(to="ann@example.org", subject="never", html_content="", dryrun=True)

    assert [message["Subject"] for message in letters.messages] == ["0", "1", "2"]
    assert hook.test_connection() == (True, "The mail server answers.")


def test_a_notifier_tells_of_a_failure(letters):
    with DAG("report") as dag:

        @task(on_failure_callback=SmtpNotifier(to="ann@example.org", html_content="{{ exception }}"))
        def broken():
            raise ValueError("no rows")

        broken()

    assert Rehearsal(dag).attempt("broken").outcome is Outcome.FAILED

    (message,) = letters.messages
    assert message["Subject"] == "DAG report, run manual__1, task broken"
    assert message.get_payload()[0].get_payload(decode=True) == b"no rows"


def send_by_function() -> None:
    send_email("ann@example.org", "S", "T")


def send_by_hook() -> None:
    with SmtpHook() as hook:
        hook.send_email_smtp(to="ann@example.org", subject="S", html_content="T")


@pytest.mark.parametrize("send", [send_by_function, send_by_hook])
def test_mail_is_encrypted_when_the_server_offers_it(sealed_letters, monkeypatch, send):
    with_templates("ssl_context", "none", monkeypatch)

    send()

    assert sealed_letters.encrypted == [True]


@pytest.mark.parametrize("send", [send_by_function, send_by_hook])
def test_no_mail_goes_to_a_server_whose_certificate_nobody_has_signed(sealed_letters, send):
    with pytest.raises((ssl.SSLCertVerificationError, AirflowException), match="CERTIFICATE_VERIFY_FAILED"):
        send()

    assert sealed_letters.envelopes == []


def test_encryption_can_be_declined(sealed_letters, monkeypatch):
    with_templates("disable_tls", True, monkeypatch)

    send_by_function()

    assert sealed_letters.encrypted == [False]


def test_other_ways_to_log_in_are_refused():
    with pytest.raises(AirflowException, match="not by auth_type='oauth2'"):
        SmtpHook(auth_type="oauth2")
