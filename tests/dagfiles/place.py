"""Where do the tests of managers work? In a home with a DAG folder and a metadata DB."""

from __future__ import annotations

from pathlib import Path

from scheduler.dagfiles.manager import DagFileManager
from tradewind.config import load_config
from tradewind.metadata import dags
from tradewind.metadata.database import Database


def source(*dag_ids: str, description: str = "") -> str:
    lines = [f"dag_{n} = DAG({dag_id!r}, description={description!r})" for n, dag_id in enumerate(dag_ids)]
    return "\n".join(["from airflow import DAG", *lines, ""])


class Place:
    """A home with a DAG folder and a metadata DB, and the managers that were made for it."""

    def __init__(self, home: Path, database: Database) -> None:
        self.home, self.database, self.folder = home, database, home / "dags"
        self.managers: list[DagFileManager] = []
        self.changes = 0
        self.settings = {"CORE__LOAD_EXAMPLES": "False"}

    def manager(self, **settings: str) -> DagFileManager:
        environ = {f"TRADEWIND__{name}": value for name, value in (self.settings | settings).items()}
        config = load_config(environ | {"TRADEWIND_HOME": str(self.home)}, self.home)
        made = DagFileManager(config, self.database, self._count)
        self.managers.append(made)
        return made

    def started(self, **settings: str) -> DagFileManager:
        """A manager that runs and has seen all that is there."""
        made = self.manager(**settings)
        made.start()
        assert made.parse_now(timeout=30)
        return made

    def stop(self) -> None:
        while self.managers:
            self.managers.pop().stop()

    def _count(self) -> None:
        self.changes += 1

    def put(self, name: str, text: str | bytes) -> Path:
        """Write a file as editors do: beside its place, then moved there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(text if isinstance(text, bytes) else text.encode())
        beside.replace(path)
        return path

    def active(self) -> dict[str, str]:
        with self.database.read() as tx:
            return {dag.dag_id: dag.file_path for dag in dags.list_dags(tx)}

    def is_active(self, dag_id: str) -> bool:
        return dag_id in self.active()

    def description(self, dag_id: str) -> str | None:
        with self.database.read() as tx:
            return dags.get_dag(tx, dag_id).description

    def errors(self) -> dict[str, str]:
        with self.database.read() as tx:
            return {row.path: row.error for row in dags.list_import_errors(tx)}

    def versions(self, dag_id: str) -> int:
        with self.database.read() as tx:
            return len(dags.list_versions(tx, dag_id))
