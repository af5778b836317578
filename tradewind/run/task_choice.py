"""Which tasks does somebody mean? By ids, patterns, groups and map indexes, as one version of a DAG has them: pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tradewind.errors import UsageError
from tradewind.model.commands import Selection
from tradewind.model.events import NO_MAP
from tradewind.model.spec import DagSpec
from tradewind.model.states import TaskState

FAILED: Final = (TaskState.FAILED, TaskState.UPSTREAM_FAILED)
"""What "only failed" means."""
RUNNING: Final = (TaskState.RUNNING,)
"""What "only running" means."""

_INDEXED: Final = re.compile(r"(?P<name>.+)\[(?P<indexes>\d+(?:\s*,\s*\d+)*)\]")
Indexes = tuple[int, ...] | None
"""Map indexes; None: whatever indexes a task has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChoice:
    """Some tasks of a DAG, whatever its version. Without names, regex and groups it is all of them.

    Attributes:
        names: each the id of a task, the id of a group, or a pattern with ``*`` and ``?``; any of them may end with map
            indexes in brackets: ``load[3]``, ``group[0,2]``.
        regex: found anywhere in the task id, as Airflow's ``--task-regex``.
        groups: ids of groups: all tasks in them and in the groups within.
        map_indexes: of all tasks chosen, only these indexes; -1 is an instance that has none.
        upstream, downstream: also what stands above and below them.
        states: of all these, only the instances in one of these states; empty: in any.
    """

    names: Sequence[str] = ()
    regex: str | None = None
    groups: Sequence[str] = ()
    map_indexes: Sequence[int] = ()
    upstream: bool = False
    downstream: bool = False
    states: Sequence[TaskState] = ()

    @property
    def is_all(self) -> bool:
        """Whether no task is left out for its name."""
        return not (self.names or self.groups) and self.regex is None


def to_selection(spec: DagSpec, choice: TaskChoice) -> Selection:
    """Return what ``choice`` means in a run of this version. Names that the version does not know mean nothing.

    Raises:
        UsageError: the regex cannot be read.
    """
    found = find_tasks(spec, choice)
    if choice.is_all and not choice.map_indexes:
        return Selection(upstream=False, downstream=False, states=tuple(choice.states))
    return Selection(
        task_ids=tuple(found),
        map_indexes={task_id: indexes for task_id, indexes in found.items() if indexes is not None},
        upstream=choice.upstream,
        downstream=choice.downstream,
        states=tuple(choice.states),
    )


def find_tasks(spec: DagSpec, choice: TaskChoice) -> dict[str, Indexes]:
    """Return the tasks that are chosen by name, in the order of the spec, each with its map indexes."""
    ids = [task.task_id for task in spec.tasks]
    found: dict[str, Indexes] = dict.fromkeys(ids) if choice.is_all else {}
    for name in choice.names:
        for task_id, indexes in _named(spec, name).items():
            _add(found, task_id, indexes)
    for group_id in choice.groups:
        for task_id in _tasks_of_group(spec, group_id):
            _add(found, task_id, None)
    if choice.regex is not None:
        pattern = read_regex(choice.regex)
        for task_id in ids:
            if pattern.search(task_id):
                _add(found, task_id, None)
    if choice.map_indexes:
        found = {task_id: _only(indexes, choice.map_indexes) for task_id, indexes in found.items()}
    mapped = mapped_tasks(spec)
    return {t: found[t] for t in ids if t in found and _can_be(found[t], t in mapped)}


def unknown_names(specs: Iterable[DagSpec], choice: TaskChoice) -> list[str]:
    """Return the names, groups and regexes of a choice that mean no task in any of some versions."""
    names = dict.fromkeys(choice.names)
    groups = dict.fromkeys(choice.groups)
    regex = choice.regex
    for spec in specs:
        names = {name: None for name in names if not _named(spec, name)}
        groups = {name: None for name in groups if not _tasks_of_group(spec, name)}
        if regex is not None and any(read_regex(regex).search(task.task_id) for task in spec.tasks):
            regex = None
        if not names and not groups and regex is None:
            return []
    return [*names, *groups, *([] if regex is None else [regex])]


def subset_of(
    spec: DagSpec, names: Sequence[str], *, with_upstream: bool = False, with_downstream: bool = False
) -> tuple[str, ...]:
    """Return the tasks of a run that consists of some only: those that the names mean, and what is asked for with them.

    Raises:
        UsageError: a name means no task, or one names map indexes, which a run to come has not got yet.
    """
    for name in names:
        if not _named(spec, name):
            raise UsageError(
                f"DAG {spec.dag_id!r} has no task or group that {name!r} means. "
                f"`tradewind tasks list {spec.dag_id}` shows its tasks."
            )
        if _INDEXED.fullmatch(name):
            raise UsageError(f"{name!r} names a map index, and a run can only consist of whole tasks. Leave it out.")
    chosen = set(find_tasks(spec, TaskChoice(names=names)))
    above = {task.task_id: task.upstream for task in spec.tasks}
    below: dict[str, list[str]] = {task_id: [] for task_id in above}
    for task_id, upstream in above.items():
        for one in upstream:
            below[one].append(task_id)
    wanted = set(chosen)
    if with_upstream:
        wanted |= _reached(chosen, above)
    if with_downstream:
        wanted |= _reached(chosen, below)
    return tuple(task.task_id for task in spec.tasks if task.task_id in wanted)


def read_regex(text: str) -> re.Pattern[str]:
    """Return a regex that somebody typed.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"{text!r} is no regular expression: {error}. To mean the text itself, escape it.") from None


def mapped_tasks(spec: DagSpec) -> set[str]:
    """Return the tasks that have map indexes: mapped themselves, or in a mapped group."""
    found = {task.task_id for task in spec.tasks if task.mapping is not None}
    for group in spec.groups:
        if group.mapping is not None:
            found.update(_tasks_of_group(spec, group.group_id))
    return found


def _named(spec: DagSpec, name: str) -> dict[str, Indexes]:
    indexed = _INDEXED.fullmatch(name)
    indexes: Indexes = None
    if indexed is not None:
        name = indexed["name"]
        indexes = tuple(sorted({int(text) for text in indexed["indexes"].split(",")}))
    ids = [task.task_id for task in spec.tasks]
    if name in ids:
        found: Collection[str] = [name]
    elif any(group.group_id == name for group in spec.groups):
        found = _tasks_of_group(spec, name)
    elif "*" in name or "?" in name:
        found = [task_id for task_id in ids if fnmatchcase(task_id, name.replace("[", "[[]"))]
    else:
        found = []
    return dict.fromkeys(found, indexes)


def _tasks_of_group(spec: DagSpec, group_id: str) -> list[str]:
    parents = {group.group_id: group.parent_id for group in spec.groups}
    if group_id not in parents:
        return []

    def is_inside(group: str | None) -> bool:
        while group is not None and group != group_id:
            group = parents.get(group)
        return group is not None

    return [task.task_id for task in spec.tasks if is_inside(task.group_id)]


def _add(found: dict[str, Indexes], task_id: str, indexes: Indexes) -> None:
    known = found.get(task_id, ())
    found[task_id] = None if known is None or indexes is None else tuple(sorted({*known, *indexes}))


def _only(indexes: Indexes, wanted: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted({i for i in wanted if indexes is None or i in indexes}))


def _can_be(indexes: Indexes, is_mapped: bool) -> bool:
    """A task that is not mapped has no index but -1; one that is has that too, until it is expanded."""
    return indexes is None or (bool(indexes) and (is_mapped or NO_MAP in indexes))


def _reached(start: Iterable[str], neighbours: Mapping[str, Sequence[str]]) -> set[str]:
    todo, seen = list(start), set()
    while todo:
        for one in neighbours.get(todo.pop(), ()):
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return seen
