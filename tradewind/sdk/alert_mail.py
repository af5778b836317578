"""Who gets a mail when a task fails? Those whom ``email=`` names, over the connection ``smtp_default``.

Texts can be changed as in Airflow: ``[email] subject_template`` and ``html_content_template`` name files of templates,
``[email] email_backend`` a function of one's own that sends them.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradewind.compat.standins.conf import conf
from tradewind.sdk.callback import import_path
from tradewind.sdk.mail import get_email_address_list, send_email
from tradewind.sdk.templates import Renderer

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.operator import BaseOperator

_OWN_BACKEND: Final = "airflow.utils.email.send_email_smtp"
_SUBJECT: Final = "Tradewind: {{ ti.dag_id }}.{{ ti.task_id }} of run {{ run_id }} failed"
_TEXT: Final = """\
<p>Try {{ try_number }} of {{ max_tries + 1 }} of task <b>{{ ti.task_id }}</b> in DAG <b>{{ ti.dag_id }}</b>,
run {{ run_id }}, has failed.</p>
<p>{{ exception_html }}</p>
<p>Its log in the web UI: {{ ti.log_url }}</p>
"""


def send_alert(task: BaseOperator, context: Context, error: BaseException) -> None:
    """Send the mail about one failed try.

    Raises:
        Exception: it cannot be sent, e.g. there is no connection ``smtp_default``.
    """
    values = context.with_extra(
        {
            "exception": error,
            "exception_html": html.escape(str(error)).replace("\n", "<br>"),
            "max_tries": context["ti"].max_tries,
        }
    )
    renderer = Renderer(task, values)
    subject = renderer.render_value(_template("subject_template", _SUBJECT))
    text = renderer.render_value(_template("html_content_template", _TEXT))
    _sender()(get_email_address_list(task.email or ()), subject, text)


def _template(option: str, default: str) -> str:
    path = conf.get("email", option, fallback=None)
    return Path(path).read_text(encoding="utf-8") if path and Path(path).is_file() else default


def _sender() -> Any:
    backend = conf.get("email", "email_backend", fallback=_OWN_BACKEND)
    return send_email if not backend or backend == _OWN_BACKEND else import_path(backend)
