"""Is wrong use refused when the file is read, where Airflow 3.3.2 refuses it then, and said with line and mend?"""

from __future__ import annotations

import pytest

from tests.differential import page
from tests.differential.differences import LOOSER, STRICTER
from tests.differential.refusals import Answer, recorded_answers

pytestmark = [
    pytest.mark.xdist_group("differential-refusals"),
    pytest.mark.timeout(240),  # all is read within the first of them
]

RECORDED = recorded_answers()


def test_every_piece_has_been_recorded(answers: dict[str, Answer]):
    assert sorted(answers) == sorted(RECORDED)


@pytest.mark.parametrize("piece", RECORDED)
def test_a_piece_is_refused_or_not(answers: dict[str, Answer], piece: str):
    answer, recorded = answers[piece], RECORDED[piece]
    is_otherwise = piece in STRICTER or piece in LOOSER

    assert (answer.error is not None) == (recorded["refused"] != is_otherwise), answer.error
    if answer.error is None and not recorded["refused"]:
        assert answer.dags == recorded["dags"]


def test_a_refusal_names_the_line(answers: dict[str, Answer]):
    assert [name for name, answer in answers.items() if answer.error is not None and answer.line is None] == []


def test_the_page_tells_of_wrong_use():
    assert page.refusals_part() in page.PAGE.read_text(encoding="utf-8"), (
        "write it again: python -m tests.differential.page"
    )
