"""Which laws does admission keep, whatever is ready and however full the limits are?"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.admission import Candidate, ReadyQueue, Usage, backfill_slots, blocker
from tests.engine.world import T0
from tradewind.model.spec import RateSpec

API, SLOW = RateSpec("api", 3, 60.0), RateSpec("slow", 1, 3600.0)


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
            is_backfill=run == 4,
            keys=draw(st.sampled_from([(), (("acme", 2),), (("acme", 1),), (("acme", 2), ("eu", 3))])),
            rates=draw(st.sampled_from([(), (API,), (API, SLOW)])),
        )
        for run, number in sorted(keys)
    ]


def usage(parallelism: int = 8, **fields: object) -> Usage:
    pools = {"default_pool": 5, "db": 2}
    return Usage(parallelism=parallelism, pools=pools, **{"now": T0, **fields})  # type: ignore[arg-type]


@given(candidates(), st.integers(1, 10))
def test_no_limit_is_exceeded_and_nobody_who_fits_is_left(ready: list[Candidate], parallelism: int) -> None:
    queue, used = ReadyQueue(), usage(parallelism, backfill_slots=backfill_slots(parallelism, 0.75))
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
    assert sum(c.is_backfill for c in picked) <= max(1, parallelism - 1)
    for key, limits in (("acme", (1, 2)), ("eu", (3,))):
        under = [limit for c in picked for one, limit in c.keys if one == key]
        assert len(under) <= max(limits)
        assert all(under[:limit].count(limit) == under.count(limit) for limit in limits)  # its own, as it started
    for rate in (API, SLOW):
        assert sum(rate in c.rates for c in picked) <= rate.limit
    left = [c for c in ready if c not in picked]
    assert len(left) == len(queue)
    wakes = [c for c in left if "rate" in str(blocker(c, used))]
    if wakes and len(picked) < parallelism:  # when all is full, the end of any task is what to wait for
        assert used.wake_at is not None
        assert used.now < used.wake_at <= used.now + timedelta(hours=1)
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


@given(candidates(), st.integers(1, 10))
def test_backfills_take_nothing_that_another_could_have_had(ready: list[Candidate], parallelism: int) -> None:
    """Those that are no backfills are chosen as if there were no backfills at all."""
    picks = []
    for some in (ready, [c for c in ready if not c.is_backfill]):
        queue = ReadyQueue()
        for candidate in some:
            queue.add(candidate)
        picked = queue.admit(usage(parallelism, backfill_slots=backfill_slots(parallelism, 0.75)), lambda _c: True)
        picks.append([c for c in picked if not c.is_backfill])

    assert picks[0] == picks[1]


@given(st.integers(1, 200), st.floats(0.001, 1))
def test_the_share_of_backfills_is_never_nothing_and_never_all_of_several(parallelism: int, share: float) -> None:
    slots = backfill_slots(parallelism, share)

    assert 1 <= slots <= max(1, parallelism - 1)
    assert slots <= max(1, parallelism * share)


def test_backfills_stop_at_their_share_and_are_told_so() -> None:
    queue, used = ReadyQueue(), usage(4, backfill_slots=backfill_slots(4, 0.75))
    for number in range(5):
        queue.add(plain(1, number, is_backfill=True))

    assert len(list(queue.admit(used, lambda _c: True))) == 3

    assert str(blocker(plain(1, 9, is_backfill=True), used)).startswith(
        "the share of backfills is used up: 3 of 3 tasks of backfills are active, of 4 in all"
    )
    assert blocker(plain(1, 9), used) is None


def test_one_dag_may_have_backfills_and_other_runs_at_once() -> None:
    queue = ReadyQueue()
    queue.add(plain(1, 1, dag_id="etl", is_backfill=True, priority=9))
    queue.add(plain(2, 1, dag_id="etl"))

    assert [c.run_pk for c in queue.admit(usage(), lambda _c: True)] == [2, 1]


def test_a_task_whose_own_process_is_still_there_is_kept_and_does_not_stand_in_the_way() -> None:
    queue, used = ReadyQueue(), usage()
    queue.add(plain(1, 1))
    queue.add(plain(1, 2))
    used.busy.add((1, ("t0001", -1)))

    assert [c.key[0] for c in queue.admit(used, lambda _c: True)] == ["t0002"]
    assert len(queue) == 1

    used.busy.clear()
    assert [c.key[0] for c in queue.admit(used, lambda _c: True)] == ["t0001"]


@given(candidates(), st.lists(st.integers(1, 4)), st.sets(st.integers(0, 9)))
def test_what_is_forgotten_or_no_longer_ready_never_starts_and_leaves_nothing_behind(
    ready: list[Candidate], forgotten: list[int], ended: set[int]
) -> None:
    queue = ReadyQueue()
    for candidate in ready:
        queue.add(candidate)
    for run_pk in forgotten:
        queue.discard_run(run_pk)
    unlimited = Usage(parallelism=100, pools={"default_pool": -1, "db": -1, "gone": -1})

    def is_ready(candidate: Candidate) -> bool:
        return int(candidate.key[0][1:]) not in ended

    picked = list(queue.admit(unlimited, is_ready))

    assert not any(c.run_pk in forgotten or not is_ready(c) for c in picked)
    for run_pk in {c.run_pk for c in ready}:
        queue.discard_run(run_pk)
    assert len(queue) == 0
    assert list(queue.admit(Usage(parallelism=100, pools={"default_pool": -1}), lambda _c: True)) == []
