"""How does a command come to a DAG without a metadata DB? It imports the DAG file into this very process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.dagfiles.find import find_files, might_hold_dags
from scheduler.dagfiles.folders import dag_folders
from scheduler.stored import Stored, StoredSource
from tradewind import compat
from tradewind.config import Config
from tradewind.errors import DagError, NotFound, UsageError
from tradewind.sdk import defaults, reach
from tradewind.sdk.loader import load_dag_file
from tradewind.sdk.traceback_text import one_line, user_traceback
from tradewind.terminal.output import talk

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG


def load_dag(config: Config, dag_id: str, file: str | None, stored: Stored) -> DAG:
    """Return a DAG, imported into this process, so that breakpoints in its file work.

    Args:
        file: the DAG file; None looks through the DAG folder and imports file by file, those that mention the id first,
            until one defines it.
        stored: answers files that ask for variables and connections at their top.

    Raises:
        NotFound: no file defines it; the nearest id that was seen is offered.
        DagError: ``file`` cannot be imported.
        UsageError: ``file`` does not exist.
    """
    compat.install()
    defaults.use(defaults.Defaults.from_config(config))
    with reach.reading_from(StoredSource(stored)):
        return _from_folders(config, dag_id) if file is None else _from_file(config, dag_id, Path(file))


def _from_folders(config: Config, dag_id: str) -> DAG:
    seen: list[str] = []
    broken: dict[str, BaseException] = {}
    for folder, path in _candidates(config, dag_id):
        try:
            dags = load_dag_file(path, dag_folder=folder)
        except Exception as error:  # one broken file costs that file
            broken[path] = error
            continue
        for dag in dags:
            if dag.dag_id == dag_id:
                return dag
            seen.append(dag.dag_id)
    for path, reason in broken.items():
        talk(f"{path} cannot be imported:\n{user_traceback(reason)}\n")
    raise NotFound("DAG", dag_id, seen, f"No file in {config.core.dags_folder} defines it; name its file with -f.")


def _from_file(config: Config, dag_id: str, path: Path) -> DAG:
    if not path.is_file():
        raise UsageError(f"There is no DAG file {path}.")
    try:
        dags = load_dag_file(str(path), dag_folder=str(config.core.dags_folder))
    except Exception as error:
        talk(user_traceback(error))
        raise DagError(f"{path} cannot be imported: {one_line(error)}") from error
    for dag in dags:
        if dag.dag_id == dag_id:
            return dag
    known = [dag.dag_id for dag in dags]
    raise NotFound("DAG", dag_id, known, f"It defines: {', '.join(known) or 'none'}.", within=f"in {path}")


def _candidates(config: Config, dag_id: str) -> Iterator[tuple[str, str]]:
    """Give folder and path of each file that may hold DAGs, the likely ones first."""
    likely: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    wanted = dag_id.encode()
    syntax = config.core.dag_ignore_file_syntax
    for folder in dag_folders(config):
        for found in find_files(Path(folder.path), ignore_syntax=syntax).files:
            try:
                source = Path(found.path).read_bytes()
            except OSError:
                continue
            if config.core.dag_discovery_safe_mode and not might_hold_dags(source):
                continue
            (likely if wanted in source else others).append((folder.path, found.path))
    yield from likely
    yield from others
