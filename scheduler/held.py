"""What does a scheduler keep of a run in memory, and what does it say of its tasks to admission and executors?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from scheduler.admission import Candidate
from scheduler.versions import Version
from tradewind.metadata.commit import NewAttempt
from tradewind.metadata.past import PastQuestion, find_blockers
from tradewind.metadata.run_keys import facts_of_run
from tradewind.metadata.runs import RunRecord
from tradewind.model.keys import param_defaults, params_named, render_all
from tradewind.model.orders import AttemptOrder, attempt_id, resumption
from tradewind.model.spec import TaskSpec
from tradewind.model.states import RunType
from tradewind.run.view import RunView, TaskView


@dataclass(frozen=True, slots=True)
class Lanes:
    """The executors that this process has, as admission sees them.

    Attributes:
        default: the executor of tasks that name none.
        supervisors: executor -> the supervisor in this process that holds its attempts from their birth, or None.
        limits: asks each executor for its capacity; None is no limit.
        spellings: what tasks may write for an executor -> its name.
        default_queue: where calls wait that are made beside tasks.
    """

    default: str
    supervisors: Mapping[str, UUID | None]
    limits: Callable[[], Mapping[str, int | None]]
    spellings: Mapping[str, str] = field(default_factory=dict)
    default_queue: str = "default"

    def executor(self, wished: str | None) -> str:
        """Return the name of the executor that a task asks for; an unknown one stays as it is written."""
        return self.default if wished is None else self.spellings.get(wished, wished)


@dataclass(slots=True)
class HeldRun:
    """A run in memory: what was stored when it was read, its DAG version, and its state since."""

    record: RunRecord
    version: Version
    view: RunView
    past: Mapping[str, str] = field(default_factory=dict)  # tasks that wait for the run before, with the reason

    def read_past(self, tx: Connection, version: Version | None = None) -> None:
        """Look again at what the run before has come to, for the tasks that depend on it: those of its own version, or
        of one that it is about to go on with."""
        graph = (version or self.version).graph
        questions = [
            PastQuestion(
                task_id,
                graph.downstream[task_id] if graph.tasks[task_id].wait_for_downstream else (),
                _instant(graph.tasks[task_id].start_date),
                graph.tasks[task_id].ignore_first_depends_on_past,
            )
            for task_id in graph.past
        ]
        if questions:
            scheduled_only = self.version.spec.catchup
            self.past = find_blockers(tx, self.record, questions, scheduled_only=scheduled_only)

    def candidate(self, task: TaskView, lanes: Lanes) -> Candidate:
        """Return a ready task with all the limits that it stands under."""
        return candidate_of(self.record, self.version, task, lanes)

    def attempt(self, candidate: Candidate, try_number: int, lanes: Lanes) -> NewAttempt:
        """Return the attempt that gives ``candidate`` its slots."""
        task_id, map_index = candidate.key
        part = self.view.tasks[candidate.key].part
        return NewAttempt(
            id=attempt_id(self.record.pk, task_id, map_index, try_number, part),
            key=candidate.key,
            try_number=try_number,
            part=part,
            executor=candidate.executor,
            queue=self.version.graph.tasks[task_id].queue,
            pool=candidate.pool,
            pool_slots=candidate.pool_slots,
            supervisor_id=lanes.supervisors.get(candidate.executor),
            keys=[key for key, _ in candidate.keys] or None,
        )

    def order(self, attempt: NewAttempt) -> AttemptOrder:
        """Return what an executor is told of ``attempt``."""
        task_id, map_index = attempt.key
        record, version, task = self.record, self.version, self.view.tasks[attempt.key]
        return AttemptOrder(
            attempt_id=attempt.id,
            fence=0 if attempt.supervisor_id is None else 1,
            run_pk=record.pk,
            dag_id=record.dag_id,
            run_id=record.run_id,
            task_id=task_id,
            map_index=map_index,
            try_number=attempt.try_number,
            max_tries=task.max_tries + 1,
            file_path=version.file_path,
            version_id=version.id,
            bundle=self.view.bundle,
            source_digest=version.source_digest,
            run_type=record.run_type.value,
            run_after=record.run_after,
            logical_date=record.task_date,
            data_interval_start=record.data_interval_start,
            data_interval_end=record.data_interval_end,
            run_started_at=self.view.started_at,
            conf=dict(record.conf),
            queue=attempt.queue,
            executor=attempt.executor,
            pool=attempt.pool,
            execution_timeout_seconds=version.graph.tasks[task_id].execution_timeout_seconds,
            triggering_user=record.triggering_user,
            partition_key=record.partition_key,
            partition_date=record.partition_date,
            part=attempt.part,
            first_started_at=task.first_started_at,
            resume=resumption(task.resume),
        )


def candidate_of(record: RunRecord, version: Version, task: TaskView, lanes: Lanes) -> Candidate:
    """Return a ready task of a run with all the limits that it stands under."""
    spec = version.graph.tasks[task.task_id]
    return Candidate(
        run_pk=record.pk,
        dag_id=record.dag_id,
        key=task.key,
        pool=spec.pool,
        pool_slots=spec.pool_slots,
        priority=spec.priority,
        ready_at=task.scheduled_at or record.queued_at,
        run_after=record.run_after,
        executor=lanes.executor(spec.executor),
        max_active_tasks=version.spec.max_active_tasks,
        max_per_dag=spec.max_active_tis_per_dag,
        max_per_run=spec.max_active_tis_per_dagrun,
        is_backfill=record.run_type is RunType.BACKFILL,
        keys=_keys(record, version, spec, task) if spec.concurrency else (),
        rates=spec.rate_limits,
    )


def _keys(record: RunRecord, version: Version, spec: TaskSpec, task: TaskView) -> tuple[tuple[str, int], ...]:
    named = {name for key in spec.concurrency for name in params_named(key.template)}
    facts = facts_of_run(record, param_defaults(version.spec, named))
    return render_all(spec.concurrency, {**facts, "task_id": task.task_id, "map_index": task.map_index})


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
