"""Where does what Tradewind did differ from what Airflow did? Run by hand, it says so for the files named.

python -m tests.differential.compare [FILE ...]
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.differential.stage import Stage

MISSING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same. ``what`` is like ``tasks/mapped[1]`` or ``xcoms/read/return_value``."""

    file: str
    dag_id: str
    run_id: str
    what: str
    airflow: Any
    tradewind: Any

    @property
    def place(self) -> str:
        """Where it is, in one line."""
        return f"{self.file}: {self.dag_id}/{self.run_id} {self.what}"

    def __str__(self) -> str:
        return f"{self.place}\n    Airflow:   {_short(self.airflow)}\n    Tradewind: {_short(self.tradewind)}"


def compare_runs(
    file: str, dag_id: str, recorded: Mapping[str, dict[str, Any]], seen: Mapping[str, dict[str, Any]]
) -> list[Difference]:
    """Compare all runs of one DAG."""
    found = []
    for run_id in sorted(recorded.keys() | seen.keys()):
        one, other = recorded.get(run_id), seen.get(run_id)
        if one is None or other is None or "refused" in one or "refused" in other:
            words = [MISSING if run is None else _ended(run) for run in (one, other)]
            if words[0].split(":")[0] != words[1].split(":")[0]:
                found.append(Difference(file, dag_id, run_id, "run", *words))
            continue
        found += [Difference(file, dag_id, run_id, *entry) for entry in _entries(one, other)]
    return found


def _ended(run: Mapping[str, Any]) -> str:
    return f"refused: {run['refused']}" if "refused" in run else str(run["state"])


def _entries(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two values differ, going into dicts for three levels: part, task, key."""
    if one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        return
    if isinstance(one, dict) and isinstance(other, dict) and path.count("/") < 3:
        for key in sorted(one.keys() | other.keys()):
            yield from _entries(one.get(key, MISSING), other.get(key, MISSING), f"{path}/{key}")
        return
    yield path.removeprefix("/"), one, other


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}..."


def compare_all(stage: Stage) -> list[Difference]:
    """Compare everything that ran on a stage with what was recorded of it."""
    found: list[Difference] = []
    errors = stage.import_errors()
    for file, recorded in stage.recorded.items():
        own = {path for path in errors if path.split("/")[0].removesuffix(".py") == file}
        for path in sorted(own ^ set(recorded["import_errors"])):
            words = ["refused" if path in recorded["import_errors"] else "read", errors.get(path, "read")]
            found.append(Difference(file, path, "-", "import", *words))
        for dag_id, its_runs in recorded["dags"].items():
            found += compare_runs(file, dag_id, its_runs, stage.runs_of(dag_id))
        if "callbacks" in recorded:
            told = stage.callbacks()
            found += [
                Difference(file, "callbacks", "r1", f"told/{what}", *pair)
                for what, *pair in _entries(recorded["callbacks"], told)
            ]
    return found


def main(names: list[str]) -> None:
    """Run the files and print what differs."""
    from tests.differential.differences import DECISIONS, unexplained
    from tests.differential.examples import folders
    from tests.differential.stage import PROBES, recordings, staged
    from tests.support.databases import SqliteTemplates

    recorded = recordings(*(names or PROBES))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        url = SqliteTemplates(Path(folder)).make(home)
        with staged(home, url, recorded, folders(recorded)) as stage:
            everything = compare_all(stage)
            found = unexplained(everything)
            for difference in found:
                print(difference)
            for number, decision in enumerate(DECISIONS, 1):
                print(f"difference {number} shows {sum(map(decision.explains, everything))} times", file=sys.stderr)
            for file, seen in recorded.items():
                runs = sum(map(len, seen["dags"].values()))
                bad = len({(one.dag_id, one.run_id) for one in found if one.file == file})
                print(f"{file}: {runs} runs, {bad} differ", file=sys.stderr)
            if os.environ.get("SHOW_LOG"):
                print((home / "scheduler.log").read_text()[-6000:])
            if os.environ.get("KEEP"):
                shutil.copytree(home / "logs", os.environ["KEEP"], dirs_exist_ok=True)


if __name__ == "__main__":
    main(sys.argv[1:])
