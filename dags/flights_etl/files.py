"""Where do the run's files live, and how are they written so that nobody reads half of one?"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any


def home() -> Path:
    """Return the folder of all that this ETL makes: ``flights`` in the scheduler's home."""
    for name in ("TRADEWIND_HOME", "AIRFLOW_HOME"):
        if os.environ.get(name):
            return Path(os.environ[name]) / "flights"
    return Path.home() / "tradewind" / "flights"


def staging(run_id: str) -> Path:
    """Return the folder where one run keeps what passes between its tasks, made when it is missing."""
    folder = home() / "staging" / re.sub(r"[^\w.-]+", "_", run_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_staging(run_id: str, leftovers_older_than: timedelta) -> None:
    """Remove the staging folder of a run, and those of others that nobody has touched for long."""
    shutil.rmtree(staging(run_id))
    oldest = time.time() - leftovers_older_than.total_seconds()
    for folder in (home() / "staging").iterdir():
        if folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def write(path: Path, text: str) -> Path:
    """Write a whole file or nothing: a task killed half way leaves the old file, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
    return path


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as JSON lines; return how many."""
    lines = [json.dumps(row) for row in rows]
    write(path, "".join(line + "\n" for line in lines))
    return len(lines)


def read_rows(path: Path | str) -> list[dict[str, Any]]:
    """Return the rows that :func:`write_rows` wrote.

    Raises:
        FileNotFoundError: the run has been cleaned up since; says what to clear instead.
    """
    if not Path(path).exists():
        raise FileNotFoundError(
            f"{path} is gone: this run was cleaned up after its success. Clear its extract tasks too."
        )
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
