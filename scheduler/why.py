"""Why is it not running, or why did it die? One sentence for each run and task, from the code that decides.

A run may have a hundred thousand instances. It is never loaded whole: instances of which the same can be said are one
sentence, about the first of them, and of a long list the first part is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from scheduler.assets import missing_assets
from scheduler.reasons.of_runs import about_run
from scheduler.reasons.of_tasks import about_task, absent
from scheduler.reasons.scene import Scene, no_scheduler, set_scene
from tradewind.errors import NotFound
from tradewind.metadata import dags, processes, runs
from tradewind.metadata.causes import import_error
from tradewind.metadata.dags import DagRow
from tradewind.metadata.database import Database
from tradewind.metadata.instance_groups import InstanceGroup, group_instances, read_instances
from tradewind.metadata.processes import ProcessRecord
from tradewind.metadata.runs import RunRecord
from tradewind.model.events import NO_MAP
from tradewind.model.states import FINAL_RUN_STATES, TaskState

LIMIT: Final = 200
"""How many sentences about tasks are given at once."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence about a DAG, a run (``run_id`` set) or a task (``task_id`` set).

    Attributes:
        more: of how many further map indexes the same can be said.
    """

    dag_id: str
    state: str
    text: str
    run_id: str | None = None
    task_id: str | None = None
    map_index: int = NO_MAP
    more: int = 0


def explain(
    db: Database,
    dag_id: str,
    run_id: str | None = None,
    task_id: str | None = None,
    map_index: int = NO_MAP,
    *,
    limit: int = LIMIT,
) -> list[Reason]:
    """Say why things are as they are.

    Args:
        run_id: None: the newest run.
        task_id: None: the run itself and every task that is not done or went wrong.
        map_index: of a mapped task; left out, all its indexes are meant.
        limit: so many sentences about tasks at most; one more says how many were left out.

    Returns:
        The sentence about the run first (or about the DAG, when it has no run), then those about tasks, those that
        failed among the first where there are too many; last, when the newest run is over and no other was asked for,
        the assets that the next one waits for; and what is wrong with the DAG's file.

    Raises:
        NotFound: no such DAG, run or task; the nearest name is offered.
    """
    with db.read() as tx:
        now = db.now()
        dag = dags.get_dag(tx, dag_id)
        run = _find_run(tx, dag_id, run_id)
        schedulers = processes.list_processes(tx, kind="scheduler", alive_at=now)
        if run is None:
            reasons = [Reason(dag_id, "paused" if dag.is_paused else "active", _about_dag(tx, dag, schedulers))]
            return reasons + _about_file(tx, dag)
        groups = _groups(tx, run, task_id, map_index, limit)
        scene = set_scene(tx, dag, run, schedulers, now, [(group.task_id, group.first) for group in groups[:limit]])
        found = [Reason(dag_id, run.state, about_run(scene), run.run_id), *_about_tasks(scene, groups, limit)]
        if task_id is not None and not groups:
            found.append(_about_absent(scene, task_id, map_index))
        waits = missing_assets(tx, dag) if run_id is None and run.ended_at is not None else None
        if waits:
            found.append(Reason(dag_id, "waiting", waits))
        return found + (_about_file(tx, dag) if task_id is None or not groups else [])


def _find_run(tx: Connection, dag_id: str, run_id: str | None) -> RunRecord | None:
    if run_id is None:
        return next(iter(runs.list_runs(tx, dag_id=dag_id, limit=1)), None)
    run = runs.find_run(tx, dag_id, run_id)
    if run is None:
        known = [r.run_id for r in runs.list_runs(tx, dag_id=dag_id, limit=200)]
        raise NotFound("DAG run", run_id, known, f"See `tradewind dags list-runs {dag_id}`.")
    return run


def _about_dag(tx: Connection, dag: DagRow, schedulers: list[ProcessRecord]) -> str:
    if not dag.is_active:
        return f"its file {dag.file_path} no longer defines it"
    if dag.is_paused:
        return f"it is paused; unpause it with `tradewind dags unpause {dag.dag_id}`"
    waits = missing_assets(tx, dag)
    if dag.next_run_after is None and waits is not None:
        return waits + no_scheduler(schedulers)
    if dag.next_run_after is None:
        return f"it has no schedule; start a run with `tradewind dags trigger {dag.dag_id}`"
    due = f"its first run is due at {dag.next_run_after.isoformat()}"
    return f"{due}, or earlier: {waits}" if waits else due + no_scheduler(schedulers)


def _about_file(tx: Connection, dag: DagRow) -> list[Reason]:
    """Return what is wrong with the file of a DAG: it goes on as its file was last good."""
    if not dag.is_active:
        return []
    wrong = import_error(tx, dag.file_path)
    if wrong is None:
        return []
    error, line = wrong
    where = dag.file_path if line is None else f"{dag.file_path}, line {line}"
    text = f"its file cannot be imported, so it goes on as it was before ({where}): {error}"
    return [Reason(dag.dag_id, "import error", text)]


# --- tasks -----------------------------------------------------------------------------------------------------------


def _groups(tx: Connection, run: RunRecord, task_id: str | None, map_index: int, limit: int) -> list[InstanceGroup]:
    if task_id is None:
        quiet = [TaskState.SUCCESS] if run.state not in FINAL_RUN_STATES else [TaskState.SUCCESS, TaskState.NONE]
        return group_instances(tx, run.pk, quiet, limit=limit + 1)
    one = read_instances(tx, run.pk, [(task_id, map_index)])
    found = [InstanceGroup(task.task_id, task.state, task.map_index, 1) for task in one]
    if found or map_index != NO_MAP:
        return found
    return group_instances(tx, run.pk, (), limit=limit + 1, task_id=task_id)


def _about_tasks(scene: Scene, groups: list[InstanceGroup], limit: int) -> list[Reason]:
    place = {task_id: number for number, task_id in enumerate(scene.held.version.graph.tasks)}
    shown = sorted(groups[:limit], key=lambda group: (place.get(group.task_id, len(place)), group.first))
    reasons = []
    for group in shown:
        task = scene.part.view.tasks.get((group.task_id, group.first))
        if task is None:  # it has gone since: its indexes have taken its place
            continue
        text, more = about_task(scene, task), group.count - 1
        if more:
            text += f"; and {more:,} more {'index' if more == 1 else 'indexes'} like it"
        run = scene.run
        reasons.append(Reason(run.dag_id, task.state, text, run.run_id, task.task_id, task.map_index, more))
    if len(groups) > limit:
        reasons.append(Reason(scene.run.dag_id, "...", _left_out(scene, groups[:limit]), scene.run.run_id))
    return reasons


def _left_out(scene: Scene, shown: list[InstanceGroup]) -> str:
    quiet = {TaskState.SUCCESS} | ({TaskState.NONE} if scene.run.state in FINAL_RUN_STATES else set())
    there = sum(n for (_, state), n in scene.part.counts.items() if state not in quiet)
    left = max(1, there - sum(group.count for group in shown))
    return (
        f"{left:,} more are not done or went wrong; ask for one of them: "
        f"`tradewind why {scene.run.dag_id} {scene.run.run_id} TASK`"
    )


def _about_absent(scene: Scene, task_id: str, map_index: int) -> Reason:
    """Return why a run has no such instance.

    Raises:
        NotFound: its DAG has no such task, in the version of the run.
    """
    if task_id not in scene.whole.graph.tasks:
        known = list(scene.whole.graph.tasks)
        raise NotFound("task", task_id, known, f"See `tradewind tasks list {scene.run.dag_id}`.")
    return Reason(scene.run.dag_id, "none", absent(scene, task_id, map_index), scene.run.run_id, task_id, map_index)
