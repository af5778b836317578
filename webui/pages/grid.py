"""The page of a DAG: its runs across, its tasks down, one cell for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, render_template, request

from tradewind.metadata.views.runs import (
    RunLine,
    count_runs_by_state,
    find_run_page,
    list_grid_runs,
)
from tradewind.metadata.views.summaries import task_states
from tradewind.model.spec import DagSpec, TaskSpec
from webui.formats import between
from webui.graph.scene import Groups, task_label
from webui.pages.shared import dag_head
from webui.web import now, web

pages: Final = Blueprint("grid", __name__)
WINDOWS: Final = (10, 25, 50, 100)
CODES: Final = {
    "success": "s", "failed": "f", "running": "r", "queued": "q", "scheduled": "c", "deferred": "d",
    "up_for_retry": "y", "up_for_reschedule": "e", "upstream_failed": "u", "skipped": "k", "removed": "x",
    "restarting": "t", "awaiting_input": "w", "none": "n",
}  # fmt: skip
"""One letter for each state, ``.`` for no task instance; a capital means more than one try."""


@dataclass(frozen=True, slots=True)
class GridRow:
    """One line of the grid: a group title, or a task with one letter for each run."""

    label: str
    depth: int
    task_id: str = ""
    operator: str = ""
    cells: str = ""
    held: str = ""  # numbers of the runs in which it is held


@dataclass(frozen=True, slots=True)
class GridColumn:
    """One run above the grid."""

    run: RunLine
    length: float | None
    height: int
    new_version: bool


@pages.get("/dags/<dag_id>", endpoint="dag")
def dag(dag_id: str) -> str:
    size = request.args.get("n", "25")
    limit = int(size) if size.isdecimal() and int(size) in WINDOWS else 25
    with web().db.read() as tx:
        head = dag_head(tx, dag_id)
        selected = find_run_page(tx, dag_id, request.args.get("run", "")) if request.args.get("run") else None
        runs = list_grid_runs(tx, dag_id, until=selected.run_after if selected else None, limit=limit)
        states = task_states(tx, [run.pk for run in runs])
        totals = count_runs_by_state(tx, dag_id)
        spec = web().specs.get(tx, head.dag.version_id) if head.dag.version_id is not None else None
    return render_template(
        "grid.html",
        head=head,
        columns=_columns(runs),
        rows=grid_rows(spec, runs, states) if spec else [],
        totals=totals,
        limit=limit,
        windows=WINDOWS,
        codes={code: state for state, code in CODES.items()},
        key=_key(states),
        has_held=any(run.held for run in runs) or any(cell[2] for cells in states.values() for cell in cells.values()),
        is_newest=selected is None,
        selected=selected,
        tab="grid",
    )


def _key(states: Mapping[int, Mapping[str, tuple[str, int, bool]]]) -> list[str]:
    """Return the states that are to be seen in the grid, in their usual order."""
    seen = {cell[0] for cells in states.values() for cell in cells.values()}
    return [state for state in CODES if state in seen]


def _columns(runs: Sequence[RunLine]) -> list[GridColumn]:
    lengths = [between(run.started_at, run.ended_at, now()) for run in runs]
    longest = max((length for length in lengths if length is not None), default=0.0) or 1.0
    columns = []
    for number, (run, length) in enumerate(zip(runs, lengths, strict=True)):
        changed = number > 0 and runs[number - 1].version_number != run.version_number
        columns.append(GridColumn(run, length, max(3, round(44 * (length or 0.0) / longest)), changed))
    return columns


def grid_rows(
    spec: DagSpec, runs: Sequence[RunLine], states: Mapping[int, Mapping[str, tuple[str, int, bool]]]
) -> list[GridRow]:
    """Return the lines: tasks in the order of the flow, groups as titles above their tasks."""
    groups = Groups(spec)
    names = {group.group_id: group.display_name or group.group_id for group in spec.groups}
    rows: list[GridRow] = []
    open_groups: list[str] = []
    for task in sorted_by_flow(spec):
        chain = list(reversed(groups.around(task.group_id)))
        for depth, group_id in enumerate(chain):
            if depth >= len(open_groups) or open_groups[depth] != group_id:
                label = names[group_id].removeprefix(f"{groups.parent[group_id]}.")
                rows.append(GridRow(label, depth))
        open_groups = chain
        found = [states[run.pk].get(task.task_id) for run in runs]
        held = " ".join(str(number) for number, cell in enumerate(found) if cell and cell[2])
        cells = "".join(map(_code, found))
        label = task_label(task.task_id, task.group_id, task.display_name)
        rows.append(GridRow(label, len(chain), task.task_id, task.operator, cells, held))
    return rows


def _code(cell: tuple[str, int, bool] | None) -> str:
    if cell is None:
        return "."
    code = CODES[cell[0]]
    return code.upper() if cell[1] > 1 else code


def sorted_by_flow(spec: DagSpec) -> list[TaskSpec]:
    """Return the tasks so that each comes after what it waits for and groups stay together."""
    rank = flow_ranks(spec)
    groups = Groups(spec)
    first: dict[str, int] = {}
    for task in spec.tasks:
        for group_id in groups.around(task.group_id):
            first[group_id] = min(first.get(group_id, 1 << 30), rank[task.task_id])

    def key(task: TaskSpec) -> list[tuple[int, str]]:
        chain = reversed(groups.around(task.group_id))
        return [*((first[group_id], group_id) for group_id in chain), (rank[task.task_id], task.task_id)]

    return sorted(spec.tasks, key=key)


def flow_ranks(spec: DagSpec) -> dict[str, int]:
    """Return for each task the longest way to it from a task without upstream."""
    rank: dict[str, int] = {}
    waiting = {task.task_id: len(task.upstream) for task in spec.tasks}
    down: dict[str, list[str]] = {task.task_id: [] for task in spec.tasks}
    for task in spec.tasks:
        for before in task.upstream:
            down[before].append(task.task_id)
    order = [task_id for task_id, count in waiting.items() if not count]
    for task_id in order:  # grows while it is walked
        rank.setdefault(task_id, 0)
        for after in down[task_id]:
            rank[after] = max(rank.get(after, 0), rank[task_id] + 1)
            waiting[after] -= 1
            if not waiting[after]:
                order.append(after)
    return rank
