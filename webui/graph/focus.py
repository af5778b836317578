"""Which tasks are near one task? Those that it waits for and that wait for it, up to a distance."""

from __future__ import annotations

from tradewind.model.spec import DagSpec


def around(spec: DagSpec, task_id: str, depth: int = 0) -> frozenset[str] | None:
    """Return the tasks up and down from ``task_id`` with itself, at most ``depth`` steps away (0: however far).

    None when there is no such task: then everything is shown.
    """
    up = {task.task_id: task.upstream for task in spec.tasks}
    if task_id not in up:
        return None
    down: dict[str, list[str]] = {name: [] for name in up}
    for name, before in up.items():
        for other in before:
            down[other].append(name)
    found = {task_id}
    for edges in (up, down):
        level, steps = {task_id}, 0
        while level and (not depth or steps < depth):
            level = {other for name in level for other in edges[name]} - found
            found |= level
            steps += 1
    return frozenset(found)
