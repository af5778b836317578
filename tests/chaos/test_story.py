"""Does a cluster on PostgreSQL, Redis and Celery keep every law while all under it is struck? The short story."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos import laws
from tests.chaos.conftest import ORDER, Told

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("law", laws.LAWS)
def test_the_law_holds_whatever_strikes(told: Told, law: str):
    assert told.outcome.broken.get(law, []) == []


def test_every_fault_has_struck_and_work_went_on_after_each(told: Told):
    kinds = Counter(one.kind for one in told.outcome.struck)

    assert len(told.outcome.struck) >= len(ORDER)
    assert kinds["SIGSTOP of a worker for longer than its lease"] >= 1
    assert told.outcome.never == [], "what a fault had hit was never done"


def test_work_was_hit_and_done_again(told: Told):
    """A story in which nothing was at work when it was struck would prove nothing."""
    assert sum(len(one.hit) for one in told.outcome.struck) > 0
    assert any(attempt.outcome == "lost" for attempt in told.outcome.evidence.attempts)
