"""The DAG files that could not be read, with line and traceback."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template, request

from tradewind.metadata.dags import count_import_errors, list_import_errors
from webui.web import web

pages: Final = Blueprint("import_errors", __name__)
PAGE: Final = 50


@pages.get("/import_errors", endpoint="import_errors")
def import_errors() -> str:
    with web().db.read() as tx:
        errors = list_import_errors(tx, after=request.args.get("after", ""), limit=PAGE + 1)
        total = count_import_errors(tx)
    return render_template(
        "import_errors.html",
        errors=errors[:PAGE],
        total=total,
        after=errors[PAGE - 1].path if len(errors) > PAGE else None,
    )
