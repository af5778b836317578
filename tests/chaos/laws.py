"""What must be true after a story, whatever happened in it? Each law takes the evidence and names what breaks it.

A law is worth what it can find: ``test_laws`` breaks each one by a deliberate error.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Final

from tests.chaos.evidence import Event, Evidence
from tests.chaos.workload import EXPECTED
from tradewind.model.states import (
    ACTIVE_TASK_STATES,
    RUN_TRANSITIONS,
    TASK_TRANSITIONS,
    RunEvent,
    RunState,
    TaskEvent,
    TaskState,
)

Law = Callable[[Evidence], Iterator[str]]


def every_run_ended(seen: Evidence) -> Iterator[str]:
    """Every run that was asked for is there once, has ended, and ended well."""
    stored = Counter((run.dag_id, run.run_id) for run in seen.runs)
    for wanted in seen.wanted:
        count = stored[wanted.dag_id, wanted.run_id]
        if count != 1:
            yield f"{wanted.dag_id} {wanted.run_id} was asked for, and is there {count} times"
    for run in seen.runs:
        if not run.is_over:
            yield f"{run.dag_id} {run.run_id} has not ended: it is {run.state}"
        elif run.state != "success":
            yield f"{run.dag_id} {run.run_id} is {run.state}"


def no_task_is_lost(seen: Evidence) -> Iterator[str]:
    """Every run has the task instances that its DAG gives it, each has succeeded, and no attempt is left."""
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    names = {run.pk: f"{run.dag_id} {run.run_id}" for run in seen.runs}
    for task in seen.tasks:
        found[task.run_pk][task.task_id] += 1
        if task.state != "success":
            yield f"{names[task.run_pk]} {task.task_id}[{task.map_index}] is {task.state}"
    for run in seen.runs:
        if found[run.pk] != Counter(EXPECTED[run.dag_id]):
            yield f"{names[run.pk]} has the tasks {dict(found[run.pk])}, not {EXPECTED[run.dag_id]}"
    for attempt in seen.attempts:
        if attempt.state != "ended":
            yield f"an attempt of {names[attempt.run_pk]} {attempt.task_id} is left: {attempt.state}"


def no_attempt_starts_twice(seen: Evidence) -> Iterator[str]:
    """No attempt was started by two processes, and the log tells no start twice."""
    starts = Counter(effect.attempt for effect in seen.effects if effect.kind == "start")
    for effect in seen.effects:
        if effect.kind == "start" and starts[effect.attempt] > 1:
            yield f"{effect.task} try {effect.try_number} was started {starts[effect.attempt]} times: {effect.worker}"
    told = Counter(
        (event.run_pk, event.task_id, event.map_index, event.try_number, part)
        for event, part in _with_parts(seen)
        if event.kind == TaskEvent.STARTED
    )
    for key, count in told.items():
        if count > 1:
            yield f"the log tells {count} starts of {key}"


def effects_are_attempts(seen: Evidence) -> Iterator[str]:
    """What was done is what is recorded: every effect belongs to an attempt, every success has its one effect.

    The work of an attempt that was lost or killed may have been done once without being recorded as such, never twice.
    """
    known = {attempt.id: attempt for attempt in seen.attempts}
    counts: Counter[tuple[object, str]] = Counter()
    for effect in seen.effects:
        counts[effect.attempt, effect.kind] += 1
        if effect.attempt not in known:
            yield f"{effect.task} try {effect.try_number} was done on {effect.worker}, and no such attempt is recorded"
    names = {run.pk: f"{run.dag_id} {run.run_id}" for run in seen.runs}
    went_well = ("success", "rescheduled", "deferred")
    for attempt in seen.attempts:
        starts, ends = counts[attempt.id, "start"], counts[attempt.id, "end"]
        what = f"{names[attempt.run_pk]} {attempt.task_id}[{attempt.map_index}] try {attempt.try_number}"
        if attempt.outcome in went_well and (starts, ends) != (1, 1):
            yield f"{what} is recorded as {attempt.outcome}, and outside it started {starts} and was done {ends} times"
        elif ends > 1:
            yield f"{what} was done {ends} times"


def limits_hold(seen: Evidence) -> Iterator[str]:
    """At no moment, between any two commits, was a limit exceeded."""
    dag_of = {run.pk: run.dag_id for run in seen.runs}
    pools = {(a.run_pk, a.task_id, a.map_index, a.try_number): (a.pool, a.pool_slots) for a in seen.attempts}
    use: Counter[tuple[str, object]] = Counter()
    caps = _caps(seen)
    tasks: dict[tuple[int, str | None, int], TaskState] = {}
    runs: dict[int, RunState] = {}
    held: dict[tuple[int, str | None, int], tuple[str, int]] = {}
    for commit, events in groupby(seen.events, key=lambda event: event.commit):
        group = list(events)
        touched: set[tuple[str, object]] = set()
        for event in group:
            dag_id = dag_of[event.run_pk]
            if event.task_id is None:
                touched |= _count_run(event, dag_id, runs, use)
                continue
            key = (event.run_pk, event.task_id, event.map_index)
            before = tasks.get(key, TaskState.NONE)
            after = tasks[key] = TASK_TRANSITIONS[before, TaskEvent(event.kind)]
            step = (after in ACTIVE_TASK_STATES) - (before in ACTIVE_TASK_STATES)
            if not step:
                continue
            if step > 0:
                held[key] = pools[event.run_pk, event.task_id, event.map_index, event.try_number]
            pool, slots = held[key]
            counted: list[tuple[tuple[str, object], int]] = [
                (("parallelism", None), 1),
                (("pool", pool), slots),
                (("active tasks", event.run_pk), 1),
                (("active instances", (dag_id, event.task_id)), 1),
            ]
            for what, amount in counted:
                use[what] += step * amount
                touched.add(what)
        for what in touched:
            cap = caps(what, dag_of)
            if cap is not None and use[what] > cap:
                kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(event.kind for event in group).items())
                where = f"after commit {commit} at {group[0].at}, of {kinds}"
                yield f"{what[0]} {what[1] or ''}: {use[what]} of {cap} {where}"


def log_and_projection_agree(seen: Evidence) -> Iterator[str]:
    """``tradewind db verify`` finds nothing."""
    yield from seen.problems


LAWS: Final[Mapping[str, Law]] = {
    "Every run ended, and ended well": every_run_ended,
    "No task was lost": no_task_is_lost,
    "No attempt was started twice": no_attempt_starts_twice,
    "Effects outside are the attempts recorded": effects_are_attempts,
    "No limit was exceeded at any moment": limits_hold,
    "`tradewind db verify` is clean": log_and_projection_agree,
}


def broken(seen: Evidence) -> dict[str, list[str]]:
    """Return, for each law that does not hold, what breaks it; at most twenty sentences of each."""
    found: dict[str, list[str]] = {}
    for name, law in LAWS.items():
        sentences = list(law(seen))
        if sentences:
            more = [f"... and {len(sentences) - 20} more"] if len(sentences) > 20 else []
            found[name] = sentences[:20] + more
    return found


def _with_parts(seen: Evidence) -> Iterator[tuple[Event, int]]:
    """Give the entries about tasks, each with how many attempts its task had had before it: one try may have parts."""
    attempts: Counter[tuple[int, str | None, int]] = Counter()
    for event in seen.events:
        key = (event.run_pk, event.task_id, event.map_index)
        if event.kind == TaskEvent.QUEUED:
            attempts[key] += 1
        yield event, attempts[key]


def _count_run(
    event: Event, dag_id: str, runs: dict[int, RunState], use: Counter[tuple[str, object]]
) -> set[tuple[str, object]]:
    before = runs.get(event.run_pk, RunState.QUEUED)
    after = runs[event.run_pk] = RUN_TRANSITIONS[before, RunEvent(event.kind)]
    step = (after is RunState.RUNNING) - (before is RunState.RUNNING)
    what = ("active runs", dag_id)
    use[what] += step
    return {what} if step else set()


def _caps(seen: Evidence) -> Callable[[tuple[str, object], Mapping[int, str]], int | None]:
    limits = seen.limits

    def cap(what: tuple[str, object], dag_of: Mapping[int, str]) -> int | None:
        kind, of = what
        if kind == "parallelism":
            return limits.parallelism
        if kind == "pool":
            return limits.pools.get(str(of))
        if kind == "active runs":
            return limits.active_runs.get(str(of))
        if kind == "active tasks":
            assert isinstance(of, int)
            return limits.active_tasks.get(dag_of[of])
        assert isinstance(of, tuple)
        return limits.active_instances.get((str(of[0]), str(of[1])))

    return cap
