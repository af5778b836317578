"""Is the projection what the log says? Fold every run's log again and compare; check that nothing is stranded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from sqlalchemy import Connection

from scheduler.versions import VersionCache
from tradewind.errors import IllegalTransition
from tradewind.metadata import audit_runs, runs
from tradewind.metadata.database import Database
from tradewind.metadata.runs import RunRecord
from tradewind.model.events import Event
from tradewind.model.states import ACTIVE_TASK_STATES, FINAL_RUN_STATES, FINAL_TASK_STATES, TaskState
from tradewind.run.view import RunView, TaskView

_PAGE = 200
_RUN_FIELDS = (
    "state", "next_seq", "version_id", "bundle", "queued_at", "started_at", "ended_at", "reason", "held",
    "retries_used", "verdict",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where the metadata DB contradicts itself."""

    dag_id: str
    run_id: str
    text: str


def verify(db: Database, progress: Callable[[int, int], None] | None = None) -> list[Problem]:
    """Check every run, page by page, and return what is wrong; an empty list is a clean database.

    Each run is read in one consistent view, so that it may be called while schedulers work.

    Args:
        progress: called with the number of runs checked and the number of all.
    """
    problems: list[Problem] = []
    versions = VersionCache()
    with db.read() as tx:
        total = audit_runs.count_runs(tx)
    checked, after = 0, 0
    while True:
        with db.read() as tx:
            pks = audit_runs.run_keys(tx, after, _PAGE)
            for run in runs.get_runs(tx, pks):
                problems.extend(Problem(run.dag_id, run.run_id, text) for text in _check_run(tx, run, versions))
        if not pks:
            return problems
        after = pks[-1]
        checked += len(pks)
        if progress is not None:
            progress(checked, total)


def fold(tx: Connection, run: RunRecord, versions: VersionCache) -> RunView:
    """Return the run as its log alone makes it.

    Raises:
        IllegalTransition: an entry cannot follow those before it.
    """
    log = runs.read_events(tx, run.pk)
    subset = log[0].payload.get("task_subset") if log else None
    used = [row.payload["version_id"] for row in log if "version_id" in row.payload] or [run.version_id]
    graphs = {version_id: versions.get(tx, version_id, subset).graph for version_id in used}
    view = RunView(run.pk, run.dag_id, run.run_id, graphs[used[0]], version_id=used[0], graphs=graphs)
    for row in log:
        view.apply(Event(row.kind, row.task_id, row.map_index, row.try_number, row.payload), row.at)
    return view


def _check_run(tx: Connection, run: RunRecord, versions: VersionCache) -> Iterator[str]:
    numbers = [row.seq for row in runs.read_events(tx, run.pk)]
    if numbers != list(range(1, len(numbers) + 1)):
        yield "its log has a gap or does not begin at 1"
        return
    try:
        view = fold(tx, run, versions)
    except (IllegalTransition, KeyError, ValueError) as error:
        yield f"its log cannot be folded: {error}"
        return
    for name in _RUN_FIELDS:
        folded, stored = getattr(view, name), getattr(run, name)
        if folded != stored:
            yield f"{name} is stored as {stored}, and the log says {folded}"
    stored_tasks = {task.key: task for task in runs.list_task_instances(tx, run.pk)}
    if stored_tasks.keys() != view.tasks.keys():
        yield f"its task instances are {sorted(stored_tasks)}, and the log says {sorted(view.tasks)}"
        return
    for key, task in view.tasks.items():
        yield from _compare(task, stored_tasks[key])
    yield from _check_attempts(tx, run, view)


def _compare(folded: TaskView, stored: TaskView) -> Iterator[str]:
    for field in fields(TaskView):
        ours, theirs = getattr(folded, field.name), getattr(stored, field.name)
        if ours != theirs:
            yield f"task {folded.task_id!r}: {field.name} is stored as {theirs}, and the log says {ours}"


def _check_attempts(tx: Connection, run: RunRecord, view: RunView) -> Iterator[str]:
    rows = audit_runs.attempts_of(tx, run.pk)
    by_id = {row.id: row for row in rows}
    for task in view.tasks.values():
        if task.attempt_id is not None and task.attempt_id not in by_id:
            yield f"task {task.task_id!r} has an attempt {task.try_number} that is not stored"
        is_over = task.attempt_id in by_id and by_id[task.attempt_id].is_ended
        # An attempt that nobody had claimed is ended as its task is cleared, and the run hears of it in the next step.
        if task.state in ACTIVE_TASK_STATES and is_over and task.attempt_id not in audit_runs.foretold_ends(tx, run.pk):
            yield f"task {task.task_id!r} is {task.state}, and its attempt has ended"
        is_left = task.state is TaskState.NONE and bool(view.missing)  # it waited for one that is not part of it
        if run.state in FINAL_RUN_STATES and task.state not in FINAL_TASK_STATES and not is_left:
            yield f"the run has ended, and task {task.task_id!r} is {task.state}"
    tries = [(row.task_id, row.map_index, row.try_number, row.part) for row in rows]
    if len(set(tries)) != len(tries):
        yield "a part of a try has two attempts"
