"""What runs once for all tests of this folder? The probes, the examples, and the reading of wrong DAG files."""

from __future__ import annotations

import pytest

from tests.differential.outcome import Outcome, examples_outcome, probes_outcome
from tests.differential.refusals import Answer, read_all


@pytest.fixture(scope="session")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return what came of all probe files."""
    return probes_outcome(tmp_path_factory.mktemp("differential"))


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return what came of Airflow's example DAGs."""
    return examples_outcome(tmp_path_factory.mktemp("differential"))


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """Return what Tradewind says to each piece of wrong use."""
    return read_all(tmp_path_factory.mktemp("differential"))
