"""Which paths of the REST API do tasks and runs again? Those of Airflow: some tasks, one run, many runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, abort, jsonify

from tradewind.errors import UsageError
from tradewind.metadata.dags import get_dag
from tradewind.metadata.run_choice import RunChoice
from tradewind.model.states import TaskState
from tradewind.run.task_choice import FAILED, RUNNING, TaskChoice, mapped_tasks
from webui.api.affected import TOO_MANY, affected, changed_runs
from webui.api.query import body, parse_instant, refuse
from webui.auth.guard import needs
from webui.operating import foresee, name_of, send
from webui.pages.shared import dag_head, get_run
from webui.web import web

if TYPE_CHECKING:
    from scheduler.operating import requests

MAX_NOTE: Final = 1000
TASKS: Final = {
    "dry_run": bool, "start_date": str, "end_date": str, "only_failed": bool, "only_running": bool,
    "reset_dag_runs": bool, "task_ids": list, "dag_run_id": str, "include_upstream": bool, "include_downstream": bool,
    "include_future": bool, "include_past": bool, "run_on_latest_version": bool, "prevent_running_task": bool,
    "note": str,
}  # fmt: skip
RUN: Final = {"dry_run": bool, "only_failed": bool, "only_new": bool, "run_on_latest_version": bool, "note": str}
RUNS: Final = {
    **RUN, "dag_runs": list, "partition_key": str, "partition_date_start": str, "partition_date_end": str,
}  # fmt: skip


def register(api: Blueprint) -> None:
    """Add the paths."""
    api.post("/dags/<dag_id>/clearTaskInstances", endpoint="clear_tasks")(clear_tasks)
    api.post("/dags/<dag_id>/dagRuns/<run_id>/clear", endpoint="clear_run")(clear_run)
    api.post("/dags/<dag_id>/clearDagRuns", endpoint="clear_runs")(clear_runs)


@needs("user")
def clear_tasks(dag_id: str) -> Response:
    """Do tasks again, or with ``dry_run``, which is true unless said otherwise, tell which."""
    sent = {"dry_run": True, "only_failed": True, "reset_dag_runs": True, **body(TASKS)}
    if "only_running" in sent and sent["only_running"] and sent["only_failed"]:
        refuse("'only_failed' (true unless it is said to be false) and 'only_running' exclude each other.")
    if not sent["reset_dag_runs"]:
        refuse("'reset_dag_runs': false is not supported: a run with tasks that are to be done is not over.")
    task_ids = sent.get("task_ids")
    if task_ids == []:
        refuse("'task_ids' is empty. Name at least one task, or leave it out to mean all.")
    with web().db.read() as tx:
        spec = dag_head(tx, dag_id).spec
        if sent.get("dag_run_id"):
            get_run(tx, dag_id, sent["dag_run_id"])
    choice = _tasks(task_ids or (), mapped_tasks(spec) if spec else set())
    wish = _clear(
        _runs_of(dag_id, sent),
        TaskChoice(
            names=choice.names,
            map_indexes=choice.map_indexes,
            upstream=bool(sent.get("include_upstream")),
            downstream=bool(sent.get("include_downstream")),
            states=FAILED if sent["only_failed"] else RUNNING if sent.get("only_running") else (),
        ),
        sent,
    )
    found = foresee(wish)
    if sent.get("prevent_running_task"):
        _refuse_running(found)
    if not sent["dry_run"]:
        found = send(wish, via="rest_api", note=note_of(sent), limit=TOO_MANY).preview
    shapes = affected(found)
    return jsonify(task_instances=shapes, total_entries=found.tasks)


def _runs_of(dag_id: str, sent: Mapping[str, Any]) -> RunChoice:
    start, end = (None if sent.get(name) is None else parse_instant(name, sent[name]) for name in _DATES)
    run_id = sent.get("dag_run_id")
    if run_id and (start or end):
        refuse("Name a run by 'dag_run_id', or runs by 'start_date' and 'end_date', not both.")
    if start and end and start > end:
        refuse("'end_date' is before 'start_date'.")
    past, future = bool(sent.get("include_past")), bool(sent.get("include_future"))
    if not run_id:
        if past or future:
            raise UsageError("'include_past' and 'include_future' go from a run: name it by 'dag_run_id'.")
        return RunChoice(dag_ids=[dag_id], after=start, before=end)
    return RunChoice(dag_ids=[dag_id], run_ids=[run_id], past=past, future=future)


_DATES: Final = ("start_date", "end_date")


def _tasks(sent: Sequence[Any], mapped: set[str]) -> TaskChoice:
    """Return the tasks of a list of ids and of pairs of an id and a map index; -1 means one that has no index."""
    names: dict[str, list[int] | None] = {}
    for item in sent:
        if isinstance(item, str):
            names[item] = None
        elif not _is_pair(item):
            refuse(f"'task_ids' has {item!r}; expected a task id, or a pair of a task id and a map index.")
        elif item[1] < 0 and item[0] in mapped and len(sent) > 1:
            refuse(f"'task_ids' has {item!r} beside others: ask for a mapped task that has no indexes yet alone.")
        elif item[1] < 0 and item[0] in mapped:
            return TaskChoice(names=[item[0]], map_indexes=[-1])
        elif item[1] < 0:
            names[item[0]] = None
        elif names.setdefault(item[0], []) is not None:
            names[item[0]] = [*(names[item[0]] or ()), item[1]]
    return TaskChoice(names=[name_of(task_id, indexes or ()) for task_id, indexes in names.items()])


def _is_pair(item: Any) -> bool:
    return (
        isinstance(item, list)
        and len(item) == 2
        and isinstance(item[0], str)
        and isinstance(item[1], int)
        and not isinstance(item[1], bool)
        and item[1] >= -1
    )


def _refuse_running(found: requests.Preview) -> None:
    running = [task for run in found.first for task in run.tasks if task.state is TaskState.RUNNING]
    if running:
        abort(
            409,
            description=f"Task {running[0].task_id!r} is running. Wait until it has ended, or leave "
            "'prevent_running_task' out: it is stopped then.",
        )


@needs("user")
def clear_run(dag_id: str, run_id: str) -> Response:
    """Do a run again, or with ``dry_run``, which is true unless said otherwise, tell which of its tasks."""
    from webui.api.run_routes import run  # here, since that module is the larger one

    sent = {"dry_run": True, **body(RUN)}
    with web().db.read() as tx:
        get_run(tx, dag_id, run_id)
    wish = _clear(RunChoice(dag_ids=[dag_id], run_ids=[run_id]), _of_run(sent), sent)
    if sent["dry_run"]:
        found = foresee(wish)
        return jsonify(task_instances=affected(found, with_new=True), total_entries=found.tasks)
    send(wish, via="rest_api", note=note_of(sent))
    return run(dag_id, run_id)


@needs("user")
def clear_runs(dag_id: str) -> Response:
    """Do several runs again, named one by one or by their partitions; ``dry_run`` as for one."""
    sent = {"dry_run": True, **body(RUNS)}
    choices = _chosen_runs(dag_id, sent)
    tasks = _of_run(sent)
    found = [foresee(_clear(choice, tasks, sent)) for choice in choices]  # all of them are there, before any is sent
    if sent["dry_run"]:
        shapes = [shape for one in found for shape in affected(one, with_new=True)]
        return jsonify(task_instances=shapes, total_entries=sum(one.tasks for one in found))
    for choice in choices:
        send(_clear(choice, tasks, sent), via="rest_api", note=note_of(sent))
    runs = [shape for choice in choices for shape in changed_runs(choice)]
    return jsonify(dag_runs=runs, total_entries=len(runs))


def _chosen_runs(dag_id: str, sent: Mapping[str, Any]) -> list[RunChoice]:
    entries = sent.get("dag_runs") or []
    start, end = (None if sent.get(name) is None else parse_instant(name, sent[name]) for name in _PARTITION_DATES)
    key = sent.get("partition_key")
    if sum((bool(entries), key is not None, start is not None or end is not None)) != 1:
        refuse("Say which runs in one way: 'dag_runs', 'partition_key', or 'partition_date_start' and '_end'.")
    if start and end and start > end:
        refuse("'partition_date_end' is before 'partition_date_start'.")
    by_dag: dict[str, list[str]] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("dag_run_id"), str):
            refuse(f"'dag_runs' has {entry!r}; expected objects with a 'dag_run_id'.")
        of_dag = entry.get("dag_id") or dag_id
        if of_dag == "~" or (dag_id not in ("~", of_dag)):
            raise UsageError(f"'dag_runs' has {entry!r}: its DAG must be that of the path, or be named with '~' there.")
        by_dag.setdefault(of_dag, []).append(entry["dag_run_id"])
    with web().db.read() as tx:
        for one, run_ids in by_dag.items():
            get_dag(tx, one)
            for run_id in run_ids:
                get_run(tx, one, run_id)
    if by_dag:
        return [RunChoice(dag_ids=[one], run_ids=run_ids) for one, run_ids in by_dag.items()]
    if dag_id == "~":
        raise UsageError("Partitions are those of one DAG: name it in the path.")
    return [RunChoice(dag_ids=[dag_id], partition_key=key, partition_after=start, partition_before=end)]


_PARTITION_DATES: Final = ("partition_date_start", "partition_date_end")


def _of_run(sent: Mapping[str, Any]) -> TaskChoice:
    if sent.get("only_new") and sent.get("only_failed"):
        refuse("'only_new' and 'only_failed' exclude each other.")
    return TaskChoice(states=FAILED if sent.get("only_failed") else ())


def _clear(runs: RunChoice, tasks: TaskChoice, sent: Mapping[str, Any]) -> requests.Clear:
    from scheduler.operating import requests

    return requests.Clear(
        runs=runs,
        tasks=tasks,
        on_latest=bool(sent.get("run_on_latest_version")),
        only_new=bool(sent.get("only_new")),
    )


def note_of(sent: Mapping[str, Any]) -> str | None:
    """Return the note of a body; one that is too long ends the request."""
    note: str | None = sent.get("note")
    if note is not None and len(note) > MAX_NOTE:
        refuse(f"'note' has {len(note)} characters; {MAX_NOTE} is the most.")
    return note
