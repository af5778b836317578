"""What do the statements about waits promise? Claims, shares, ends that count once, questions that close."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select

from tests.triggerer.bench import Bench
from tradewind.metadata import processes, questions, waits
from tradewind.metadata.database import Database
from tradewind.metadata.models import TriggerWait
from tradewind.metadata.waits import NewWait, WaitOver
from tradewind.model.orders import Question, Wait

NOW = datetime.now(UTC).replace(microsecond=0)
LEASE = timedelta(seconds=30)


def triggerer(database: Database, at: datetime = NOW) -> UUID:
    """Register a triggerer with a lease, and return its id."""
    made = uuid4()
    with database.write() as tx:
        processes.register(tx, process_id=made, kind="triggerer", hostname="h", pid=1, now=at, lease=LEASE, info={})
    return made


def claim(database: Database, holder: UUID, limit: int = 100, **given) -> list[UUID]:
    with database.write() as tx:
        return [wait.attempt_id for wait in waits.claim_waits(tx, holder, NOW, limit, **given)]


def finish(database: Database, holder: UUID, *ends: WaitOver) -> list[UUID]:
    with database.write() as tx:
        return waits.finish_waits(tx, holder, ends, NOW)


def test_a_wait_is_claimed_once_and_says_what_is_needed(bench: Bench, database: Database) -> None:
    made = bench.defer("watchers.Echo", value=1)
    first, second = triggerer(database), triggerer(database)
    with database.write() as tx:
        (claimed,) = waits.claim_waits(tx, first, NOW, 10)
    assert (claimed.attempt_id, claimed.trigger, claimed.kwargs) == (made, "watchers.Echo", '{"value":1}')
    assert (claimed.dag_id, claimed.run_id, claimed.task_id, claimed.try_number) == ("d", "r1", "t0", 1)
    assert claim(database, second) == []


def test_triggerers_share(bench: Bench, database: Database) -> None:
    made = bench.defer_many([("watchers.Echo", {"value": n}) for n in range(7)])
    first, second = triggerer(database), triggerer(database)
    taken = [claim(database, first), claim(database, second), claim(database, second, limit=1)]
    assert [len(part) for part in taken] == [4, 2, 1]  # half of seven, half of the three left, the last
    assert sorted(one for part in taken for one in part) == sorted(made)


def test_only_what_is_within_the_queues_and_the_limit(bench: Bench, database: Database) -> None:
    mine = bench.defer("watchers.Echo", queue="gpu", value=1)
    bench.defer("watchers.Echo", value=2)
    holder = triggerer(database)
    assert claim(database, holder, queues=["gpu"]) == [mine]
    assert claim(database, holder, queues=["gpu"]) == []
    assert claim(database, holder, limit=0) == []


def test_an_end_is_told_once_and_by_the_holder_only(bench: Bench, database: Database) -> None:
    made = bench.defer("watchers.Echo", value=1)
    holder, other = triggerer(database), triggerer(database)
    claim(database, holder)
    end = WaitOver(made, event='{"payload":1}')
    assert finish(database, other, end) == []
    assert bench.said() == {}
    assert finish(database, holder, end) == [made]
    assert finish(database, holder, end) == []
    assert bench.said()[made]["event"] == '{"payload":1}'


def test_waits_of_the_dead_are_free_again(bench: Bench, database: Database) -> None:
    kept, dropped = bench.defer("watchers.Echo", value=1), bench.defer("watchers.Echo", value=2)
    dead = triggerer(database, NOW - LEASE * 2)
    with database.write() as tx:
        assert len(waits.claim_waits(tx, dead, NOW - LEASE * 2, 10)) == 2
        waits.drop_waits(tx, [dropped], NOW)
        assert waits.free_dead_claims(tx, NOW) == 1
        assert waits.free_dead_claims(tx, NOW) == 0
    assert claim(database, triggerer(database)) == [kept]
    with database.read() as tx:
        assert tx.execute(select(TriggerWait.attempt_id)).scalars().all() == [kept]


def test_dropped_waits_say_why(bench: Bench, database: Database) -> None:
    free = bench.defer("watchers.Echo", value=0)
    holder = triggerer(database)
    with database.write() as tx:
        waits.drop_waits(tx, [free])
    assert claim(database, holder) == []
    late = bench.defer("watchers.Echo", timeout=60, value=1)
    gone = bench.defer("watchers.Echo", timeout=60, value=2)
    claim(database, holder)
    claim(database, holder)
    with database.write() as tx:
        waits.drop_waits(tx, [late], datetime.now(UTC) + timedelta(seconds=61))
        waits.drop_waits(tx, [gone, late, uuid4()])
    with database.read() as tx:
        assert waits.what_is_due(tx, holder) == (False, True)
        assert waits.load_waits(tx, [late, gone]) == []
    with database.write() as tx:
        assert waits.take_dropped(tx, holder) == {late: "timeout", gone: "cancelled"}
        assert waits.take_dropped(tx, holder) == {}
    assert finish(database, holder, WaitOver(gone, failure="too late")) == []


def test_a_wait_that_is_put_again_stays_as_it_is(bench: Bench, database: Database) -> None:
    made = bench.defer("watchers.Echo", value=1)
    holder = triggerer(database)
    claim(database, holder)
    with database.write() as tx:
        waits.put_waits(tx, [NewWait(made, bench.run_pk, ("t0", -1), Wait("back", trigger="other.Class"))], NOW)
        assert waits.held_waits(tx, holder) == {made}
        waits.release_waits(tx, holder)
        assert waits.held_waits(tx, holder) == set()
    assert claim(database, holder) == [made]


def test_questions_close_by_their_defaults_or_without_an_answer(bench: Bench, database: Database) -> None:
    late, mute, early = bench.defer_many([("watchers.Echo", {"value": n}) for n in range(3)])
    params: dict[str, object] = {"n": {"value": 4, "description": None, "schema": {}}}
    with database.write() as tx:
        for made, defaults in ((late, ("no",)), (mute, None), (early, ("no",))):
            asked = Question("Go?", ("yes", "no"), defaults=defaults, params=params)
            new = NewWait(made, bench.run_pk, ("t0", -1), Wait("back", timeout_seconds=60, question=asked))
            waits.put_waits(tx, [new], NOW)
        assert questions.count_open(tx) == 3
        waits.drop_waits(tx, [late, mute], NOW + timedelta(seconds=60))
        waits.drop_waits(tx, [early], NOW + timedelta(seconds=59))
        found = {made: questions.get_question(tx, made) for made in (late, mute, early)}
        assert questions.count_open(tx) == 0
    assert [(one.state, one.chosen, one.params_input) for one in found.values() if one is not None] == [
        ("timed_out", ["no"], {"n": 4}),
        ("timed_out", None, None),
        ("withdrawn", None, None),
    ]
