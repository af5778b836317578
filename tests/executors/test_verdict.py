"""Is an attempt judged by all that was seen of it?"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from executors.runner.protocol import Exited, Result
from executors.runner.verdict import MAX_ERROR_LENGTH, Observed, how_it_died, verdict
from tradewind.model.orders import AttemptOrder, Outcome, XComValue

AT = datetime(2026, 1, 5, 2, tzinfo=UTC)
ORDER = AttemptOrder(UUID(int=7), 3, 2, "d", "r", "t", -1, 1, 3, "f.py", 4, "", "manual", AT)
WELL = Exited(1, 77, 0, None, 30 * 2**20, 0.5)
KILLED = Exited(1, 77, None, 9, 900 * 2**20, 0.5)
LEFT = Exited(1, 77, 3, None, 30 * 2**20, 0.5)
GOOD = Result(Outcome.SUCCESS, xcoms=(XComValue("k", "1"),))
BAD = Result(Outcome.FAILED, "E: x", may_retry=False)


@pytest.mark.parametrize(
    ("seen", "outcome", "may_retry", "error"),
    [
        (Observed(result=GOOD, exited=WELL), Outcome.SUCCESS, True, None),
        (Observed(result=BAD, exited=LEFT), Outcome.FAILED, False, "E: x"),
        (Observed(result=Result(Outcome.SKIPPED, "why"), exited=WELL), Outcome.SKIPPED, True, "why"),
        (Observed(result=GOOD, exited=KILLED), Outcome.SUCCESS, True, None),
        (Observed(result=GOOD, lost="gone"), Outcome.SUCCESS, True, None),
        (Observed(result=GOOD, exited=WELL, ended_for="cancelled"), Outcome.SUCCESS, True, None),
        (Observed(result=GOOD, exited=WELL, is_stopping=True), Outcome.SUCCESS, True, None),
        (Observed(result=BAD, exited=WELL, ended_for="cancelled"), Outcome.FAILED, False, "cancelled: E: x"),
        (Observed(result=BAD, exited=WELL, is_stopping=True), Outcome.RETURNED, True, "executor was stopped"),
        (Observed(exited=KILLED), Outcome.FAILED, True, "signal 9 (SIGKILL); peak memory 900 MiB — perhaps out of"),
        (Observed(exited=LEFT), Outcome.FAILED, True, "exit code 3 before the task was over"),
        (Observed(exited=KILLED, ended_for="cancelled"), Outcome.FAILED, True, "cancelled: killed by signal 9"),
        (Observed(exited=KILLED, ended_for="x", is_stopping=True), Outcome.RETURNED, True, "executor was stopped"),
        (Observed(lost="its socket ended"), Outcome.LOST, True, "its socket ended"),
        (Observed(), Outcome.LOST, True, "nobody knows"),
        (Observed(failed="no file"), Outcome.FAILED, True, "no file"),
    ],
)
def test_the_end_follows_from_what_was_seen(seen, outcome, may_retry, error):
    ended = verdict(ORDER, seen, AT, "host")

    assert (ended.outcome, ended.may_retry) == (outcome, may_retry)
    assert ended.error is None if error is None else error in (ended.error or "")


def test_the_end_carries_who_where_when_and_the_cost():
    seen = Observed(started_at=AT - timedelta(seconds=1), pid=77, result=GOOD, exited=WELL)

    ended = verdict(ORDER, seen, AT, "host")

    assert (ended.attempt_id, ended.fence, ended.run_pk) == (UUID(int=7), 3, 2)
    assert (ended.hostname, ended.pid, ended.at, ended.started_at) == ("host", 77, AT, AT - timedelta(seconds=1))
    assert (ended.exit_code, ended.signal, ended.peak_rss_bytes, ended.cpu_seconds) == (0, None, 30 * 2**20, 0.5)
    assert ended.xcoms == GOOD.xcoms


def test_every_combination_has_an_end_and_only_the_tasks_own_word_makes_a_success():
    for result, exited, ended_for, stopping, lost, failed in itertools.product(
        [None, GOOD, BAD], [None, WELL, KILLED, LEFT], [None, "x"], [False, True], [None, "l"], [None, "f"]
    ):
        ended = verdict(ORDER, Observed(AT, 7, result, exited, ended_for, stopping, lost, failed), AT, "host")

        assert (ended.outcome == Outcome.SUCCESS) == (result is GOOD and failed is None)
        assert (ended.error is None) == (ended.outcome == Outcome.SUCCESS)


def test_memory_is_not_suspected_when_we_killed_it_ourselves():
    assert "out of memory" in how_it_died(KILLED)
    assert how_it_died(KILLED, is_oom=True).startswith("out of memory: killed by the kernel (signal 9, SIGKILL); peak")
    assert "out of memory" not in how_it_died(KILLED, asked_for=True)
    assert "out of memory" not in how_it_died(KILLED, asked_for=True, is_oom=True)
    assert "signal 64" in how_it_died(Exited(1, 7, None, 64, 0, 0.0))


def test_a_long_error_is_cut():
    ended = verdict(ORDER, Observed(result=Result(Outcome.FAILED, "x" * 10_000), exited=WELL), AT, "host")

    assert len(ended.error or "") == MAX_ERROR_LENGTH
