"""Can each law fail? It must find a deliberate error in the evidence of a story that kept it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.chaos import laws
from tests.chaos.conftest import Told
from tests.chaos.evidence import Event, Evidence

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.slow, pytest.mark.timeout(240)]

Error = Callable[[Evidence], Evidence]

ENDS = ("attempt_succeeded", "attempt_will_retry", "attempt_lost", "attempt_failed")


def without_a_run(seen: Evidence) -> Evidence:
    return replace(seen, runs=seen.runs[1:], tasks=tuple(t for t in seen.tasks if t.run_pk != seen.runs[0].pk))


def with_a_run_that_goes_on(seen: Evidence) -> Evidence:
    return replace(seen, runs=(replace(seen.runs[0], state="running", is_over=False), *seen.runs[1:]))


def with_a_failed_run(seen: Evidence) -> Evidence:
    return replace(seen, runs=(replace(seen.runs[0], state="failed"), *seen.runs[1:]))


def without_a_task(seen: Evidence) -> Evidence:
    return replace(seen, tasks=seen.tasks[1:])


def with_a_task_that_waits(seen: Evidence) -> Evidence:
    return replace(seen, tasks=(replace(seen.tasks[0], state="scheduled"), *seen.tasks[1:]))


def with_an_attempt_that_is_left(seen: Evidence) -> Evidence:
    return replace(seen, attempts=(replace(seen.attempts[0], state="queued"), *seen.attempts[1:]))


def with_a_second_start(seen: Evidence) -> Evidence:
    start = next(effect for effect in seen.effects if effect.kind == "start")
    return replace(seen, effects=(*seen.effects, replace(start, worker="another", pid=start.pid + 1)))


def with_a_start_told_twice(seen: Evidence) -> Evidence:
    at = next(n for n, event in enumerate(seen.events) if event.kind == "attempt_started")
    return replace(seen, events=(*seen.events[:at], seen.events[at], *seen.events[at:]))


def with_an_effect_of_nobody(seen: Evidence) -> Evidence:
    return replace(seen, effects=(*seen.effects, replace(seen.effects[0], attempt=uuid4())))


def without_the_effect_of_a_success(seen: Evidence) -> Evidence:
    good = next(attempt.id for attempt in seen.attempts if attempt.outcome == "success")
    return replace(seen, effects=tuple(e for e in seen.effects if e.attempt != good or e.kind != "end"))


def with_work_done_twice(seen: Evidence) -> Evidence:
    end = next(effect for effect in seen.effects if effect.kind == "end")
    return replace(seen, effects=(*seen.effects, end))


def _postponed(seen: Evidence, is_meant: Callable[[Event], bool]) -> Evidence:
    """Let what is meant happen after everything else: its slots are freed too late."""
    meant = [event for event in seen.events if is_meant(event)]
    rest = [event for event in seen.events if not is_meant(event)]
    return replace(seen, events=(*rest, *(replace(event, commit=rest[-1].commit + 1) for event in meant)))


def _run_pks(seen: Evidence, dag_id: str) -> set[int]:
    return {run.pk for run in seen.runs if run.dag_id == dag_id}


def _last_ends(seen: Evidence, task_id: str) -> Evidence:
    """Only the last end of each instance can be postponed without making the log senseless."""
    last = {(e.run_pk, e.map_index): e.seq for e in seen.events if e.task_id == task_id and e.kind in ENDS}
    return _postponed(seen, lambda e: e.task_id == task_id and last.get((e.run_pk, e.map_index)) == e.seq)


def with_pool_slots_freed_too_late(seen: Evidence) -> Evidence:
    return _last_ends(seen, "one")


def with_instances_freed_too_late(seen: Evidence) -> Evidence:
    return _last_ends(seen, "alone")


def with_runs_that_end_too_late(seen: Evidence) -> Evidence:
    mine = _run_pks(seen, "chain")
    return _postponed(seen, lambda event: event.run_pk in mine and event.kind == "run_succeeded")


def with_all_ends_too_late(seen: Evidence) -> Evidence:
    last = {(e.run_pk, e.task_id, e.map_index): e.seq for e in seen.events if e.kind in ENDS}
    return _postponed(seen, lambda e: last.get((e.run_pk, e.task_id, e.map_index)) == e.seq)


ERRORS: list[tuple[str, Error, str]] = [
    ("Every run ended, and ended well", without_a_run, "asked for, and is there 0 times"),
    ("Every run ended, and ended well", with_a_run_that_goes_on, "has not ended"),
    ("Every run ended, and ended well", with_a_failed_run, "is failed"),
    ("No task was lost", without_a_task, "has the tasks"),
    ("No task was lost", with_a_task_that_waits, "is scheduled"),
    ("No task was lost", with_an_attempt_that_is_left, "is left: queued"),
    ("No attempt was started twice", with_a_second_start, "was started 2 times"),
    ("No attempt was started twice", with_a_start_told_twice, "the log tells 2 starts"),
    ("Effects outside are the attempts recorded", with_an_effect_of_nobody, "no such attempt is recorded"),
    ("Effects outside are the attempts recorded", without_the_effect_of_a_success, "was done 0 times"),
    ("Effects outside are the attempts recorded", with_work_done_twice, "2 times"),
    ("No limit was exceeded at any moment", with_pool_slots_freed_too_late, "pool narrow: "),
    ("No limit was exceeded at any moment", with_instances_freed_too_late, "active instances"),
    ("No limit was exceeded at any moment", with_runs_that_end_too_late, "active runs chain: "),
    ("No limit was exceeded at any moment", with_all_ends_too_late, "parallelism : "),
    ("No limit was exceeded at any moment", with_all_ends_too_late, "active tasks "),
]


@pytest.mark.parametrize(("law", "error", "found"), ERRORS, ids=[f"{error.__name__}" for _, error, _ in ERRORS])
def test_the_law_finds_a_deliberate_error(told: Told, law: str, error: Error, found: str):
    wrong = error(told.outcome.evidence)

    said = list(laws.LAWS[law](wrong))

    assert any(found in sentence for sentence in said), said[:5]


def test_verify_finds_what_was_changed_behind_its_back(told: Told):
    law = laws.LAWS["`tradewind db verify` is clean"]

    assert any("is stored as failed, and the log says success" in sentence for sentence in law(told.tampered))


def test_every_law_is_broken_by_some_error():
    assert {law for law, _, _ in ERRORS} | {"`tradewind db verify` is clean"} == set(laws.LAWS)
