"""What limits are there, how far is each used, and what waits for it? As the admission of the schedulers counts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from scheduler.admission import Usage, find_block
from scheduler.held import Lanes, candidate_of
from scheduler.usage import read_usage
from scheduler.versions import Version, VersionCache
from tradewind.metadata import limit_use, processes, run_keys, runs
from tradewind.metadata.limit_use import KeyedRuns
from tradewind.model.spec import RateSpec, TaskSpec
from tradewind.model.states import RunState
from tradewind.run.view import TaskView

LOOK_AT: Final = 2000
"""Groups of runs, and of ready tasks, that are looked at."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit.

    Attributes:
        kind: ``parallelism``, ``backfill_share``, ``executor``, ``pool``, ``max_active_runs``, ``max_active_tasks`` (of
            each run), ``max_active_tis_per_dag``, ``max_active_tis_per_dagrun``, ``run_key``, ``task_key``, ``rate``,
            ``backfill``.
        name: which of its kind; of a DAG or a task its id.
        limit: None is no limit.
        used: tasks, slots or runs; of a limit for each run that of the fullest.
        waiting: tasks or runs that this limit keeps waiting now.
        used_by: who uses it, the greatest first, and what else is to be said.
    """

    kind: str
    name: str
    limit: int | None
    used: int
    waiting: int = 0
    used_by: str = ""

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits."""
        return self.limit is not None and self.used >= self.limit


def list_limits(tx: Connection, now: datetime, *, parallelism: int, backfill_share: float) -> list[Limit]:
    """Return every limit that is set for all, and those of DAGs, tasks, keys and rates that are used or waited for.

    Args:
        parallelism, backfill_share: hold while no scheduler is alive to say its own.
    """
    told: dict[str, Any] = {"parallelism": parallelism, "backfill_share": backfill_share}
    executors: dict[str, int | None] = {}
    for process in processes.list_processes(tx, kind="scheduler", alive_at=now):
        told |= process.info
        executors |= process.info.get("executor_limits", {})
    usage = read_usage(
        tx, told["parallelism"], executors, backfill_share=told["backfill_share"], now=now, lock=False
    )  # fmt: skip
    default, spellings = told.get("default_executor", "LocalExecutor"), told.get("executor_spellings", {})
    lanes = Lanes(default, {}, lambda: executors, spellings)
    scene = _Scene(tx, usage, lanes)
    scene.look()
    return [
        *scene.of_installation(),
        *scene.of_pools(),
        *scene.of_runs(),
        *scene.of_tasks(),
        *scene.of_run_keys(),
        *scene.of_rates(),
        *scene.of_backfills(),
    ]


class _Scene:
    def __init__(self, tx: Connection, usage: Usage, lanes: Lanes) -> None:
        self._tx, self._usage, self._lanes = tx, usage, lanes
        self._versions = VersionCache()
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._limits: dict[tuple[str, str], int] = {}
        self._rates: dict[str, RateSpec] = {}

    def look(self) -> None:
        """Ask for each task that could start what keeps it from that, and note the limits of those that are active."""
        ready = limit_use.group_ready_tasks(self._tx, LOOK_AT)
        active = sorted(self._usage.run_active)
        known = {run.pk: run for run in runs.get_runs(self._tx, sorted({*active, *(group.run_pk for group in ready)}))}
        versions = {
            pk: self._versions.get(self._tx, run.version_id, run.task_subset) for pk, run in known.items()
        }  # fmt: skip
        for run_pk, task_id, _ in self._usage_keys():
            if run_pk in versions:
                self._note(known[run_pk].dag_id, versions[run_pk], task_id)
        for group in ready:
            if group.run_pk not in known or group.task_id not in versions[group.run_pk].graph.tasks:
                continue
            run, version = known[group.run_pk], versions[group.run_pk]
            task = TaskView(group.task_id, group.map_index, scheduled_at=group.ready_at)
            candidate = candidate_of(run, version, task, self._lanes)
            self._note(run.dag_id, version, group.task_id)
            for key, limit in candidate.keys:
                self._limits["task_key", key] = limit
            block = find_block(candidate, self._usage)
            if block is not None:
                self._waiting[block.kind, block.name] += group.count

    def _usage_keys(self) -> Iterator[tuple[int, str, int]]:
        for run_pk, (task_id, map_index) in self._usage.busy:
            yield run_pk, task_id, map_index

    def _note(self, dag_id: str, version: Version, task_id: str) -> None:
        self._limits["max_active_tasks", dag_id] = version.spec.max_active_tasks
        task: TaskSpec | None = version.graph.tasks.get(task_id)
        if task is None:
            return
        for kind in ("max_active_tis_per_dag", "max_active_tis_per_dagrun"):
            limit = getattr(task, kind)
            if limit is not None:
                self._limits[kind, f"{dag_id}.{task_id}"] = limit
        for rate in task.rate_limits:
            self._rates[rate.name] = rate

    # --- rows --------------------------------------------------------------------------------------------------------

    def of_installation(self) -> Iterator[Limit]:
        """Yield what holds for all."""
        usage = self._usage
        by = _names(usage.dag_active)
        yield Limit("parallelism", "", usage.parallelism, usage.active, self._waiting["parallelism", ""], by)
        waiting = self._waiting["backfill_share", ""]
        yield Limit("backfill_share", "", usage.backfill_slots, usage.backfill_active, waiting)
        names = {*usage.executor_limits, *usage.executor_active}
        for name in sorted(names | {name for kind, name in self._waiting if kind == "executor"}):
            is_missing = bool(usage.executor_limits) and name not in usage.executor_limits
            limit = 0 if is_missing else usage.executor_limits.get(name)
            said = "it is not there" if is_missing else ""
            yield Limit("executor", name, limit, usage.executor_active[name], self._waiting["executor", name], said)

    def of_pools(self) -> Iterator[Limit]:
        """Yield the pools, and those that are asked for and not there."""
        usage = self._usage
        for name in sorted({*usage.pools, *(name for kind, name in self._waiting if kind == "pool")}):
            slots = usage.pools.get(name)
            limit = None if slots is not None and slots < 0 else slots or 0
            by = _names(usage.pool_users.get(name, Counter())) if slots is not None else "it is not there"
            yield Limit("pool", name, limit, usage.pool_used[name], self._waiting["pool", name], by)

    def of_runs(self) -> Iterator[Limit]:
        """Yield ``max_active_runs`` of the DAGs that have runs."""
        for dag in limit_use.count_runs(self._tx, LOOK_AT):
            waiting = dag.queued if dag.running >= dag.max_active_runs else 0
            yield Limit("max_active_runs", dag.dag_id, dag.max_active_runs, dag.running, waiting)

    def of_tasks(self) -> Iterator[Limit]:
        """Yield the limits of DAGs and tasks whose tasks are active or ready, and the keys of tasks."""
        usage = self._usage
        fullest: Counter[tuple[str, str]] = Counter()
        dags = {run.pk: run.dag_id for run in runs.get_runs(self._tx, sorted(usage.run_active))}
        for run_pk, count in usage.run_active.items():
            if run_pk in dags:
                of_dag = ("max_active_tasks", dags[run_pk])
                fullest[of_dag] = max(fullest[of_dag], count)
        for (run_pk, task_id), count in usage.run_task_active.items():
            if run_pk in dags:
                of_task = ("max_active_tis_per_dagrun", f"{dags[run_pk]}.{task_id}")
                fullest[of_task] = max(fullest[of_task], count)
        for (dag_id, task_id), count in usage.dag_task_active.items():
            fullest["max_active_tis_per_dag", f"{dag_id}.{task_id}"] = count
        for (kind, name), limit in sorted(self._limits.items()):
            if kind != "task_key":
                yield Limit(kind, name, limit, fullest[kind, name], self._waiting[kind, name])
        for key in sorted({*usage.key_users, *(name for kind, name in self._limits if kind == "task_key")}):
            users = usage.key_users.get(key, Counter())
            waiting = self._waiting["task_key", key]
            yield Limit("task_key", key, self._limits.get(("task_key", key)), users.total(), waiting, _names(users))

    def of_run_keys(self) -> Iterator[Limit]:
        """Yield the keys of runs: how many run under each, and how many wait since it is used up."""
        groups = limit_use.group_keyed_runs(self._tx, LOOK_AT)
        used = run_keys.read_running(self._tx)
        limits = {dag_id: run_keys.limits_of(self._tx, dag_id) for dag_id in {group.dag_id for group in groups}}
        firsts = {run.pk: run for run in runs.get_runs(self._tx, sorted(group.first for group in groups))}
        found: dict[str, int] = {}
        users: dict[str, Counter[str]] = {}
        waiting: Counter[str] = Counter()
        for group in groups:
            said = run_keys.keys_with_limits(firsts[group.first], limits[group.dag_id])
            for key, limit in said:
                found[key] = min(limit, found.get(key, limit))
            waiting.update(_waits_for(group, said, used))
            for key in group.keys if group.state is RunState.RUNNING else ():
                users.setdefault(key, Counter())[group.dag_id] += group.count
        for key in sorted({*found, *users}):
            yield Limit("run_key", key, found.get(key), used[key], waiting[key], _names(users.get(key, Counter())))

    def of_rates(self) -> Iterator[Limit]:
        """Yield the rates that ready and active tasks stand under, and those that are paused."""
        now = self._usage.now
        for name in sorted({*self._rates, *self._usage.rates}):
            rate, use = self._rates.get(name), self._usage.rates.get(name)
            paused = use.paused_until if use is not None and use.paused_until and use.paused_until > now else None
            said = f"paused until {paused.isoformat(timespec='seconds')}, by {use.paused_by}" if use and paused else ""
            if rate is None and not paused:
                continue
            if rate is None:
                yield Limit("rate", name, None, 0, 0, said)
                continue
            used = 0 if use is None else use.used(rate, now)
            per = f"starts in {timedelta(seconds=rate.per_seconds)}"
            yield Limit("rate", name, rate.limit, used, self._waiting["rate", name], f"{per}; {said}" if said else per)

    def of_backfills(self) -> Iterator[Limit]:
        """Yield the windows of open backfills."""
        for window in limit_use.list_windows(self._tx):
            by = ", ".join(window.dag_ids)
            yield Limit("backfill", str(window.id), window.max_active_runs, window.active, window.waiting, by)


def _waits_for(group: KeyedRuns, said: Iterable[tuple[str, int]], used: Counter[str]) -> dict[str, int]:
    """Return which key keeps some queued runs waiting, with their number: the first that is used up."""
    full = [key for key, limit in said if used[key] >= limit]
    return {full[0]: group.count} if full and group.state is RunState.QUEUED else {}


def _names(users: Counter[str]) -> str:
    shown = ", ".join(f"{name} ({count})" for name, count in users.most_common(3))
    return f"{shown} and {len(users) - 3} more" if len(users) > 3 else shown
