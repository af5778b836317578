"""Why is it not running, or why did it die? One sentence for each run and task, from the code that decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from scheduler.admission import Usage, blocker
from scheduler.assets import missing_assets
from scheduler.held import HeldRun, Lanes
from scheduler.judging import judge_task, names, verdict_reason
from scheduler.trigger_rules import Verdict
from scheduler.usage import read_usage
from scheduler.versions import VersionCache
from tradewind.errors import NotFound
from tradewind.metadata import attempts, dags, processes, runs
from tradewind.metadata.attempts import AttemptRecord
from tradewind.metadata.dags import DagRow
from tradewind.metadata.database import Database
from tradewind.metadata.processes import ProcessRecord
from tradewind.metadata.runs import RunRecord
from tradewind.model.events import NO_MAP
from tradewind.model.states import FINAL_RUN_STATES, RunState, RunType, TaskState
from tradewind.run.view import TaskView

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence about a DAG, a run (``run_id`` set) or a task (``task_id`` set)."""

    dag_id: str
    state: str
    text: str
    run_id: str | None = None
    task_id: str | None = None
    map_index: int = NO_MAP


def explain(
    db: Database, dag_id: str, run_id: str | None = None, task_id: str | None = None, map_index: int = NO_MAP
) -> list[Reason]:
    """Say why things are as they are.

    Args:
        run_id: None: the newest run.
        task_id: None: the run itself and every task that is not done or went wrong.

    Returns:
        The sentence about the run first (or about the DAG, when it has no run), then those about tasks; last, when the
        newest run is over and no other was asked for, the assets that the next one waits for.

    Raises:
        NotFound: no such DAG, run or task; the nearest name is offered.
    """
    with db.read() as tx:
        now = db.now()
        dag = dags.get_dag(tx, dag_id)
        run = _find_run(tx, dag_id, run_id)
        schedulers = processes.list_processes(tx, kind="scheduler", alive_at=now)
        if run is None:
            return [Reason(dag_id, "paused" if dag.is_paused else "active", _about_dag(tx, dag, schedulers))]
        found = _Explainer(tx, dag, run, schedulers, now).explain(task_id, map_index)
        waits = missing_assets(tx, dag) if run_id is None and run.ended_at is not None else None
        return [*found, Reason(dag_id, "waiting", waits)] if waits else found


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
        return waits + _no_scheduler(schedulers)
    if dag.next_run_after is None:
        return f"it has no schedule; start a run with `tradewind dags trigger {dag.dag_id}`"
    due = f"its first run is due at {dag.next_run_after.isoformat()}"
    return f"{due}, or earlier: {waits}" if waits else due + _no_scheduler(schedulers)


def _no_scheduler(schedulers: list[ProcessRecord]) -> str:
    return "" if schedulers else "; no scheduler is running: start one with `tradewind scheduler`"


class _Explainer:
    def __init__(
        self, tx: Connection, dag: DagRow, run: RunRecord, schedulers: list[ProcessRecord], now: datetime
    ) -> None:
        self._tx: Final = tx
        self._dag: Final = dag
        self._run: Final = run
        self._schedulers: Final = schedulers
        self._now: Final = now
        version = VersionCache(1).get(tx, run.version_id)
        self._held: Final = HeldRun(run, version, runs.load_view(tx, run, version.graph))
        self._held.read_past(tx)
        self._usage: Usage | None = None
        supervisors: dict[str, UUID | None] = {}
        self._lanes: Final = Lanes(self._info("default_executor", "LocalExecutor"), supervisors, dict)

    def explain(self, task_id: str | None, map_index: int) -> list[Reason]:
        reasons = [Reason(self._run.dag_id, self._run.state, self._about_run(), self._run.run_id)]
        tasks = self._held.view.tasks
        if task_id is not None:
            return [*reasons, self._reason(task_id, tasks.get((task_id, map_index)), map_index)]
        quiet = (TaskState.SUCCESS,) if self._run.state not in FINAL_RUN_STATES else (TaskState.SUCCESS, TaskState.NONE)
        for known in self._held.version.graph.tasks:
            for task in [t for t in tasks.values() if t.task_id == known and t.state not in quiet]:
                reasons.append(self._reason(known, task, task.map_index))
        return reasons

    def _reason(self, task_id: str, task: TaskView | None, map_index: int) -> Reason:
        if task_id not in self._held.version.graph.tasks:
            known = list(self._held.version.graph.tasks)
            raise NotFound("task", task_id, known, f"See `tradewind tasks list {self._run.dag_id}`.")
        if task is None:
            text = "its run has not started" if self._run.state is RunState.QUEUED else "it is not part of this run"
            return Reason(self._run.dag_id, "none", text, self._run.run_id, task_id, map_index)
        return Reason(self._run.dag_id, task.state, self._about_task(task), self._run.run_id, task_id, map_index)

    # --- the run -----------------------------------------------------------------------------------------------------

    def _about_run(self) -> str:
        run = self._run
        if run.state is RunState.QUEUED:
            return self._about_queued_run()
        if run.state is RunState.RUNNING:
            return f"{self._held.view.unfinished} of {len(self._held.view.tasks)} tasks are not done" + _no_scheduler(
                self._schedulers
            )
        return run.reason or ("every deciding task succeeded" if run.state is RunState.SUCCESS else "it failed")

    def _about_queued_run(self) -> str:
        if self._dag.is_paused and self._run.run_type in (RunType.SCHEDULED, RunType.ASSET_TRIGGERED):
            return f"its DAG is paused; unpause it with `tradewind dags unpause {self._dag.dag_id}`"
        if self._run.run_after > self._now:
            return f"it is due at {self._run.run_after.isoformat()}, as was asked"
        running = runs.list_runs(self._tx, dag_id=self._dag.dag_id, states=[RunState.RUNNING], limit=200)
        if len(running) >= self._dag.max_active_runs:
            names = ", ".join(r.run_id for r in running[:3])
            return f"max_active_runs is reached: {len(running)} of {self._dag.max_active_runs} run ({names})"
        return "it starts as soon as a scheduler looks at it" + _no_scheduler(self._schedulers)

    # --- a task ------------------------------------------------------------------------------------------------------

    def _about_task(self, task: TaskView) -> str:
        match task.state:
            case TaskState.NONE:
                return self._about_waiting(task)
            case TaskState.SCHEDULED:
                return self._about_ready(task)
            case TaskState.UP_FOR_RETRY:
                when = task.retry_at.isoformat() if task.retry_at else "soon"
                left = self._held.version.graph.tasks[task.task_id].retries + 1 - task.failures
                tries = f"{left} {'try' if left == 1 else 'tries'} left"
                return f"is tried again at {when} ({tries}); the last try said: {task.reason}"
            case TaskState.UP_FOR_RESCHEDULE:
                when = task.retry_at.isoformat() if task.retry_at else "soon"
                return f"it looks again at {when}, and holds no slot until then"
            case TaskState.DEFERRED:
                return f"it waits for a trigger without a slot{self._about_patience(task)}"
            case TaskState.AWAITING_INPUT:
                return f"it waits for a person to answer{self._about_patience(task)}"
            case TaskState.SUCCESS:
                return "it succeeded"
            case TaskState.QUEUED | TaskState.RUNNING:
                return self._about_active(task)
            case _:
                return self._about_ended(task)

    def _about_waiting(self, task: TaskView) -> str:
        past = self._held.past.get(task.task_id)
        graph, view = self._held.version.graph, self._held.view
        scope = graph.scopes.get(task.task_id)
        if scope is not None and task.map_index == NO_MAP:
            if len(view.by_task[task.task_id]) > 1:
                return f"its indexes are being created, {len(view.by_task[task.task_id]) - 1} so far"
            open_sources = [source for source in graph.sources[scope] if view.open[source]]
            if open_sources:
                what = names(repr(source) for source in open_sources)
                return f"how many indexes it has is known when {what} has ended"
        verdict = judge_task(view, *task.key)
        if past is not None and verdict is Verdict.RUN:
            return past
        return f"waits for its upstream tasks: {verdict_reason(view, *task.key)}"

    @staticmethod
    def _about_patience(task: TaskView) -> str:
        return f" since {task.ended_at.isoformat()}" if task.ended_at else ""

    def _about_ready(self, task: TaskView) -> str:
        if not self._schedulers:
            return "it is ready" + _no_scheduler([])
        candidate = self._held.candidate(task, self._lanes)
        blocked = blocker(candidate, self._read_usage())
        return blocked or "it is ready, and starts when its turn comes"

    def _about_active(self, task: TaskView) -> str:
        attempt = self._newest_attempt(task)
        if attempt is None:
            return "it has just been started"
        alive = _no_scheduler(self._schedulers) if attempt.executor == "LocalExecutor" else ""
        if task.state is TaskState.QUEUED:
            at = attempt.queued_at.isoformat()
            return f"it was handed to {attempt.executor} at {at} and waits for its process{alive}"
        where = f" on {attempt.hostname}, process {attempt.pid}" if attempt.hostname else ""
        since = f" since {task.started_at.isoformat()}" if task.started_at else ""
        return f"it runs{since}{where}{alive}"

    def _about_ended(self, task: TaskView) -> str:
        text = task.reason or f"it is {task.state}"
        attempt = self._newest_attempt(task)
        if attempt is None or task.state is not TaskState.FAILED:
            return text
        facts = [f"try {attempt.try_number}"]
        if attempt.exit_code:
            facts.append(f"exit code {attempt.exit_code}")
        if attempt.signal:
            facts.append(f"signal {attempt.signal}")
        if attempt.peak_rss_bytes:
            facts.append(f"peak memory {attempt.peak_rss_bytes / 2**20:.0f} MiB")
        return f"{text} ({', '.join(facts)})"

    def _newest_attempt(self, task: TaskView) -> AttemptRecord | None:
        found = attempts.list_attempts(self._tx, self._run.pk, task.task_id, task.map_index)
        return found[-1] if found else None

    def _read_usage(self) -> Usage:
        if self._usage is None:
            limits: dict[str, int | None] = dict(self._info("executor_limits", {}))
            self._usage = read_usage(self._tx, self._info("parallelism", 32), limits, lock=False)
        return self._usage

    def _info(self, name: str, default: T) -> T:
        """Return what the scheduler said of itself when it registered: its limits, not those of our own settings."""
        found: T = next((p.info[name] for p in self._schedulers if name in p.info), default)
        return found
