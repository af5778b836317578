"""Do the trigger rules say what is documented? A slow, obvious reference, and every rule against every mixture."""

from __future__ import annotations

import itertools

import pytest

from scheduler.trigger_rules import RULES, Upstream, Verdict, judge
from tradewind.model.states import TaskState
from tradewind.run.view import UpstreamCounts

S, F, K, U, W = (
    TaskState.SUCCESS,
    TaskState.FAILED,
    TaskState.SKIPPED,
    TaskState.UPSTREAM_FAILED,
    TaskState.NONE,
)
RUN, SKIP, UF, WAIT = Verdict.RUN, Verdict.SKIP, Verdict.UPSTREAM_FAILED, Verdict.WAIT


def counts(states: tuple[TaskState, ...]) -> UpstreamCounts:
    made = UpstreamCounts(total=len(states))
    for state in states:
        made.add(state, 1)
    return made


def verdict(rule: str, *states: TaskState, setups: tuple[TaskState, ...] = ()) -> Verdict:
    return judge(rule, Upstream(counts(states), counts(setups)))


# Each line was seen in recordings of Airflow 3.3.2.
RECORDED = [
    ("all_success", (S, S), RUN),
    ("all_success", (S, F), UF),
    ("all_success", (S, U), UF),
    ("all_success", (S, K), SKIP),
    ("all_success", (K, F), UF),
    ("all_success", (K, W), SKIP),  # judged while upstreams still run
    ("all_success", (F, W), UF),
    ("all_success", (S, W), WAIT),
    ("all_failed", (F, U), RUN),
    ("all_failed", (F, S), SKIP),
    ("all_failed", (K, W), SKIP),
    ("all_done", (S, F), RUN),
    ("all_done", (S, W), WAIT),
    ("all_done_min_one_success", (S, F), RUN),
    ("all_done_min_one_success", (S, K), SKIP),
    ("all_done_min_one_success", (F, U), UF),
    ("one_success", (S, W), RUN),
    ("one_success", (F, W), WAIT),
    ("one_success", (K, K), SKIP),
    ("one_success", (K, F), UF),
    ("one_failed", (F, W), RUN),
    ("one_failed", (U, W), RUN),
    ("one_failed", (S, K), SKIP),
    ("one_done", (S, W), RUN),
    ("one_done", (F, W), RUN),
    ("one_done", (K, W), WAIT),
    ("one_done", (K, U), SKIP),
    ("none_failed", (S, K), RUN),
    ("none_failed", (K, K), RUN),
    ("none_failed", (F, W), UF),
    ("none_failed_min_one_success", (S, K), RUN),
    ("none_failed_min_one_success", (K, K), SKIP),
    ("none_failed_min_one_success", (U, W), UF),
    ("none_skipped", (S, F), RUN),
    ("none_skipped", (K, W), SKIP),
    ("none_skipped", (F, U), RUN),
    ("all_skipped", (K, K), RUN),
    ("all_skipped", (K, S), SKIP),
    ("all_skipped", (F, W), SKIP),
    ("always", (W, W), RUN),
]


@pytest.mark.parametrize(("rule", "states", "expected"), RECORDED)
def test_a_rule_says_what_airflow_was_seen_to_do(rule: str, states: tuple[TaskState, ...], expected: Verdict) -> None:
    assert verdict(rule, *states) is expected


def test_there_are_thirteen_rules() -> None:
    assert len(RULES) == 13


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_task_without_upstream_runs(rule: str) -> None:
    assert verdict(rule) is RUN


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_verdict_comes_at_the_latest_when_all_are_done(rule: str) -> None:
    for states in itertools.product((S, F, K, U), repeat=3):
        assert verdict(rule, *states) is not WAIT


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_run_verdict_before_the_end_stands_at_the_end(rule: str) -> None:
    """What runs early would also have run late: order does not decide whether a task runs."""
    for known in itertools.product((S, F, K, U), repeat=2):
        if verdict(rule, *known, W) is RUN:
            assert {verdict(rule, *known, last) for last in (S, F, K, U)} == {RUN}


@pytest.mark.parametrize(
    ("states", "setups", "expected"),
    [
        ((S, F), (S,), RUN),  # the work failed, the setup is good: clean up
        ((F, U), (F,), UF),
        ((K, K), (K,), SKIP),
        ((S, F, S), (S, F), RUN),  # one good setup of two is enough
        ((S, W), (S,), WAIT),
        ((S, K), (), RUN),
    ],
)
def test_a_teardown_runs_when_its_setup_was_good(
    states: tuple[TaskState, ...], setups: tuple[TaskState, ...], expected: Verdict
) -> None:
    assert verdict("all_done_setup_success", *states, setups=setups) is expected
