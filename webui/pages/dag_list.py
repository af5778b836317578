"""The list of DAGs, with filters, the newest runs of each, and the pause switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tradewind.metadata.views.dag_list import (
    COUNT_CAP,
    DagFilter,
    RunBar,
    count_by_tag,
    count_dag_lines,
    list_dag_lines,
    newest_runs,
)
from webui.actions import foresee, pause_dag, unpause_dag
from webui.auth.guard import needs
from webui.formats import between
from webui.web import now, page_args, web

pages: Final = Blueprint("dag_list", __name__)
PAGE: Final = 50
BARS: Final = 14
SHOWS: Final = (
    ("", "All"), ("active", "Active"), ("running", "Running"), ("failed", "Failed"), ("paused", "Paused"),
    ("error", "Import error"),
)  # fmt: skip


@pages.get("/dags", endpoint="dags")
def dag_list() -> str:
    wanted = DagFilter(
        text=request.args.get("q", "").strip(),
        tags=tuple(request.args.getlist("tag")),
        owner=request.args.get("owner", "").strip(),
        show=request.args.get("show", ""),
    )
    after = request.args.get("after", "")
    with web().db.read() as tx:
        lines = list_dag_lines(tx, wanted, after=after, limit=PAGE + 1)
        total = count_dag_lines(tx, wanted)
        tags = count_by_tag(tx)
        bars = newest_runs(tx, [line.dag_id for line in lines[:PAGE]], BARS)
    following = page_args(after=lines[PAGE - 1].dag_id) if len(lines) > PAGE else None
    return render_template(
        "dags.html",
        wanted=wanted,
        lines=lines[:PAGE],
        bars={dag_id: run_bars(runs) for dag_id, runs in bars.items()},
        newest={dag_id: runs[-1] for dag_id, runs in bars.items() if runs},
        total=total,
        is_capped=total >= COUNT_CAP,
        tags=tags,
        shows=SHOWS,
        following=following,
        is_first=not after,
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in a small bar chart: 24 pixels high, 8 for each bar."""

    x: int
    height: int
    run: RunBar
    length: float  # seconds

    @property
    def y(self) -> int:
        """Where the bar begins."""
        return 24 - self.height


def run_bars(runs: list[RunBar], slots: int = BARS) -> list[Bar]:
    """Return the bars of these runs, the newest at the right end; the longest one is as high as the chart."""
    lengths = [between(run.started_at, run.ended_at, now()) or 0.0 for run in runs]
    longest = max(lengths, default=0.0) or 1.0
    first = slots - len(runs)
    return [
        Bar((first + number) * 8, max(4, round(22 * min(1.0, length / longest))), run, length)
        for number, (run, length) in enumerate(zip(runs, lengths, strict=True))
    ]


@pages.post("/dags/<dag_id>/pause", endpoint="pause")
@needs("user")
def pause(dag_id: str) -> ResponseReturnValue:
    is_script = request.headers.get("Accept", "").startswith("application/json")
    if request.form.get("paused", "") == "true":
        pause_dag(dag_id)
        said = f"{dag_id} is paused"
    elif foresee(dag_id).count > 1:  # that many at once are seldom meant
        ask = url_for("unpause.unpause", dag_id=dag_id)
        return jsonify(dag_id=dag_id, is_paused=True, ask=ask) if is_script else redirect(ask)
    else:
        said = f"{dag_id} runs on its schedule: {unpause_dag(dag_id).missed}"
    if is_script:
        return jsonify(dag_id=dag_id, is_paused=request.form.get("paused") == "true", said=said)
    flash(f"{said}.")
    return redirect(back_to(url_for("dag_list.dags")))


def back_to(other: str) -> str:
    """Return the page that a form was on, when it is one of ours, else ``other``."""
    referrer = urlsplit(request.referrer or "")
    if referrer.netloc != request.host or not referrer.path.startswith("/"):
        return other
    return referrer.path + (f"?{referrer.query}" if referrer.query else "")
