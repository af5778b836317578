"""Who tells by mail how a run or a task ended? ``SmtpNotifier``, e.g. as ``on_failure_callback=``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tradewind.sdk.hooks.smtp import SmtpHook
from tradewind.sdk.notifier import BaseNotifier

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class SmtpNotifier(BaseNotifier):
    """Sends one message; its texts are templates.

    Args:
        to, cc, bcc: addresses.
        from_email: None: as the connection says.
        subject, html_content: None: which task of which run it is about.
    """

    template_fields: Sequence[str] = (
        "from_email", "to", "subject", "html_content", "files", "cc", "bcc", "mime_subtype", "mime_charset",
        "custom_headers",
    )  # fmt: skip

    def __init__(
        self,
        to: str | list[str],
        from_email: str | None = None,
        subject: str | None = None,
        html_content: str | None = None,
        files: list[str] | None = None,
        cc: str | list[str] | None = None,
        bcc: str | list[str] | None = None,
        mime_subtype: str = "mixed",
        mime_charset: str = "utf-8",
        custom_headers: dict[str, Any] | None = None,
        smtp_conn_id: str = SmtpHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to: Any = to
        self.from_email: Any = from_email
        self.subject: Any = (
            subject or "DAG {{ dag.dag_id }}, run {{ run_id }}{% if ti %}, task {{ ti.task_id }}{% endif %}"
        )
        self.html_content: Any = html_content or (
            "<p>DAG {{ dag.dag_id }}, run {{ run_id }}{% if ti %}, task {{ ti.task_id }}: {{ ti.state }}{% endif %}</p>"
        )
        self.files: Any = files or []
        self.cc: Any = cc
        self.bcc: Any = bcc
        self.mime_subtype: Any = mime_subtype
        self.mime_charset: Any = mime_charset
        self.custom_headers: Any = custom_headers
        self.smtp_conn_id = smtp_conn_id

    def notify(self, context: Context) -> None:
        """Send it."""
        with SmtpHook(self.smtp_conn_id) as hook:
            hook.send_email_smtp(**{name: getattr(self, name) for name in self.template_fields})


send_smtp_notification = SmtpNotifier
"""The name that callbacks use in Airflow."""
