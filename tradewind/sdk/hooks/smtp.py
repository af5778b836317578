"""How does a task send mail? ``SmtpHook``: one session with the mail server of a connection."""

from __future__ import annotations

import smtplib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tradewind.sdk.connection import BaseHook, Connection
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.mail import SSL_PORT, begin_session, build_mime_message


class SmtpHook(BaseHook):
    """Sends mail. ``with SmtpHook("mail") as hook: hook.send_email_smtp(...)``.

    The connection holds host, port, login and password. Its extra may hold ``from_email``, ``timeout`` (seconds, 30 by
    default), ``retry_limit`` (5), ``disable_ssl``, ``disable_tls``, ``ssl_context`` (``"none"``: any certificate is
    good), ``subject_template`` and ``html_content_template`` (paths of files). Without ``disable_ssl`` the session is
    encrypted from its beginning when the port is 465 or not named; else by STARTTLS when the server offers it.
    """

    conn_name_attr = "smtp_conn_id"
    default_conn_name = "smtp_default"
    conn_type = "smtp"
    hook_name = "SMTP"

    def __init__(self, smtp_conn_id: str = default_conn_name, auth_type: str = "basic", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if auth_type != "basic":
            raise AirflowException(
                f"SmtpHook logs in with login and password only, not by auth_type={auth_type!r}. Install "
                "apache-airflow-providers-smtp for others."
            )
        self.smtp_conn_id = smtp_conn_id
        self.smtp_connection: Connection | None = None
        self.smtp_client: smtplib.SMTP | None = None

    @property
    def conn(self) -> Connection:
        """The connection.

        Raises:
            AirflowNotFoundException: there is none of that name.
            AirflowException: it names no host.
        """
        if self.smtp_connection is None:
            self.smtp_connection = self.get_connection(self.smtp_conn_id)
        if not self.smtp_connection.host:
            raise AirflowException(f"Connection {self.smtp_conn_id!r} has no host. Set it to that of the mail server.")
        return self.smtp_connection

    def _extra(self, name: str, default: Any = None) -> Any:
        return self.conn.extra_dejson.get(name, default)

    @property
    def from_email(self) -> str | None:
        """From whom mail is, when nobody says: the extra's ``from_email``, else the login when it is an address."""
        login = self.conn.login or ""
        found: str | None = self._extra("from_email") or (login if "@" in login else None)
        return found

    @property
    def subject_template(self) -> str | None:
        """The path of a template for subjects."""
        found: str | None = self._extra("subject_template")
        return found

    @property
    def html_content_template(self) -> str | None:
        """The path of a template for texts."""
        found: str | None = self._extra("html_content_template")
        return found

    def get_conn(self) -> Self:
        """Begin the session, unless it has begun; tries again when the server does not answer.

        Raises:
            AirflowException: it does not answer, or does not take the login.
        """
        if self.smtp_client is None:
            self.smtp_client = self._connected(max(1, int(self._extra("retry_limit", 5))))
        return self

    def _connected(self, tries: int) -> smtplib.SMTP:
        place = f"{self.conn.host}:{self.conn.port or 'its usual port'}"
        for left in reversed(range(tries)):
            try:
                return self._begin()
            except smtplib.SMTPServerDisconnected as error:
                if not left:
                    raise AirflowException(f"The mail server {place} hung up {tries} times: {error}.") from error
            except (OSError, smtplib.SMTPException) as error:
                raise AirflowException(f"The mail server {place} cannot be used: {error}.") from error
        raise AssertionError("the last try returns or raises")

    def _begin(self) -> smtplib.SMTP:
        is_ssl = not self._extra("disable_ssl", self.conn.port not in (None, SSL_PORT))
        return begin_session(self.conn, is_ssl=is_ssl)

    def send_email_smtp(
        self,
        *,
        to: str | Iterable[str],
        subject: str | None = None,
        html_content: str | None = None,
        from_email: str | None = None,
        files: Sequence[str] | None = None,
        dryrun: bool = False,
        cc: str | Iterable[str] | None = None,
        bcc: str | Iterable[str] | None = None,
        mime_subtype: str = "mixed",
        mime_charset: str = "utf-8",
        custom_headers: dict[str, Any] | None = None,
        **_kwargs: Any,
    ) -> None:
        """Send one message.

        Args:
            to, cc, bcc: addresses: texts, which may be parted by commas or semicolons.
            files: paths, to be attached.
            dryrun: make the message, and send nothing.

        Raises:
            AirflowException: nobody says from whom it is, there is nobody to send it to, or the server refuses it.
        """
        sender = from_email or self.from_email
        if not sender:
            raise AirflowException(
                f'There is no sender. Give from_email, or set {{"from_email": ...}} in the extra of connection '
                f"{self.smtp_conn_id!r}."
            )
        message, recipients = build_mime_message(
            sender, to, subject or "", html_content or "", files, cc, bcc, mime_subtype, mime_charset, custom_headers
        )
        if not recipients:
            raise AirflowException("There is nobody to send the message to. Give an address in to.")
        if dryrun:
            return
        self.get_conn()
        assert self.smtp_client is not None
        try:
            refused = self.smtp_client.sendmail(sender, recipients, message.as_string())
        except smtplib.SMTPException as error:
            raise AirflowException(f"The mail server did not take the message {subject!r}: {error}.") from error
        self.log.info("Sent the message %r to %s", subject, ", ".join(recipients))
        for address, (code, why) in refused.items():
            self.log.warning("The mail server refused %s: %s %s", address, code, why.decode(errors="replace"))

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the mail server answers and takes the login, and a sentence about it."""
        try:
            with self:
                return True, "The mail server answers."
        except AirflowException as error:
            return False, str(error)

    def __enter__(self) -> Self:
        return self.get_conn()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client, self.smtp_client = self.smtp_client, None
        if client is not None:
            with suppress(OSError, smtplib.SMTPException):  # it may be gone
                client.quit()
            client.close()
