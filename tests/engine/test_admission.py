"""Which laws does admission keep, whatever is ready and however full the limits are?"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.admission import Candidate, ReadyQueue, Usage, blocker
from tests.engine.world import T0


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    keys = draw(st.sets(st.tuples(st.integers(1, 4), st.integers(0, 9)), max_size=25))
    return [
        Candidate(
            run_pk=run,
            dag_id=f"dag{run % 3}",
            key=(f"t{number}", -1),
            pool=draw(st.sampled_from(["default_pool", "db", "gone"])),
            pool_slots=draw(st.integers(1, 3)),
            priority=draw(st.integers(1, 3)),
            ready_at=T0,
            run_after=T0 + timedelta(days=run),
            executor="LocalExecutor",
            max_active_tasks=draw(st.integers(1, 4)) if number == 0 else 4,
            max_per_dag=draw(st.sampled_from([None, 1])),
        )
        for run, number in sorted(keys)
    ]


def usage(parallelism: int = 8, **fields: object) -> Usage:
    return Usage(parallelism=parallelism, pools={"default_pool": 5, "db": 2}, **fields)  # type: ignore[arg-type]


@given(candidates(), st.integers(1, 10))
def test_no_limit_is_exceeded_and_nobody_who_fits_is_left(ready: list[Candidate], parallelism: int) -> None:
    queue, used = ReadyQueue(), usage(parallelism)
    for candidate in ready:
        queue.add(candidate)

    picked = list(queue.admit(used, lambda _c: True))

    slots: Counter[str] = Counter()
    for candidate in picked:
        slots[candidate.pool] += candidate.pool_slots
    assert len(picked) <= parallelism
    assert slots["default_pool"] <= 5
    assert slots["db"] <= 2
    assert slots["gone"] == 0
    left = [c for c in ready if c not in picked]
    assert len(left) == len(queue)
    for candidate in left:
        # A lane is passed over as a whole, so only its first can be blocked; but when all is said, none fits.
        assert blocker(candidate, used) is not None or _behind_a_blocked_one(candidate, left, used)


def _behind_a_blocked_one(candidate: Candidate, left: list[Candidate], used: Usage) -> bool:
    return any(c.lane == candidate.lane and blocker(c, used) is not None for c in left)


@given(candidates(), st.randoms(use_true_random=False))
def test_the_order_in_which_tasks_became_known_does_not_change_the_choice(
    ready: list[Candidate], random: st.DataObject
) -> None:
    shuffled = list(ready)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    picks = []
    for order in (ready, shuffled):
        queue = ReadyQueue()
        for candidate in order:
            queue.add(candidate)
        picks.append(list(queue.admit(usage(), lambda _c: True)))

    assert picks[0] == picks[1]


def plain(run: int, number: int, **fields: object) -> Candidate:
    values: dict[str, object] = {
        "run_pk": run, "dag_id": f"dag{run}", "key": (f"t{number:04}", -1), "pool": "default_pool", "pool_slots": 1,
        "priority": 1, "ready_at": T0, "run_after": T0, "executor": "LocalExecutor", "max_active_tasks": 1000,
    }  # fmt: skip
    return Candidate(**{**values, **fields})  # type: ignore[arg-type]


def test_a_dag_with_many_tasks_does_not_starve_another() -> None:
    queue = ReadyQueue()
    for number in range(10_000):
        queue.add(plain(1, number))
    queue.add(plain(2, 0))

    picked = list(queue.admit(usage(4), lambda _c: True))

    assert [c.dag_id for c in picked].count("dag2") == 1


def test_priority_decides_within_a_dag() -> None:
    queue = ReadyQueue()
    queue.add(plain(1, 1, priority=1))
    queue.add(plain(1, 2, priority=5))

    assert next(queue.admit(usage(1), lambda _c: True)).key[0] == "t0002"


def test_a_full_pool_is_named_with_its_users() -> None:
    used = usage()
    used.take(run_pk=9, dag_id="etl", task_id="x", pool="db", pool_slots=2, executor="LocalExecutor")

    reason = blocker(plain(1, 1, pool="db"), used)

    assert reason == "pool 'db' is full: 2 of 2 slots, used by etl (2)"


def test_a_task_that_can_never_fit_is_told_so() -> None:
    assert "can never start" in str(blocker(plain(1, 1, pool="db", pool_slots=3), usage()))


def test_a_pool_that_is_not_there_is_named_with_the_mend() -> None:
    assert "tradewind pools set nope" in str(blocker(plain(1, 1, pool="nope"), usage()))
