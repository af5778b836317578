"""What does Tradewind say to each piece of ``wrong_use.txt``? All are read as the DAG files of one folder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests.dagfiles.place import Place
from tests.differential.shape import pieces
from tests.differential.stage import HERE
from tests.support.databases import SqliteTemplates
from tradewind.metadata.database import Database
from tradewind.metadata.models import Dag, DagFile


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one piece. ``error``: None when it was accepted."""

    error: str | None
    line: int | None
    dags: list[str]


def recorded_answers() -> dict[str, dict[str, Any]]:
    """Return what Airflow said, by piece."""
    answers: dict[str, dict[str, Any]] = json.loads((HERE / "recorded_refusals.json").read_text(encoding="utf-8"))
    return answers


def read_all(folder: Path) -> dict[str, Answer]:
    """Return what Tradewind says, by piece. ``folder``: an empty one, for the installation."""
    home = folder / "home"
    (home / "dags").mkdir(parents=True)
    database = Database(SqliteTemplates(folder).make(home))
    place = Place(home, database)
    files = {}
    for number, (name, text) in enumerate(pieces(HERE / "wrong_use.txt").items()):
        files[name] = f"piece{number}.py"
        # A DAG belongs to one file: each piece has DAGs of its own.
        own = re.sub(r'DAG\("([a-z]+)"', rf'DAG("\1_{number}"', text)
        (place.folder / files[name]).write_text(own, encoding="utf-8")
    try:
        manager = place.manager(DAG_PROCESSOR__PARSING_PROCESSES="4")
        manager.start()
        assert manager.parse_now(timeout=120)
        with database.read() as tx:
            errors = {row.path: row for row in tx.execute(select(DagFile.path, DagFile.error, DagFile.error_line))}
            owners = tx.execute(select(Dag.dag_id, Dag.file_path).where(Dag.is_active)).all()
    finally:
        place.stop()
        database.close()
    found: dict[str, list[str]] = {}
    for dag_id, path in owners:
        found.setdefault(path, []).append(dag_id.partition("_")[0])
    return {
        name: Answer(errors[path].error, errors[path].error_line, sorted(found.get(path, [])))
        for name, path in files.items()
    }
