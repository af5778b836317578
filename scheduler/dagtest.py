"""How does a DAG run in this very process, for ``dag.test()`` and ``tradewind dags test``?

The planner that the scheduler uses decides; tasks run one after another, right here, so that breakpoints work. Nothing
is recorded: XComs and all else that tasks write live in memory for this one run. Variables and connections that are
stored are read, when there is a metadata DB; none is needed.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scheduler.plan import Call, Policy
from scheduler.planner import RunPlanner
from scheduler.stored import Stored, TrialChannel
from tradewind.errors import UsageError
from tradewind.model.events import NO_MAP
from tradewind.model.orders import (
    AttemptEnded,
    AttemptOrder,
    AttemptStarted,
    CallbackOrder,
    Outcome,
    Wait,
    callback_attempt_id,
    resumption,
)
from tradewind.model.states import RunState, RunType, TaskState
from tradewind.run.graph import DagGraph
from tradewind.run.order import in_order
from tradewind.run.view import RunView, TaskKey
from tradewind.sdk.callback_run import run_callback
from tradewind.sdk.channel import ConnectionData
from tradewind.sdk.connection import Connection
from tradewind.sdk.execution import TaskResult, run_task
from tradewind.sdk.memory_channel import RunMemory
from tradewind.sdk.serialize import to_spec
from tradewind.timetables import DataInterval

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG

log = logging.getLogger("airflow.task")


@dataclass(frozen=True, slots=True)
class InProcessRun:
    """How the run ended.

    Attributes:
        state: success or failed.
        states: the final state of every task, in the order in which they can run. An index of a mapped task stands
            under the task id and the index in brackets: ``work[0]``; so do its reason, duration and label.
        reasons: why a task is not in the state success, where there is more to say than the state.
        durations: of the tasks that ran, their last try.
        labels: what ``map_index_template`` made of tasks that have one.
        memory: the XComs that were left.
    """

    run_id: str
    state: RunState
    states: Mapping[str, TaskState]
    reasons: Mapping[str, str]
    durations: Mapping[str, timedelta]
    labels: Mapping[str, str]
    memory: RunMemory

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = NO_MAP) -> str | None:
        """Return the JSON text of an XCom, or None."""
        value = self.memory.xcoms.get((task_id, map_index, key))
        return None if value is None else value.value


def run_dag_in_process(
    dag: DAG,
    logical_date: datetime | None = None,
    run_conf: Mapping[str, Any] | None = None,
    *,
    run_after: datetime | None = None,
    execution_date: datetime | None = None,
    conn_file_path: str | None = None,
    variable_file_path: str | None = None,
    mark_success_pattern: str | None = None,
    use_executor: bool = False,
    stored: Stored | None = None,
    now: datetime | None = None,
) -> InProcessRun:
    """Run ``dag`` once and return how it ended. Retries do not wait.

    Args:
        logical_date: aware or naive (then in the DAG's time zone); now when None.
        run_conf: overrides the defaults of params.
        execution_date: the old name of ``logical_date``.
        conn_file_path, variable_file_path: JSON files of connections and variables for this run; they go before what is
            stored.
        mark_success_pattern: tasks whose id matches are not run and count as successful.
        use_executor: refused; a run with an executor is what ``tradewind dags trigger`` starts.
        stored: what tasks can read; None: what the configuration of this process leads to.

    Raises:
        DagError: the DAG cannot be run, e.g. its tasks form a ring.
        ParamValidationError: ``run_conf`` does not fit the params.
        UsageError: an argument does not fit.
    """
    if use_executor:
        raise UsageError("dag.test(use_executor=True) does not exist here. Use `tradewind dags trigger` for that.")
    dag.params.resolved_with(run_conf or {})
    at = now or datetime.now(UTC)
    date = _aware(logical_date or execution_date or at, dag)
    memory = RunMemory(variables=_read_variables(variable_file_path), connections=_read_connections(conn_file_path))
    skip = re.compile(mark_success_pattern) if mark_success_pattern else None
    with _shown_logs(), nullcontext(stored) if stored is not None else Stored() as source:
        return _Runner(dag, date, run_after or at, dict(run_conf or {}), memory, source, skip).run()


class _Runner:
    """The loop of one run: take a ready task, run it, tell the planner."""

    def __init__(
        self,
        dag: DAG,
        logical_date: datetime,
        run_after: datetime,
        conf: dict[str, Any],
        memory: RunMemory,
        stored: Stored,
        mark_success: re.Pattern[str] | None,
    ) -> None:
        self._dag: Final = dag
        self._spec: Final = to_spec(dag)
        interval: DataInterval | None = dag.timetable.manual_interval(logical_date)
        self._view: Final = RunView(1, dag.dag_id, "", DagGraph(self._spec))
        self._view.run_id = dag.timetable.run_id(RunType.MANUAL, run_after, logical_date, interval=interval)
        self._memory: Final = memory
        self._stored: Final = stored
        self._mark_success: Final = mark_success
        self._conf: Final = conf
        self._logical_date: Final = logical_date
        self._interval: Final = interval
        self._run_after: Final = run_after
        self._ready: list[TaskKey] = []
        self._calls: list[Call] = []  # made when the run is over, here as well
        self._labels: Final[dict[str, str]] = {}

    def run(self) -> InProcessRun:
        planner = self._planner()
        planner.start(self._logical_date)
        self._take(planner)
        while self._ready or self._look_again():
            self._ready.sort(key=lambda key: (-self._spec_of(key[0]).priority, key), reverse=True)
            self._run_one(self._ready.pop())
        log.info("run %s ended: %s", self._view.run_id, self._view.state)
        for number, call in enumerate(self._calls, 1):
            order = self._call_order(number, call)
            run_callback(self._dag, order, self._channel(order), in_process=True)
        return self._outcome()

    def _outcome(self) -> InProcessRun:
        rank = {task_id: number for number, task_id in enumerate(in_order(self._spec))}
        tasks = sorted(self._view.tasks.values(), key=lambda task: (rank[task.task_id], task.map_index))
        return InProcessRun(
            self._view.run_id,
            self._view.state,
            states={_name(task.key): task.state for task in tasks},
            reasons={_name(task.key): task.reason for task in tasks if task.reason},
            durations={_name(t.key): t.ended_at - t.started_at for t in tasks if t.started_at and t.ended_at},
            labels=self._labels,
            memory=self._memory,
        )

    def _run_one(self, key: TaskKey) -> None:
        planner = self._planner()
        try_number = planner.queue(key)
        task = self._view.tasks[key]
        assert task.attempt_id is not None
        started = datetime.now(UTC)
        planner.attempt_started(AttemptStarted(task.attempt_id, 1, self._view.pk, started))
        order = self._order(key, try_number)
        log.info("----- %s, try %d -----", _name(key), try_number)
        if self._mark_success is not None and self._mark_success.search(key[0]):
            result = TaskResult(Outcome.SUCCESS)
            log.info("marked as successful")
        else:
            if order.resume is None:
                self._memory.forget(order)
            result = run_task(self._dag, self._dag.get_task(key[0]), order, self._channel(order), in_process=True)
        self._memory.keep(order, result.xcoms)
        if result.then is not None and result.then.map_label is not None:
            self._labels[_name(key)] = result.then.map_label
        ended = AttemptEnded(
            task.attempt_id,
            1,
            self._view.pk,
            result.outcome,
            datetime.now(UTC),
            started_at=started,
            may_retry=result.may_retry,
            error=result.error,
            then=result.then,
        )
        planner.attempt_ended(ended)
        self._take(planner)
        if task.state is TaskState.UP_FOR_RETRY:
            self._retry_at_once(key)
        elif task.state in (TaskState.DEFERRED, TaskState.AWAITING_INPUT) and result.then and result.then.wait:
            self._wait_here(order, result.then.wait)

    def _wait_here(self, order: AttemptOrder, wait: Wait) -> None:
        from scheduler.trial_waits import wait_here  # late: most DAGs have no task that waits, and it brings asyncio

        over = wait_here(wait, order, self._channel(order), datetime.now(UTC))
        planner = self._planner()
        planner.wait_over(order.attempt_id, over.event, over.failure)
        self._take(planner)

    def _retry_at_once(self, key: TaskKey) -> None:
        due = self._view.tasks[key].retry_at
        planner = RunPlanner(self._view, self._spec, due or datetime.now(UTC), Policy())
        planner.retry_due(key)
        log.info("%s is tried again; the delay until %s is left out here", _name(key), due)
        self._take(planner)

    def _look_again(self) -> bool:
        """Wait until the next task is due that let go of its slot; return whether there is one."""
        asleep = [task for task in self._view.tasks.values() if task.state is TaskState.UP_FOR_RESCHEDULE]
        due = min((task.retry_at for task in asleep if task.retry_at is not None), default=None)
        if due is None:
            return False
        log.info("waiting until %s, when the next task looks again", due)
        time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
        planner = RunPlanner(self._view, self._spec, max(due, datetime.now(UTC)), Policy())
        for task in asleep:
            planner.retry_due(task.key)
        self._take(planner)
        return True

    def _take(self, planner: RunPlanner) -> None:
        planner.finish()
        self._ready.extend(planner.plan.ready)
        self._calls.extend(planner.plan.calls)
        while planner.plan.has_more:
            planner = self._planner()
            planner.finish()
            self._ready.extend(planner.plan.ready)
            self._calls.extend(planner.plan.calls)
        self._ready = [key for key in self._ready if self._view.tasks[key].state is TaskState.SCHEDULED]

    def _planner(self) -> RunPlanner:
        return RunPlanner(self._view, self._spec, datetime.now(UTC), Policy())

    def _channel(self, order: AttemptOrder) -> TrialChannel:
        return TrialChannel(order, self._memory, self._stored)

    def _spec_of(self, task_id: str) -> Any:
        return self._view.graph.tasks[task_id]

    def _call_order(self, number: int, call: Call) -> AttemptOrder:
        facts = call.payload.get("task") or {}
        task_id, map_index = call.key or ("", NO_MAP)
        return AttemptOrder(
            **self._run_facts(),
            attempt_id=callback_attempt_id(number, 1),
            task_id=task_id,
            map_index=map_index,
            try_number=facts.get("try_number", 0),
            max_tries=facts.get("max_tries", 1),
            callback=CallbackOrder(number, call.kind, dict(call.payload)),
        )

    def _order(self, key: TaskKey, try_number: int) -> AttemptOrder:
        task, spec = self._view.tasks[key], self._spec_of(key[0])
        assert task.attempt_id is not None
        return AttemptOrder(
            **self._run_facts(),
            attempt_id=task.attempt_id,
            task_id=key[0],
            map_index=key[1],
            try_number=try_number,
            max_tries=task.max_tries + 1,
            queue=spec.queue,
            executor="in process",
            pool=spec.pool,
            execution_timeout_seconds=spec.execution_timeout_seconds,
            part=task.part,
            first_started_at=task.first_started_at,
            resume=resumption(task.resume),
        )

    def _run_facts(self) -> dict[str, Any]:
        """Return what every order of this run says of the run."""
        return {
            "fence": 1,
            "run_pk": self._view.pk,
            "dag_id": self._dag.dag_id,
            "run_id": self._view.run_id,
            "file_path": self._dag.fileloc,
            "version_id": 0,
            "source_digest": "",
            "run_type": RunType.MANUAL.value,
            "run_after": self._run_after,
            "logical_date": self._logical_date,
            "data_interval_start": self._interval.start if self._interval else None,
            "data_interval_end": self._interval.end if self._interval else None,
            "run_started_at": self._view.started_at,
            "conf": self._conf,
        }


def _name(key: TaskKey) -> str:
    task_id, map_index = key
    return task_id if map_index == NO_MAP else f"{task_id}[{map_index}]"


def _aware(date: datetime, dag: DAG) -> datetime:
    return date if date.tzinfo is not None else date.replace(tzinfo=dag.timezone)


def _read_variables(path: str | None) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in _read_json(path, "variables").items()
    }


def _read_connections(path: str | None) -> dict[str, ConnectionData]:
    found = {}
    for conn_id, value in _read_json(path, "connections").items():
        text = value if isinstance(value, str) else json.dumps(value)
        is_uri = isinstance(value, str) and not text.lstrip().startswith("{")
        made = Connection(conn_id=conn_id, uri=text) if is_uri else Connection.from_json(text, conn_id)
        found[conn_id] = ConnectionData(
            conn_id, made.conn_type or "", made.description, made.host, made.schema, made.login, made.password,
            made.port, made.extra,
        )  # fmt: skip
    return found


def _read_json(path: str | None, what: str) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The file of {what}, {path}, cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"The file of {what}, {path}, is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise UsageError(f"The file of {what}, {path}, must hold one JSON object, name to value.")
    return content


@contextmanager
def _shown_logs() -> Iterator[None]:
    """Show what tasks log, unless the program that calls has set up logging itself."""
    root = logging.getLogger()
    if root.handlers:
        yield
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s %(name)s - %(message)s"))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
