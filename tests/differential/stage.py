"""How do the probe DAGs run on Tradewind? All at once, under one scheduler, with real task processes, on SQLite."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from scheduler.runs import trigger_run
from tests.differential import asked as plan
from tests.differential.shape import UNREADABLE, VARIES, plain, read, told
from tests.e2e.stack import Stack
from tradewind.errors import TradewindError
from tradewind.metadata import dags
from tradewind.metadata.models import Dag, DagFile, DagRun, TaskInstance, XCom
from tradewind.xcom import XComDecodeError, decode

HERE: Final = Path(__file__).parent
MADE_UP: Final = ("scheduled__", "asset_triggered__", "manual__")
"""How ids of runs begin that nobody chose; they are compared by their order."""

PROBES: Final = tuple(path.stem for path in sorted((HERE / "dags").glob("*.py")))
"""The probe files, by name."""

LIMIT_SECONDS: Final = 120.0
STILL_SECONDS: Final = 20.0
"""Nothing moves for so long: what has not ended by then does not end."""


def recordings(*names: str) -> dict[str, dict[str, Any]]:
    """Return what Airflow made of these DAG files, by file."""
    found = {path.stem: path for path in sorted((HERE / "recorded").glob("*.json"))}
    return {name: read(path) for name, path in found.items() if name in names}


def _watch(look: Callable[[], tuple[bool, object]], every: float) -> None:
    """Look at outside processes, which give no event, until all is done, or nothing moves any more, or it is late.

    Args:
        look: returns whether all is done, and something that changes while anything moves.
    """
    begun = still_since = time.monotonic()
    before: object = None
    while time.monotonic() - begun < LIMIT_SECONDS and time.monotonic() - still_since < STILL_SECONDS:
        is_done, now = look()
        if is_done:
            return
        if now != before:
            before, still_since = now, time.monotonic()
        time.sleep(every)


class Stage:
    """A running installation with some of the DAG files, and what their runs left."""

    def __init__(self, stack: Stack, recorded: Mapping[str, dict[str, Any]], folders: Mapping[str, Path]) -> None:
        """
        Args:
            recorded: of the files to run.
            folders: where files are that are not among the probes, by name.
        """
        self.stack: Final = stack
        self.recorded: Final = recorded
        self.refused: Final[dict[tuple[str, str], str]] = {}
        self._dags: Final = stack.home / "dags"
        for name in recorded:
            self._place(name, folders.get(name, HERE / "dags" / f"{name}.py"))

    def _place(self, name: str, source: Path) -> None:
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                target = self._dags / name / file.relative_to(source) if source.is_dir() else self._dags / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())

    def run(self) -> None:
        """Run everything until all has ended that ended on Airflow, or until nothing moves any more."""
        self.stack.start()
        self._wait_read()
        by_dag = {
            dag_id: its_runs for recorded in self.recorded.values() for dag_id, its_runs in recorded["dags"].items()
        }
        with self.stack.db.write() as tx:
            for dag_id, its_runs in by_dag.items():
                if any(run.get("type") == "asset_triggered" for run in its_runs.values()) and dags.find_dag(tx, dag_id):
                    dags.set_paused(tx, dag_id, False, self.stack.db.now())
        for dag_id, its_runs in by_dag.items():
            self._trigger(dag_id, its_runs)
        self._wait()

    def _wait_read(self) -> None:
        """Wait until all DAGs are known, or until no further file comes: some may be broken."""
        wanted = {dag_id for recorded in self.recorded.values() for dag_id in recorded["dags"]}

        def look() -> tuple[bool, object]:
            with self.stack.db.read() as tx:
                known = set(tx.execute(select(Dag.dag_id)).scalars())
            return wanted <= known, len(known)

        _watch(look, every=0.1)

    def _files(self) -> dict[str, str | None]:
        with self.stack.db.read() as tx:
            return {row.path: row.error for row in tx.execute(select(DagFile.path, DagFile.error))}

    def _trigger(self, dag_id: str, recorded: Mapping[str, Any]) -> None:
        for ask in plan.asked(dag_id, has_schedule=False):
            if ask.run_id not in recorded:
                continue
            date = None if ask.logical_date is None else datetime.fromisoformat(ask.logical_date)
            try:
                trigger_run(
                    self.stack.db, self.stack.config, dag_id=dag_id, run_id=ask.run_id, logical_date=date, conf=ask.conf
                )
            except TradewindError as error:
                self.refused[dag_id, ask.run_id] = str(error)

    def _wait(self) -> None:
        expected = {
            dag_id: sum("refused" not in run for run in its_runs.values())
            for recorded in self.recorded.values()
            for dag_id, its_runs in recorded["dags"].items()
        }

        def look() -> tuple[bool, object]:
            ended, now = self._stand()
            over = (ended.get(dag_id, 0) >= n for dag_id, n in expected.items() if dag_id not in plan.STAYING)
            return all(over), now

        _watch(look, every=0.2)

    def _stand(self) -> tuple[dict[str, int], object]:
        ended: dict[str, int] = {}
        with self.stack.db.read() as tx:
            rows = tx.execute(select(DagRun.dag_id, DagRun.next_seq, DagRun.ended_at)).all()
        for row in rows:
            ended[row.dag_id] = ended.get(row.dag_id, 0) + (row.ended_at is not None)
        return ended, sum(row.next_seq for row in rows)

    # --- what was left -----------------------------------------------------------------------------------------------

    def import_errors(self) -> dict[str, str]:
        """Return the error of each file that was not read."""
        return {path: error for path, error in self._files().items() if error is not None}

    def callbacks(self) -> dict[str, list[str]]:
        """Return what the callbacks wrote."""
        return told(self.stack.home / "callbacks.txt")

    def knows(self, dag_id: str) -> bool:
        """Whether there is such a DAG."""
        with self.stack.db.read() as tx:
            return dags.find_dag(tx, dag_id) is not None

    def runs_of(self, dag_id: str) -> dict[str, dict[str, Any]]:
        """Return what the runs of a DAG left, in the shape of the recordings."""
        with self.stack.db.read() as tx:
            rows = list(tx.execute(select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id)))
        rows.sort(key=lambda row: (row.logical_date is None, row.logical_date or row.run_after))
        found: dict[str, dict[str, Any]] = {}
        came = 0
        for row in rows:
            made_up = row.run_id.startswith(MADE_UP)
            came += made_up
            found[f"came{came}" if made_up else row.run_id] = self._run(row)
        for refused_dag, run_id in self.refused:
            if refused_dag == dag_id:
                found[run_id] = {"refused": self.refused[dag_id, run_id]}
        return found

    def _run(self, run: Any) -> dict[str, Any]:
        with self.stack.db.read() as tx:
            tasks = tx.execute(select(TaskInstance).where(TaskInstance.run_pk == run.id)).all()
            xcoms = tx.execute(select(XCom).where(XCom.run_pk == run.id)).all()
        values: dict[str, dict[str, Any]] = {}
        for row in xcoms:
            if row.key not in plan.OWN_KEYS and not row.key.startswith("_link_"):
                value = VARIES if plan.varies(row.task_id, row.key) else _decoded(row.value)
                values.setdefault(_name(row), {})[row.key] = value
        return {
            "state": str(run.state),
            "type": str(run.run_type),
            "logical_date": plan.instant(run.logical_date),
            "interval": [plan.instant(run.data_interval_start), plan.instant(run.data_interval_end)],
            "tasks": {_name(row): str(row.state) for row in tasks},
            "tries": {_name(row): row.try_number for row in tasks if row.try_number > 1},
            "labels": {_name(row): row.map_label for row in tasks if row.map_label not in (None, str(row.map_index))},
            "xcoms": values,
        }


def _name(row: Any) -> str:
    return str(row.task_id) if row.map_index < 0 else f"{row.task_id}[{row.map_index}]"


def _decoded(text: str | None) -> Any:
    try:
        return plain(decode(text or "null"))
    except XComDecodeError:
        return UNREADABLE


@contextmanager
def staged(
    home: Path, url: str, recorded: Mapping[str, dict[str, Any]], folders: Mapping[str, Path] | None = None
) -> Iterator[Stage]:
    """Give a stage on which everything has run. Its processes end with the block."""
    settings = {
        "PROBE_FOLDER": str(home),
        "TRADEWIND__CORE__PARALLELISM": "16",
        "TRADEWIND__CORE__MAX_ACTIVE_TASKS_PER_DAG": "32",
        # Examples run when they are asked for, not when their schedules say so.
        "TRADEWIND__CORE__DAGS_ARE_PAUSED_AT_CREATION": str(bool(folders)),
        **plan.ENVIRONMENT,
    }
    (home / "dags").mkdir(parents=True, exist_ok=True)
    stack = Stack(home, url, lease_seconds=30.0, settings=settings)
    try:
        stage = Stage(stack, recorded, folders or {})
        stage.run()
        yield stage
    finally:
        stack.stop()
