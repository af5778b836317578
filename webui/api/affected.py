"""How does the REST API say what would change, or has changed? As task instances and runs, like everywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradewind.metadata.run_choice import RunChoice, list_page
from tradewind.metadata.views.run_search import find_task_lines
from tradewind.metadata.views.versions import find_versions
from webui.api.run_routes import task_shapes
from webui.api.shapes import run_shape
from webui.pages.shared import get_run
from webui.web import web

if TYPE_CHECKING:
    from scheduler.operating import requests

TOO_MANY: Final = 10_000
"""So many runs, and so many task instances, are told of; the others are only counted."""


def affected(found: requests.Preview, *, with_new: bool = False) -> list[dict[str, Any]]:
    """Return the task instances that change, as they are now.

    Args:
        with_new: name those, too, that would come to be with the newest version of the DAG.
    """
    shapes: list[dict[str, Any]] = []
    with web().db.read() as tx:
        for effect in found.first:
            run = get_run(tx, effect.run.dag_id, effect.run.run_id)
            keys = [task.key for task in effect.tasks][: TOO_MANY - len(shapes)]
            lines = find_task_lines(tx, run.pk, keys)
            shapes += task_shapes(tx, run, lines)
            there = {(line.task_id, line.map_index) for line in lines}
            if with_new:
                shapes += [new_shape(task_id) for task_id, index in keys if (task_id, index) not in there]
            if len(shapes) >= TOO_MANY:
                break
    return shapes


def new_shape(task_id: str) -> dict[str, Any]:
    """Return a task that a run has not got yet as ``NewTaskResponse``."""
    return {"task_id": task_id, "task_display_name": task_id}


def changed_runs(choice: RunChoice) -> list[dict[str, Any]]:
    """Return the runs that are chosen, as they are now."""
    with web().db.read() as tx:
        runs = [get_run(tx, run.dag_id, run.run_id) for run in list_page(tx, choice, None, TOO_MANY)]
        versions = find_versions(tx, {run.version_id for run in runs})
    return [run_shape(run, versions.get(run.version_id)) for run in runs]
