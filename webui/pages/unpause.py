"""The page that asks before a DAG is unpaused that has missed runs: all of them now, or none?"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webui.actions import foresee, unpause_dag
from webui.auth.guard import needs

pages: Final = Blueprint("unpause", __name__)


@pages.get("/dags/<dag_id>/unpause", endpoint="unpause")
@needs("user")
def form(dag_id: str) -> str:
    return render_template("unpause.html", dag_id=dag_id, missed=foresee(dag_id))


@pages.post("/dags/<dag_id>/unpause")
@needs("user")
def submit(dag_id: str) -> ResponseReturnValue:
    is_skipping = request.form.get("missed") == "skip"
    done = unpause_dag(dag_id, skip_missed=is_skipping)
    if not done.has_changed:
        flash(f"{dag_id} was not paused.")
    elif is_skipping:
        flash(f"{dag_id} runs on its schedule: {done.missed.count:,} missed runs are left out.")
    else:
        flash(f"{dag_id} runs on its schedule: {done.missed}.")
    return redirect(url_for("grid.dag", dag_id=dag_id))
