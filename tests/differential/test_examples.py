"""Do the example DAGs that Airflow ships do here what they do there? They are fetched from PyPI."""

from __future__ import annotations

import pytest

from tests.differential import page
from tests.differential.differences import DECISIONS, unexplained
from tests.differential.examples import NAMES
from tests.differential.outcome import Outcome
from tests.differential.stage import LIMIT_SECONDS, recordings

pytestmark = [
    pytest.mark.xdist_group("differential-examples"),
    pytest.mark.timeout(2 * LIMIT_SECONDS + 120),  # all is run within the first of them
]

DAGS = [pytest.param(file, dag_id, id=dag_id) for file, seen in recordings(*NAMES).items() for dag_id in seen["dags"]]


@pytest.mark.parametrize("file", NAMES)
def test_all_files_are_read(examples: Outcome, file: str):
    own = [one for one in examples.differences if one.file == file and one.what == "import"]

    assert [str(one) for one in unexplained(own)] == []


@pytest.mark.parametrize(("file", "dag_id"), DAGS)
def test_an_example_does_what_it_does_in_airflow(examples: Outcome, file: str, dag_id: str):
    own = [one for one in examples.differences if (one.file, one.dag_id) == (file, dag_id)]

    assert [str(one) for one in unexplained(own)] == []


@pytest.mark.parametrize("decision", [one for one in DECISIONS if one.is_about_examples], ids=lambda one: one.here)
def test_a_decision_still_shows(examples: Outcome, decision):
    assert any(decision.explains(one) for one in examples.differences)


def test_the_page_tells_of_the_examples(examples: Outcome):
    text = page.PAGE.read_text(encoding="utf-8")

    assert page.examples_part(examples) in text, "write it again: python -m tests.differential.page"
