"""How does the command line show logs? Those of this machine and of the log store, as they are."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executors.logs.credentials import configured_store, has_store
from executors.logs.reading import LogFiles
from executors.runner.log_paths import attempt_log_path
from executors.stored_values import StoredValues
from scheduler.commands.lookup import find_named_run
from tradewind.config import Config, load_config
from tradewind.errors import NotFound
from tradewind.metadata.dags import load_spec
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database
from tradewind.metadata.runs import RunRecord, list_task_instances
from tradewind.metadata.views.runs import TaskLine
from tradewind.metadata.views.tasks import find_task_line
from tradewind.model.states import FINAL_TASK_STATES
from tradewind.terminal.output import talk

if TYPE_CHECKING:
    from sqlalchemy import Connection

_BLOCK_BYTES: Final = 1 << 20
_LOOK_SECONDS: Final = 1.0
_LAST_LOOKS: Final = 4
"""How many looks at the log store in a row must find nothing new once the task has ended."""


def log_files(config: Config, db: Database) -> LogFiles:
    """Return what finds logs for a command."""
    if not has_store(config):
        return LogFiles(config.logging.base_log_folder, None)
    find = StoredValues(db, config).get_connection
    return LogFiles(config.logging.base_log_folder, lambda: configured_store(config, find))


def task_logs(
    dag_id: str, task_id: str, logical_date_or_run_id: str, map_index: int, try_number: int | None, follow: bool
) -> None:
    """Print the log of a task in a run."""
    config = load_config(os.environ)
    with open_database(config) as db:
        with db.read() as tx:
            run = find_named_run(tx, dag_id, logical_date_or_run_id)
            task = _find_task(tx, run, task_id, map_index)
        number = try_number or max(task.try_number, 1)
        name = attempt_log_path(Path(), dag_id, run.run_id, task_id, number, map_index)
        if follow and number >= task.try_number:
            _follow(config, db, name, lambda: _is_over(db, run, task_id, map_index, number))
        else:
            show_logs(config, db, [name])


def _find_task(tx: Connection, run: RunRecord, task_id: str, map_index: int) -> TaskLine:
    found = find_task_line(tx, run.pk, task_id, map_index)
    if found is not None:
        return found
    known = [one.task_id for one in load_spec(tx, run.version_id).tasks]
    if task_id not in known:
        mend = f"`tradewind tasks states-for-dag-run {run.dag_id} {run.run_id}` shows its tasks."
        raise NotFound("Task", task_id, known, mend, within=f"of run {run.run_id!r}")
    if not list_task_instances(tx, run.pk):
        raise NotFound("Log", task_id, (), "The run has not started yet.", within=f"of run {run.run_id!r}")
    mend = "Name one of a mapped task with --map-index; other tasks have none."
    raise NotFound("Map index", str(map_index), (), mend, within=f"of task {task_id!r}")


def _is_over(db: Database, run: RunRecord, task_id: str, map_index: int, try_number: int) -> bool:
    with db.read() as tx:
        task = find_task_line(tx, run.pk, task_id, map_index)
    return task is None or task.state in FINAL_TASK_STATES or task.try_number > try_number


def _follow(config: Config, db: Database, name: Path, is_over: Callable[[], bool]) -> None:
    """Print a log as it grows, until the task has ended and its last words have come."""
    files, at, quiet, told = log_files(config, db), 0, 0, ""
    pause = threading.Event()
    try:
        while True:
            ended = is_over()  # asked first: what was written before the end is then there
            found = files.find(name)
            if found.trouble and found.trouble != told:
                talk(found.trouble)
            told = found.trouble
            before = at
            if found.path.is_file():
                at = write(found.path, at)
            quiet = quiet + 1 if ended and at == before else 0
            if ended and (quiet >= _LAST_LOOKS or not files.has_store):
                return
            pause.wait(_LOOK_SECONDS)
    finally:
        files.close()


def show_logs(config: Config, db: Database, names: Sequence[Path]) -> None:
    """Print logs, one after the other; what is not there, or may not be all, is said on stderr."""
    files = log_files(config, db)
    try:
        for name in names:
            found = files.find(name)
            if found.trouble:
                talk(found.trouble)
            if found.path.is_file():
                write(found.path)
            elif not found.trouble:
                talk(f"There is no log at {found.path}{', nor in the log store' if files.has_store else ''}.")
    finally:
        files.close()


def write(path: Path, start: int = 0) -> int:
    """Print a file from a byte on; return the byte behind what was printed."""
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK_BYTES):
            start += len(block)
            sys.stdout.write(block.decode("utf-8", "replace"))
    sys.stdout.flush()
    return start
