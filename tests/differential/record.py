# mypy: ignore-errors
"""What does real Apache Airflow 3.3.2 make of the probe DAGs? Writes ``recorded/*.json``, one file per DAG file.

Not part of the test run. Run it again when probes are added or changed, with the Python of an environment that has
``apache-airflow==3.3.2``, ``apache-airflow-providers-standard==1.21.0``, ``psycopg2-binary`` and ``asyncpg``, and with
a PostgreSQL server on which databases may be created:

    /path/to/airflow/bin/python tests/differential/record.py --home /tmp/af --postgres postgres@localhost [FILE ...]

``FILE``: names in ``dags/`` without ``.py``, and ``examples-core``, ``examples-standard``; all when none is given. A
real scheduler with LocalExecutor, DAG processor, triggerer and API server run everything; a task costs Airflow half a
second of CPU, so all of it takes about half an hour. What is written does not vary from one recording to the next.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import asked as plan  # noqa: E402
from shape import UNREADABLE, VARIES, plain, told, write  # noqa: E402

PORT = 18791
MADE_UP = ("scheduled__", "asset_triggered__", "manual__")
STILL_SECONDS = 15
GIVE_UP_SECONDS = 1800


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--home", type=Path, required=True, help="a folder to work in; what is in it is lost")
    given.add_argument("--postgres", default="postgres@localhost", help="user@host of the server")
    given.add_argument("--database", default="tradewind_oracle", help="a database to create; one of that name is lost")
    given.add_argument("--log", action="store_true", help="say what is being waited for")
    given.add_argument("files", nargs="*")
    options = given.parse_args()
    names = options.files or [path.stem for path in sorted((HERE / "dags").glob("*.py"))] + list(EXAMPLES)
    for part in ([name for name in names if name not in EXAMPLES], [name for name in names if name in EXAMPLES]):
        if part:
            record(options, part)


def record(options, names: list[str]) -> None:
    with Installation(options, are_examples=names[0] in EXAMPLES) as airflow:
        for name in names:
            airflow.place(name)
        airflow.start()
        for name, seen in airflow.run(names).items():
            write(HERE / "recorded" / f"{name}.json", seen)


EXAMPLES = {"examples-core": "airflow.example_dags", "examples-standard": "airflow.providers.standard.example_dags"}


class Installation:
    """One Airflow home with a database of its own."""

    def __init__(self, options, are_examples: bool) -> None:
        self.are_examples = are_examples
        self.refused = {}
        self.home = options.home.resolve()
        self.options = options
        self.processes = []
        self.dags = self.home / "dags"
        shutil.rmtree(self.home, ignore_errors=True)
        self.dags.mkdir(parents=True)
        user_host = options.postgres
        os.environ.update(
            {
                "AIRFLOW_HOME": str(self.home),
                "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__PARALLELISM": "12",
                "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "32",
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": str(are_examples),
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{PORT}/execution/",
                "AIRFLOW__CORE__FERNET_KEY": "0Uy6eBfVxCsZ4VBvHn9EAyxJXTZFhyTq0_nJmjCYQKk=",
                "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-recording-0123456789-0123456789",
                "AIRFLOW__API__PORT": str(PORT),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{user_host}/{options.database}",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{user_host}/{options.database}",
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
                "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
                "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": "200",
                "AIRFLOW__SCHEDULER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "120",
                "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
                "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
                "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
                "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "200",
                "PROBE_FOLDER": str(self.home),
                "PROBE_PACE": "30",
                "PYTHONPATH": str(self.dags),
                **plan.ENVIRONMENT,
            }
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        for process in reversed(self.processes):
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def place(self, name: str) -> None:
        """Lay a DAG file, or a folder of examples, where Airflow looks."""
        if name not in EXAMPLES:
            shutil.copyfile(HERE / "dags" / f"{name}.py", self.dags / f"{name}.py")
            return
        package = Path(importlib.util.find_spec(EXAMPLES[name]).origin).parent
        shutil.copytree(package, self.dags / name, ignore=shutil.ignore_patterns("__pycache__"))

    def start(self) -> None:
        server = f"postgresql+psycopg2://{self.options.postgres}/postgres"
        import sqlalchemy as sa

        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{self.options.database}" WITH (FORCE)'))
            connection.execute(sa.text(f'CREATE DATABASE "{self.options.database}"'))
        engine.dispose()
        self.airflow("db", "migrate").wait()
        self.processes = [
            self.airflow("api-server", "--apps", "execution", "--workers", "1"),
            self.airflow("dag-processor"),
            self.airflow("scheduler", "--skip-serve-logs"),
            self.airflow("triggerer", "--skip-serve-logs"),
        ]

    def airflow(self, *words: str) -> subprocess.Popen:
        with (self.home / f"{words[0]}.log").open("ab") as output:
            return subprocess.Popen(
                [str(Path(sys.executable).parent / "airflow"), *words],
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    # --- runs --------------------------------------------------------------------------------------------------------

    def run(self, names: list[str]) -> dict[str, object]:
        from airflow.models import DagModel, DagRun
        from airflow.utils.session import create_session

        self.wait_parsed()
        found = self.dag_files()
        for file, error in self.import_errors():
            print("not imported:", file, error.strip().splitlines()[-1], flush=True)
        with create_session() as session:
            free = {
                dag_id
                for (dag_id,) in session.query(DagModel.dag_id).filter(
                    DagModel.timetable_type.contains("NullTimetable")
                )
            }
        if self.are_examples:  # they run when asked for, not when their schedules say so
            free = self.free(found)
        for dag_id in sorted(found):
            for ask in plan.asked(dag_id, dag_id not in free):
                self.trigger(dag_id, ask)
        begun, quiet_since, before = time.monotonic(), time.monotonic(), None
        while time.monotonic() - begun < GIVE_UP_SECONDS:
            with create_session() as session:
                runs = session.query(DagRun.dag_id, DagRun.run_id, DagRun.state).all()
                open_ones = {(d, r) for d, r, state in runs if state not in ("success", "failed")}
                missing = {
                    d: n
                    for d, n in plan.COMING.items()
                    if d in found and n > len([1 for dag, _, _ in runs if dag == d])
                }
                due = session.query(DagModel.dag_id).filter(DagModel.next_dagrun_create_after < datetime.now(UTC))
                missing |= {dag_id: 1 for (dag_id,) in due if dag_id not in plan.NOT_RUN}
                now = self.stand(session)
            if before != now:
                before, quiet_since = now, time.monotonic()
            quiet = time.monotonic() - quiet_since
            waited_for = {d for d, _ in open_ones} - set(plan.STAYING)
            if not missing and not waited_for and (quiet > STILL_SECONDS or (not open_ones and quiet > 2)):
                break
            if quiet > 120:
                print("nothing moves any more", sorted(open_ones), missing, flush=True)
                break
            if self.options.log:
                print(len(runs), "runs,", len(open_ones), "open", sorted(open_ones)[:4], missing, flush=True)
            time.sleep(2)
        return self.collect(names, found)

    def free(self, found) -> set[str]:
        """Let DAGs run, but not by the clock. Returns those that are asked for: all but consumers of assets."""
        from airflow.models import DagModel
        from airflow.utils.session import create_session

        asked_for = set()
        with create_session() as session:
            for dag in session.query(DagModel).filter(DagModel.dag_id.in_(set(found) - set(plan.NOT_RUN))):
                dag.is_paused = False
                if dag.next_dagrun_create_after is not None:
                    dag.next_dagrun_create_after = datetime(2199, 1, 1, tzinfo=UTC)
                if dag.dag_id not in plan.COMING:
                    asked_for.add(dag.dag_id)
        return asked_for

    def stand(self, session) -> object:
        from airflow.models import TaskInstance
        from sqlalchemy import func, select

        counts = select(TaskInstance.state, func.count(), func.sum(TaskInstance.try_number)).group_by(
            TaskInstance.state
        )
        return sorted(map(str, session.execute(counts).all()))

    def wait_parsed(self) -> None:
        """Wait until every file has been read: each has DAGs, or an error."""
        from airflow.models import DagModel
        from airflow.models.errors import ParseImportError
        from airflow.utils.session import create_session

        files = {str(path.relative_to(self.dags)) for path in self.dags.rglob("*.py")}
        begun = time.monotonic()
        quiet, before = time.monotonic(), 0
        while time.monotonic() - begun < 400:
            with create_session() as session:
                seen = {row for (row,) in session.query(DagModel.relative_fileloc)}
                count = session.query(DagModel).count()
                seen |= {row for (row,) in session.query(ParseImportError.filename)}
            if count != before:
                before, quiet = count, time.monotonic()
            if files <= seen or (seen and time.monotonic() - quiet > 60):
                return
            time.sleep(1)
        raise SystemExit(f"not read in time: {sorted(files - seen)}")

    def import_errors(self) -> list[tuple[str, str]]:
        from airflow.models.errors import ParseImportError
        from airflow.utils.session import create_session

        with create_session() as session:
            return session.query(ParseImportError.filename, ParseImportError.stacktrace).all()

    def dag_files(self) -> dict[str, str]:
        """Return the file or folder of examples of each DAG."""
        from airflow.models import DagModel
        from airflow.utils.session import create_session

        with create_session() as session:
            rows = session.query(DagModel.dag_id, DagModel.relative_fileloc).all()
        return {dag_id: file.split("/")[0].removesuffix(".py") for dag_id, file in rows}

    def trigger(self, dag_id: str, ask) -> None:
        from airflow.api.common.trigger_dag import trigger_dag
        from airflow.utils.types import DagRunTriggeredByType

        date = None if ask.logical_date is None else datetime.fromisoformat(ask.logical_date)
        try:
            trigger_dag(
                dag_id, triggered_by=DagRunTriggeredByType.TEST, run_id=ask.run_id, conf=dict(ask.conf),
                logical_date=date, run_after=date, replace_microseconds=False,
            )  # fmt: skip
        except Exception as error:  # a refused run is an answer, too
            self.refused.setdefault(dag_id, {})[ask.run_id] = type(error).__name__

    # --- what was left -----------------------------------------------------------------------------------------------

    def collect(self, names: list[str], found: dict[str, str]) -> dict[str, object]:
        from airflow.models import Log
        from airflow.models.errors import ParseImportError
        from airflow.utils.session import create_session

        seen = {name: {"dags": {}, "import_errors": []} for name in names}
        with create_session() as session:
            # A task that came back before the scheduler had seen it go is failed by mistake: no answer to learn from.
            for row in session.query(Log).filter_by(event="state mismatch"):
                print("recorded too fast, not to be trusted:", row.dag_id, row.task_id, row.map_index, flush=True)
        if "runs" in seen:
            seen["runs"]["callbacks"] = told(self.home / "callbacks.txt")
        with create_session() as session:
            for dag_id, name in sorted(found.items()):
                seen[name]["dags"][dag_id] = self.runs_of(session, dag_id)
            for (file,) in session.query(ParseImportError.filename):
                name = file.split("/")[0].removesuffix(".py")
                seen[name]["import_errors"].append(file)
        return seen

    def runs_of(self, session, dag_id: str) -> dict[str, object]:
        from airflow.models import DagRun

        runs = session.query(DagRun).filter_by(dag_id=dag_id).all()
        told = {}
        runs.sort(key=lambda run: (run.logical_date is None, run.logical_date or run.run_after))
        came = 0
        for run in runs:
            made_up = run.run_id.startswith(MADE_UP)
            came += made_up
            told[f"came{came}" if made_up else run.run_id] = self.run_facts(session, run)
        for run_id in self.refused.get(dag_id, {}):
            told[run_id] = {"refused": True}
        return told

    def run_facts(self, session, run) -> dict[str, object]:
        from airflow.models import TaskInstance
        from airflow.models.xcom import XComModel
        from airflow.sdk.serde import deserialize

        tasks = session.query(TaskInstance).filter_by(dag_id=run.dag_id, run_id=run.run_id).all()
        states, labels, tries = {}, {}, {}
        for instance in tasks:
            key = instance.task_id if instance.map_index < 0 else f"{instance.task_id}[{instance.map_index}]"
            states[key] = str(instance.state or "none")
            if instance.rendered_map_index not in (None, str(instance.map_index)):
                labels[key] = instance.rendered_map_index
            if instance.try_number > 1:
                tries[key] = instance.try_number
        xcoms = {}
        for row in session.query(XComModel).filter_by(dag_id=run.dag_id, run_id=run.run_id):
            key = row.task_id if row.map_index < 0 else f"{row.task_id}[{row.map_index}]"
            if row.key in plan.OWN_KEYS or row.key.startswith("_link_"):
                continue
            try:
                value = VARIES if plan.varies(row.task_id, row.key) else plain(deserialize(row.value))
            except ImportError:  # a class of the DAG file itself
                value = UNREADABLE
            xcoms.setdefault(key, {})[row.key] = value
        return {
            "state": str(run.state),
            "type": str(getattr(run.run_type, "value", run.run_type)),
            "logical_date": plan.instant(run.logical_date),
            "interval": [plan.instant(run.data_interval_start), plan.instant(run.data_interval_end)],
            "tasks": states,
            "tries": tries,
            "labels": labels,
            "xcoms": xcoms,
        }


if __name__ == "__main__":
    main()
