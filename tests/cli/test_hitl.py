"""``tradewind hitl``: what waits for an answer, and answering it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.webui.asking import FIELDS, ask, audited, told
from tests.webui.seed import Seed
from tradewind.metadata.database import Database


@pytest.fixture
def seed(migrated: str, home: Path) -> Iterator[Seed]:
    database = Database(migrated)
    yield Seed(database, home / "logs", datetime.now(UTC).replace(microsecond=0))
    database.close()


def test_questions_are_listed_shown_and_answered(seed, ok, call):
    ask(seed, params=FIELDS)
    (row,) = json.loads(ok("hitl", "list", "-o", "json"))
    assert (row["dag_id"], row["task_id"], row["options"]) == ("d", "ask", ["Approve", "Reject"])
    shown = ok("hitl", "show", "d", "r", "ask")
    assert "Load the day?" in shown and "Rows: **842**" in shown

    done = call("hitl", "respond", "d", "r", "ask", "Approve", "--params", '{"rows": 9}')
    assert done.exit_code == 0 and "Answered 'Load the day?': Approve." in done.stderr
    assert [one["params_input"] for one in told(seed)] == [{"reason": "", "rows": 9}]
    assert [via for _, via, _ in audited(seed)] == ["cli"]
    assert json.loads(ok("hitl", "list", "-o", "json")) == []
    (answered,) = json.loads(ok("hitl", "list", "--all", "-o", "json"))
    assert (answered["state"], answered["chosen"]) == ("answered", ["Approve"])
    (full,) = json.loads(ok("hitl", "show", "d", "r", "ask", "-o", "json"))
    assert full["params_input"] == {"reason": "", "rows": 9}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("ask", "Aprove"), 2, "Did you mean 'Approve'?"),
        (("ask", "Approve", "Reject"), 2, "Only one option"),
        (("ask", "Approve", "--params", '{"rows": 0}'), 2, "The field 'rows'"),
        (("ask", "Approve", "--params", "rows=1"), 2, "is not JSON"),
        (("other", "Approve"), 1, "asks nobody"),
        (("ask",), 2, "Missing argument"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(seed, call, words, code, said):
    ask(seed, params=FIELDS)
    result = call("hitl", "respond", "d", "r", *words)
    assert result.exit_code == code
    assert said in result.stderr
    assert told(seed) == []


def test_a_second_answer_is_refused(seed, ok, call):
    ask(seed)
    ok("hitl", "respond", "d", "r", "ask", "Reject")
    again = call("hitl", "respond", "d", "r", "ask", "Approve")
    assert again.exit_code == 1
    assert "has already been answered by" in again.stderr
    assert "does not exist" in call("hitl", "show", "d", "nope", "ask").stderr
