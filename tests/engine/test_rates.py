"""Is a rate never exceeded, in any window, and is the instant right at which the next may start?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.world import T0
from tradewind.model.rates import RateUse, read_starts, window
from tradewind.model.spec import RateSpec

RATES = st.builds(RateSpec, st.just("api"), st.integers(1, 300), st.sampled_from([0.5, 1.0, 60.0]))
WAITS = st.lists(st.floats(0, 30), min_size=1, max_size=15)


def starts_as_soon_as_allowed(rate: RateSpec, waits: list[float], use: RateUse) -> list[Any]:
    now, started = T0, list[Any]()
    for wait in waits:
        now += timedelta(seconds=wait)
        while use.free_at(rate, now) is None and len(started) < 600:
            use.take(rate, now)
            started.append(now)
    return started


@given(RATES, WAITS)
def test_no_window_wherever_it_begins_has_more_starts_than_the_rate(rate: RateSpec, waits: list[float]) -> None:
    started = starts_as_soon_as_allowed(rate, waits, RateUse())

    for first, after in zip(started, started[rate.limit :], strict=False):
        assert after >= first + window(rate)


@given(RATES, WAITS)
def test_the_next_may_start_at_the_instant_that_is_named_and_not_before(rate: RateSpec, waits: list[float]) -> None:
    use, now = RateUse(), T0
    for wait in waits:
        now += timedelta(seconds=wait)
        while (free := use.free_at(rate, now)) is None:
            use.take(rate, now)
        assert now < free <= now + window(rate)
        assert use.free_at(rate, free) is None
        assert use.free_at(rate, free - timedelta(microseconds=1)) == free


@given(RATES, WAITS)
def test_what_is_stored_is_what_was_counted_and_stays_small(rate: RateSpec, waits: list[float]) -> None:
    use = RateUse()
    starts_as_soon_as_allowed(rate, waits, use)

    assert read_starts(msgspec.json.decode(msgspec.json.encode(use.starts))) == use.starts
    assert len(use.starts) <= 402


def test_two_dags_may_ask_for_different_rates_of_one_name() -> None:
    use, strict, loose = RateUse(), RateSpec("api", 1, 60.0), RateSpec("api", 3, 60.0)
    use.take(strict, T0)

    assert use.free_at(strict, T0) == T0 + timedelta(minutes=1)
    assert use.free_at(loose, T0) is None


def test_a_longer_window_is_not_forgotten_for_a_shorter_one() -> None:
    use, hour, second = RateUse(), RateSpec("api", 2, 3600.0), RateSpec("api", 5, 1.0)
    use.take(hour, T0)
    for number in range(1, 4):
        use.take(second, T0 + timedelta(minutes=number))

    assert use.used(hour, T0 + timedelta(minutes=10)) == 4


def test_a_pause_keeps_everybody_from_starting_until_it_is_over() -> None:
    use, rate = RateUse(), RateSpec("api", 5, 1.0)
    use.pause(T0 + timedelta(seconds=30), "etl.load: 429")
    use.pause(T0 + timedelta(seconds=20), "a shorter one")

    assert use.free_at(rate, T0) == T0 + timedelta(seconds=30)
    assert use.free_at(rate, T0 + timedelta(seconds=30)) is None
    assert use.paused_by == "etl.load: 429"
