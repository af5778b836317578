"""The first page: is everything well, what failed, what runs, what comes next."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template

from tradewind.metadata.pools import list_pools, pool_use
from tradewind.metadata.views import home, runs
from tradewind.model.states import RunState
from webui.web import now, web

pages: Final = Blueprint("home", __name__)


@pages.get("/", endpoint="home")
def home_page() -> str:
    at = web().db.now()  # leases are told by the clock of the database, whatever that of this host says
    with web().db.read() as tx:
        counts = home.counts(tx, now())
        processes = home.list_processes(tx, at)
        failed = runs.list_run_lines(tx, states=[RunState.FAILED], limit=8)
        running = runs.list_run_lines(tx, states=[RunState.RUNNING, RunState.QUEUED], limit=12)
        failures = home.first_failures(tx, [run.pk for run in failed])
        pools, use = list_pools(tx), pool_use(tx)
        coming = home.next_runs(tx, 8)
    schedulers = [process for process in processes if process.kind == "scheduler"]
    return render_template(
        "home.html",
        counts=counts,
        processes=processes,
        leases_at=at,
        scheduler_is_up=any(process.expires_at > at for process in schedulers),
        failed=failed,
        failures=failures,
        running=running,
        pools=pools,
        use=use,
        coming=coming,
    )
