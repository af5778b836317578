"""How is mail made and sent? Messages, sessions with mail servers, and what ``airflow.utils.email`` offers."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterable, Sequence
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

from tradewind.sdk.connection import Connection
from tradewind.sdk.exceptions import AirflowNotFoundException

SSL_PORT: Final = 465


def get_email_address_list(addresses: str | Iterable[str]) -> list[str]:
    """Return the addresses of a text, which may be parted by commas or semicolons, or of texts."""
    texts = [addresses] if isinstance(addresses, str) else list(addresses)
    return [part.strip() for text in texts for part in text.replace(";", ",").split(",") if part.strip()]


def build_mime_message(
    mail_from: str | None,
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Sequence[str] | None = None,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",
    mime_charset: str = "utf-8",
    custom_headers: dict[str, Any] | None = None,
) -> tuple[MIMEMultipart, list[str]]:
    """Return a message, and all addresses to which it goes."""
    recipients = get_email_address_list(to)
    message = MIMEMultipart(mime_subtype)
    message["Subject"], message["From"], message["To"] = subject, mail_from or "", ", ".join(recipients)
    if cc:
        copies = get_email_address_list(cc)
        message["CC"] = ", ".join(copies)
        recipients += copies
    if bcc:
        recipients += get_email_address_list(bcc)
    message["Date"] = formatdate(localtime=True)
    for name, value in (custom_headers or {}).items():
        message[name] = str(value)
    message.attach(MIMEText(html_content, "html", mime_charset))
    for name in files or ():
        part = MIMEApplication(Path(name).read_bytes(), Name=Path(name).name)
        part["Content-Disposition"] = f'attachment; filename="{Path(name).name}"'
        message.attach(part)
    return message, recipients


def send_email(
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Sequence[str] | None = None,
    dryrun: bool = False,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",
    mime_charset: str = "utf-8",
    conn_id: str | None = None,
    custom_headers: dict[str, Any] | None = None,
    **_: Any,
) -> None:
    """Send a message over the connection ``conn_id`` (``smtp_default``): host, port, login, password.

    Raises:
        AirflowNotFoundException: there is no such connection.
    """
    connection = Connection.get(conn_id or "smtp_default")
    extra = connection.extra_dejson
    sender = extra.get("from_email") or connection.login or "airflow@example.com"
    message, recipients = build_mime_message(
        sender, to, subject, html_content, files, cc, bcc, mime_subtype, mime_charset, custom_headers
    )
    if not dryrun:
        send_mime_email(sender, recipients, message, connection.conn_id or "smtp_default")


send_email_smtp = send_email


def send_mime_email(
    e_from: str,
    e_to: str | list[str],
    mime_msg: MIMEMultipart | EmailMessage,
    conn_id: str = "smtp_default",
    dryrun: bool = False,
) -> None:
    """Send a finished message.

    Raises:
        AirflowNotFoundException: there is no such connection, or it names no host.
    """
    connection = Connection.get(conn_id)
    if not connection.host:
        raise AirflowNotFoundException(f"Connection {conn_id!r} names no host. Set it to that of the mail server.")
    is_ssl = not connection.extra_dejson.get("disable_ssl", connection.port != SSL_PORT)
    if dryrun:
        return
    with begin_session(connection, is_ssl=is_ssl) as server:
        server.sendmail(e_from, e_to, mime_msg.as_string())


def begin_session(connection: Connection, *, is_ssl: bool) -> smtplib.SMTP:
    """Begin a session with the mail server of ``connection``, and log in where it has a login and a password.

    The extra may hold ``timeout`` (seconds, 30 by default), ``ssl_context`` (``"none"``: any certificate is good) and
    ``disable_tls``: without that a session that is not encrypted from its beginning is by STARTTLS, when the server
    offers it.

    Raises:
        OSError, smtplib.SMTPException: the server does not answer, or does not take the login.
    """
    host, extra = connection.host or "", connection.extra_dejson
    timeout = float(extra.get("timeout", 30))
    tls = ssl.create_default_context()
    if extra.get("ssl_context") == "none":
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if is_ssl:
        client: smtplib.SMTP = smtplib.SMTP_SSL(host, connection.port or SSL_PORT, timeout=timeout, context=tls)
    else:
        client = smtplib.SMTP(host, connection.port or 25, timeout=timeout)
    try:
        client.ehlo()
        if not is_ssl and client.has_extn("starttls") and not extra.get("disable_tls"):
            client.starttls(context=tls)
        if connection.login and connection.password:
            client.login(connection.login, connection.password)
    except BaseException:
        client.close()
        raise
    return client
