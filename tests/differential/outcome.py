"""What came of a run of the suite? Everything runs once per test session; tests and the page look at the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.differential.compare import Difference, compare_all
from tests.differential.examples import NAMES, folders
from tests.differential.stage import PROBES, recordings, staged
from tests.support.databases import SqliteTemplates


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was compared, and what differs, explained or not."""

    recorded: Mapping[str, dict[str, Any]]
    differences: list[Difference]


def probes_outcome(folder: Path) -> Outcome:
    """Run all probe files and compare. ``folder``: an empty one, for the installation."""
    return _outcome(folder / "probes", recordings(*PROBES), {})


def examples_outcome(folder: Path) -> Outcome:
    """Run Airflow's example DAGs and compare. They are fetched from PyPI once."""
    return _outcome(folder / "examples", recordings(*NAMES), folders(NAMES))


def _outcome(home: Path, recorded: Mapping[str, dict[str, Any]], others: Mapping[str, Path]) -> Outcome:
    home.mkdir()
    url = SqliteTemplates(home).make(home)
    with staged(home, url, recorded, others) as stage:
        return Outcome(recorded, compare_all(stage))
