"""``tradewind dags show``: the tasks of a DAG as a tree for people, and as a DOT graph for programs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from tradewind.errors import TradewindError, UsageError
from tradewind.metadata.dags import get_dag, load_newest_spec
from tradewind.metadata.opening import open_database
from tradewind.model.spec import DagSpec, TaskSpec
from tradewind.terminal.output import is_wide, talk

PICTURES: Final = ("png", "svg", "pdf", "jpg")


def show(dag_id: str, as_dot: bool, save: str | None) -> None:
    """Draw the tasks of a DAG and what waits for what."""
    with open_database() as db, db.read() as tx:
        get_dag(tx, dag_id)
        _, spec = load_newest_spec(tx, dag_id)
    if save is not None:
        _save(to_dot(spec), Path(save))
        talk(f"DAG {dag_id} drawn to {save}.")
    elif as_dot or not is_wide():
        click.echo(to_dot(spec), nl=False)
    else:
        click.echo(
            click.style(spec.dag_id, bold=True) + (f"  {spec.timetable.summary}" if spec.timetable.summary else "")
        )
        for line in to_tree(spec):
            click.echo(line)


def to_tree(spec: DagSpec) -> Iterator[str]:
    """Give the lines of a tree with the first tasks at its roots.

    A task with several upstream tasks is drawn once, below the one that is drawn last: when its line comes, everything
    that it waits for stands above it. Elsewhere it is only named, with an arrow.
    """
    tasks = {task.task_id: task for task in spec.tasks}
    below: dict[str, list[str]] = {name: [] for name in tasks}
    for task in spec.tasks:
        for upstream in task.upstream:
            below[upstream].append(task.task_id)
    waiting = {task.task_id: len(task.upstream) for task in spec.tasks}
    roots = [name for name, count in waiting.items() if count == 0]
    yield from _branches(roots, "", tasks, below, waiting)


def _branches(
    names: Sequence[str],
    indent: str,
    tasks: Mapping[str, TaskSpec],
    below: Mapping[str, Sequence[str]],
    waiting: dict[str, int],
) -> Iterator[str]:
    stack = [(name, indent, position == len(names) - 1) for position, name in enumerate(names)][::-1]
    while stack:  # not recursive: a chain of thousands of tasks is a DAG too
        name, indent, is_last = stack.pop()
        is_root = not tasks[name].upstream
        waiting[name] -= not is_root
        corner = "" if is_root else ("└─ " if is_last else "├─ ")
        if waiting[name] > 0:
            yield f"{indent}{corner}→ {name}"
            continue
        yield f"{indent}{corner}{_label(tasks[name])}"
        deeper = indent + ("" if is_root else ("   " if is_last else "│  "))
        following = below[name]
        stack.extend(
            (one, deeper, number == len(following) - 1) for number, one in reversed(list(enumerate(following)))
        )


def _label(task: TaskSpec) -> str:
    notes = [task.operator]
    if task.trigger_rule != "all_success":
        notes.append(task.trigger_rule)
    if len(task.upstream) > 1:
        notes.append(f"after {', '.join(task.upstream)}")
    return f"{task.task_id}  " + click.style(f"({'; '.join(notes)})", dim=True)


def to_dot(spec: DagSpec) -> str:
    """Return the DAG in the DOT language."""
    lines = [f"digraph {_quoted(spec.dag_id)} {{", "  graph [rankdir=LR];", "  node [shape=box, style=rounded];"]
    for task in spec.tasks:
        lines.append(f"  {_quoted(task.task_id)} [label={_quoted(task.display_name or task.task_id)}];")
    for task in spec.tasks:
        for upstream in task.upstream:
            label = spec.edge_labels.get(f"{upstream}>{task.task_id}")
            suffix = f" [label={_quoted(label)}]" if label else ""
            lines.append(f"  {_quoted(upstream)} -> {_quoted(task.task_id)}{suffix};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _save(dot: str, path: Path) -> None:
    ending = path.suffix.removeprefix(".").lower()
    if ending in ("dot", "gv"):
        path.write_text(dot, encoding="utf-8")
        return
    if ending not in PICTURES:
        raise UsageError(
            f"{path.name!r} does not say which kind of file it is. End it with .dot, .{', .'.join(PICTURES)}."
        )
    program = shutil.which("dot")
    if program is None:
        raise TradewindError(
            f"There is no Graphviz on this machine to make a .{ending}. Install it (Debian: apt install graphviz), "
            "save as .dot, or look at the graph in the web UI."
        )
    done = subprocess.run(
        [program, f"-T{ending}", "-o", str(path)], input=dot.encode(), capture_output=True, check=False
    )
    if done.returncode:
        raise TradewindError(f"Graphviz failed: {done.stderr.decode(errors='replace').strip()}")
