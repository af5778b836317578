"""The DAG file of a version, with colours."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from tradewind.metadata.dags import list_versions, load_source
from webui.pages.shared import dag_head
from webui.web import web

pages: Final = Blueprint("code", __name__)
MAX_COLOURED: Final = 5000
"""Lines beyond which a file is shown without colours."""


@pages.get("/dags/<dag_id>/code", endpoint="code")
def code(dag_id: str) -> ResponseReturnValue:
    wanted = request.args.get("version", "")
    with web().db.read() as tx:
        head = dag_head(tx, dag_id)
        versions = list_versions(tx, dag_id)
        shown = next((v for v in versions if str(v.number) == wanted), versions[0] if versions and not wanted else None)
        if shown is None:
            abort(404, description=f"DAG {dag_id!r} has no version {wanted or 1}.")
        source = load_source(tx, shown.id).decode("utf-8", "replace")
    if request.args.get("_p") == "raw":
        response = Response(source, mimetype="text/plain")
        response.headers["Content-Disposition"] = "attachment; filename=dag.py"
        return response
    line = head.import_error.line if head.import_error and shown is versions[0] else None
    return render_template(
        "code.html", head=head, versions=versions, shown=shown, code=highlight_python(source), mark=line, tab="code",
        lines=source.count("\n") + 1,
    )  # fmt: skip


@lru_cache(maxsize=32)
def highlight_python(source: str) -> Markup:
    """Return Python source as HTML rows with line numbers, its tokens in classes."""
    if source.count("\n") > MAX_COLOURED:
        return _rows(str(escape(source)).split("\n"))
    # Imported when first used: 3 MB that only this page needs.
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    html = highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    return _rows(html.rstrip("\n").split("\n"))


def _rows(lines: list[str]) -> Markup:
    return Markup("").join(
        Markup('<p id="L{0}"><a href="#L{0}">{0}</a><span>{1}</span></p>').format(number, Markup(line))
        for number, line in enumerate(lines, start=1)
    )
