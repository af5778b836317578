"""Which tasks of a DAG does a backfill do, and which DAG waits for which? Read from their specs: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise

import networkx as nx

from tradewind.errors import UsageError, did_you_mean
from tradewind.model.spec import AssetMention, DagSpec
from tradewind.run.graph import DagGraph
from tradewind.timetables.asset_condition import leaves


def choose_tasks(
    spec: DagSpec, patterns: Sequence[str], *, with_upstream: bool = False, with_downstream: bool = False
) -> tuple[str, ...] | None:
    """Return the tasks that patterns mean, in the order of the spec; None: all of them.

    The setups that a chosen task needs come along, and the teardowns of these.

    Raises:
        UsageError: a pattern means no task, or a chosen task is mapped over one that is left out.
    """
    if not patterns:
        return None
    graph = DagGraph(spec)
    chosen: set[str] = set()
    for pattern in patterns:
        found = {task_id for task_id in graph.tasks if fnmatchcase(task_id, pattern)}
        if not found:
            raise UsageError(
                f"No task of DAG {spec.dag_id!r} is called {pattern!r}.{did_you_mean(pattern, graph.tasks)} "
                f"`tradewind tasks list {spec.dag_id}` shows its tasks; * and ? stand for letters."
            )
        chosen |= found
    named = set(chosen)
    for task_id in named:
        chosen |= nx.ancestors(graph.digraph, task_id) if with_upstream else set()
        chosen |= nx.descendants(graph.digraph, task_id) if with_downstream else set()
    chosen |= _surroundings(graph, chosen)
    _check_mappings(spec, graph, chosen)
    tasks = tuple(task.task_id for task in spec.tasks if task.task_id in chosen)
    return None if len(tasks) == len(spec.tasks) else tasks


def _surroundings(graph: DagGraph, chosen: set[str]) -> set[str]:
    setups = {setup for task_id in chosen for setup in graph.required.get(task_id, ())}
    setups |= {task_id for task_id in chosen if graph.tasks[task_id].is_setup}
    return setups | {t for setup in setups for t in graph.downstream[setup] if graph.tasks[t].is_teardown}


def _check_mappings(spec: DagSpec, graph: DagGraph, chosen: set[str]) -> None:
    for task_id in sorted(chosen):
        scope = graph.scopes.get(task_id)
        lacking = [] if scope is None else [source for source in graph.sources[scope] if source not in chosen]
        if lacking:
            raise UsageError(
                f"Task {task_id!r} of DAG {spec.dag_id!r} is mapped over the output of {lacking[0]!r}, which is not "
                f"chosen, so nobody would say how many instances it has. Choose that too: --tasks {lacking[0]!r}, or "
                "--with-upstream."
            )


def tasks_on_past(spec: DagSpec, tasks: Sequence[str] | None) -> list[str]:
    """Return the tasks, of those that are done, that look at the run before."""
    return [task.task_id for task in spec.tasks if task.depends_on_past and (tasks is None or task.task_id in tasks)]


def find_waits(specs: Sequence[DagSpec], orders: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return for each DAG the others that its runs wait for, date by date.

    A DAG waits for another when that updates an asset which it is scheduled by, or which its tasks read; and as an
    order says. Sensors and triggers of other DAGs name those when they run: specs know nothing of them.

    Args:
        orders: lists of DAG ids of which each waits for the one before it.

    Raises:
        UsageError: an order names a DAG that is not part of the backfill.
    """
    waits: dict[str, set[str]] = {spec.dag_id: set() for spec in specs}
    makes = {spec.dag_id: _names(mention for task in spec.tasks for mention in task.outlets) for spec in specs}
    for spec in specs:
        reads = _names(mention for task in spec.tasks for mention in task.inlets) | _schedule_names(spec)
        waits[spec.dag_id] |= {other for other, made in makes.items() if other != spec.dag_id and made & reads}
    for order in orders:
        for dag_id in order:
            if dag_id not in waits:
                raise UsageError(
                    f"--order names DAG {dag_id!r}, which is not part of the backfill.{did_you_mean(dag_id, waits)} "
                    f"Add --dag-id {dag_id}, or leave it out of the order."
                )
        for before, behind in pairwise(order):
            waits[behind].add(before)
    return {dag_id: tuple(sorted(others)) for dag_id, others in waits.items() if others}


def _names(mentions: Iterable[AssetMention]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for mention in mentions:
        found |= _named(mention.name, mention.uri, mention.alias)
    return found


def _schedule_names(spec: DagSpec) -> set[tuple[str, str]]:
    condition: Mapping[str, object] | None = spec.timetable.args.get("condition")
    found: set[tuple[str, str]] = set()
    for leaf in leaves(condition) if condition is not None else ():
        what = next(iter(leaf.values()))
        alias = what.get("name") if "alias" in leaf else None
        found |= _named(None if alias else what.get("name"), what.get("uri"), alias)
    return found


def _named(name: str | None, uri: str | None, alias: str | None) -> set[tuple[str, str]]:
    said = (("name", name), ("uri", uri), ("alias", alias))
    return {(kind, text) for kind, text in said if text is not None}
