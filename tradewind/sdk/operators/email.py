"""How is mail sent as a task? ``EmailOperator``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tradewind.sdk.context_values import Context
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.hooks.smtp import SmtpHook
from tradewind.sdk.operator import BaseOperator

if TYPE_CHECKING:
    from tradewind.sdk.context import Context as AnyContext


class EmailOperator(BaseOperator):
    """Sends one message.

    Args:
        to, cc, bcc: addresses: lists of texts, or texts, which may be parted by commas or semicolons.
        subject, html_content: None: from the templates that the connection names.
        from_email: None: as the connection says.
        files: paths, to be attached.
    """

    template_fields: Sequence[str] = (
        "to", "subject", "html_content", "from_email", "files", "cc", "bcc", "mime_subtype", "mime_charset", "conn_id",
        "custom_headers",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"html_content": "html"}
    template_ext: Sequence[str] = (".html",)
    ui_color = "#e6faf9"

    def __init__(
        self,
        *,
        to: list[str] | str,
        subject: str | None = None,
        html_content: str | None = None,
        from_email: str | None = None,
        files: list[str] | None = None,
        cc: list[str] | str | None = None,
        bcc: list[str] | str | None = None,
        mime_subtype: str = "mixed",
        mime_charset: str = "utf-8",
        conn_id: str = "smtp_default",
        custom_headers: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to: Any = to
        self.subject: Any = subject
        self.html_content: Any = html_content
        self.from_email: Any = from_email
        self.files: Any = files or []
        self.cc: Any = cc
        self.bcc: Any = bcc
        self.mime_subtype: Any = mime_subtype
        self.mime_charset: Any = mime_charset
        self.conn_id: Any = conn_id
        self.custom_headers: Any = custom_headers

    def execute(self, context: AnyContext) -> None:
        """Send it."""
        with SmtpHook(self.conn_id) as hook:
            if self.subject is None:
                self.subject = self._rendered(context, "subject", hook.subject_template)
            if self.html_content is None:
                self.html_content = self._rendered(context, "html_content", hook.html_content_template)
            hook.send_email_smtp(
                to=self.to,
                subject=self.subject,
                html_content=self.html_content,
                from_email=self.from_email,
                files=self.files,
                cc=self.cc,
                bcc=self.bcc,
                mime_subtype=self.mime_subtype,
                mime_charset=self.mime_charset,
                custom_headers=self.custom_headers,
            )

    def _rendered(self, context: AnyContext, name: str, path: str | None) -> Any:
        if not path:
            raise AirflowException(
                f"{self.who}: {name} is not given. Give it, or set {name}_template in the extra of connection "
                f"{self.conn_id!r} to the path of a file."
            )
        text = Path(path).read_text(encoding="utf-8").replace("\n", "").strip()
        return Context.of(context).render(self, text)
