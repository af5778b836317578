"""Does Tradewind do with the probe DAGs what Airflow 3.3.2 did?

What Airflow did is in ``recorded/``, where ``record.py`` wrote it; ``differences.py`` says what differs on purpose.
"""

from __future__ import annotations

import pytest

from tests.differential import page
from tests.differential.differences import DECISIONS, unexplained
from tests.differential.outcome import Outcome
from tests.differential.stage import LIMIT_SECONDS, PROBES, recordings

pytestmark = [
    pytest.mark.xdist_group("differential-probes"),
    pytest.mark.timeout(2 * LIMIT_SECONDS + 120),  # all is run within the first of them
]

RECORDED = recordings(*PROBES)
DAGS = [pytest.param(file, dag_id, id=f"{file}-{dag_id}") for file, seen in RECORDED.items() for dag_id in seen["dags"]]


def test_every_probe_has_been_recorded():
    assert sorted(RECORDED) == sorted(PROBES)


@pytest.mark.parametrize("file", RECORDED)
def test_a_file_is_read_as_airflow_reads_it(probes: Outcome, file: str):
    own = [one for one in probes.differences if one.file == file and one.what == "import"]

    assert [str(one) for one in unexplained(own)] == []


@pytest.mark.parametrize(("file", "dag_id"), DAGS)
def test_runs_are_those_of_airflow(probes: Outcome, file: str, dag_id: str):
    own = [one for one in probes.differences if (one.file, one.dag_id) == (file, dag_id)]

    assert [str(one) for one in unexplained(own)] == []


def test_callbacks_are_called_as_in_airflow(probes: Outcome):
    own = [one for one in probes.differences if one.what.startswith("told/")]

    assert [str(one) for one in unexplained(own)] == []


@pytest.mark.parametrize("decision", [one for one in DECISIONS if not one.is_about_examples], ids=lambda one: one.here)
def test_a_decision_still_shows(probes: Outcome, decision):
    assert any(decision.explains(one) for one in probes.differences)


def test_the_page_tells_of_the_probes(probes: Outcome):
    text = page.PAGE.read_text(encoding="utf-8")

    assert page.probes_part(probes) in text, "write it again: python -m tests.differential.page"
    assert page.decisions_part() in text, "write it again: python -m tests.differential.page"
