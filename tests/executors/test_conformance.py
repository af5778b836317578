"""Does an executor keep the contract of ``executors.base``? The same tests for every kind of executor."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from executors.runner import attempts
from tests.executors.workbench import Workbench
from tradewind.model.orders import AttemptStarted, Outcome

pytestmark = pytest.mark.usefixtures("home")

TASKS = """
    import os, pathlib, signal, time
    from tradewind.sdk.exceptions import AirflowFailException, AirflowSkipException

    @task
    def good():
        return {"rows": 3}

    @task
    def bad():
        raise ValueError("no rows")

    @task
    def hopeless():
        raise AirflowFailException("never mind")

    @task
    def skipped():
        raise AirflowSkipException("nothing to do")

    @task
    def sleeps():
        time.sleep(600)

    @task
    def counts(ti):
        with open(pathlib.Path(__file__).with_name(f"count-{ti.map_index}"), "a") as file:
            file.write("x")

    good(); bad(); hopeless(); skipped(); sleeps(); counts()
"""


@pytest.fixture(params=["LocalExecutor"])
def bench(request: pytest.FixtureRequest, make_bench: Callable[..., Workbench]) -> Workbench:
    """A workbench on each kind of executor in turn, with the tasks of this page."""
    made = make_bench()
    assert made.executor.name == request.param
    made.write_dag(TASKS)
    return made


def test_an_attempt_that_succeeds_is_told_with_its_xcom_and_what_it_cost(bench):
    order = bench.order("good")

    (ended,) = bench.run(order)

    assert (ended.outcome, ended.error, ended.exit_code, ended.signal) == (Outcome.SUCCESS, None, 0, None)
    assert (ended.attempt_id, ended.fence, ended.run_pk) == (order.attempt_id, order.fence, order.run_pk)
    assert [(x.key, x.value) for x in ended.xcoms] == [("return_value", '{"rows":3}')]
    assert ended.started_at is not None
    assert ended.started_at <= ended.at
    assert ended.pid > 0
    assert ended.hostname
    assert ended.peak_rss_bytes is not None
    assert ended.peak_rss_bytes > 2**20
    assert ended.cpu_seconds is not None
    assert 0 < ended.cpu_seconds < 10


def test_an_attempt_that_raises_fails_with_one_line_and_may_be_tried_again(bench):
    ended = bench.run_task("bad")

    assert (ended.outcome, ended.error, ended.may_retry) == (Outcome.FAILED, "ValueError: no rows", True)
    assert ended.xcoms == ()


def test_an_attempt_that_gives_up_may_not_be_tried_again(bench):
    ended = bench.run_task("hopeless")

    assert (ended.outcome, ended.may_retry) == (Outcome.FAILED, False)


def test_an_attempt_that_skips_itself_is_told_as_skipped(bench):
    assert bench.run_task("skipped").outcome == Outcome.SKIPPED


def test_many_attempts_at_once_are_each_run_once(bench):
    orders = [bench.order("counts", map_index=index) for index in range(40)]

    ends = bench.run(*orders)

    assert {ended.outcome for ended in ends} == {Outcome.SUCCESS}
    written = [path.read_text() for path in bench.config.core.dags_folder.glob("count-*")]
    assert written == ["x"] * 40


def test_an_attempt_submitted_twice_runs_once(bench):
    order = bench.order("counts")

    bench.executor.submit([order, order])
    bench.executor.submit([order])
    bench.end_of(order)
    bench.executor.submit([order])  # after its end, too
    bench.run_task("good")

    assert (bench.config.core.dags_folder / "count--1").read_text() == "x"
    assert len(bench.ends_of(order)) == 1


def test_the_start_of_a_long_attempt_is_told_before_its_end(bench):
    order = bench.order("sleeps")
    bench.executor.submit([order])

    started = bench.start_of(order)
    bench.executor.cancel([order.attempt_id])
    ended = bench.end_of(order)

    assert (started.pid, started.at) == (ended.pid, ended.started_at)


def test_the_start_of_a_short_attempt_is_not_told_by_itself(bench, monkeypatch):
    monkeypatch.setattr(attempts, "HOLD_BACK_SECONDS", 30.0)  # any attempt is short now
    order = bench.order("good")

    (ended,) = bench.run(order)

    assert [fact for fact in bench.facts if fact.attempt_id == order.attempt_id] == [ended]
    assert ended.started_at is not None


def test_cancel_ends_an_attempt_that_runs(bench):
    order = bench.order("sleeps")
    bench.executor.submit([order])
    bench.start_of(order)

    bench.executor.cancel([order.attempt_id])

    ended = bench.end_of(order)
    assert ended.outcome == Outcome.FAILED
    assert "cancelled" in ended.error


def test_cancel_ends_an_attempt_that_has_just_been_submitted(bench):
    order = bench.order("sleeps")
    bench.executor.submit([order])
    bench.executor.cancel([order.attempt_id])

    ended = bench.end_of(order)
    assert ended.outcome == Outcome.FAILED
    assert "cancelled" in ended.error


def test_cancel_of_unknown_and_of_ended_attempts_is_ignored(bench):
    order = bench.order("good")
    bench.run(order)

    bench.executor.cancel([uuid4(), order.attempt_id])

    assert bench.run_task("good").outcome == Outcome.SUCCESS
    assert len(bench.ends_of(order)) == 1


def test_an_attempt_that_cannot_be_started_is_told_as_ended(bench):
    ended = bench.run_task("good", name="gone.py", source_digest="0" * 64)

    assert ended.outcome in (Outcome.FAILED, Outcome.LOST)
    assert "gone.py" in ended.error


def test_stop_ends_what_runs_and_hands_it_back(bench):
    order = bench.order("sleeps")
    bench.executor.submit([order])
    bench.start_of(order)

    bench.executor.stop(5)

    (ended,) = bench.ends_of(order)
    assert ended.outcome == Outcome.RETURNED


def test_after_stop_nothing_is_run_and_stop_may_be_said_again(bench):
    bench.run_task("good")
    bench.executor.stop(5)
    bench.executor.stop(5)
    count = len(bench.facts)

    bench.executor.submit([bench.order("counts")])

    assert not (bench.config.core.dags_folder / "count--1").exists()
    assert [f for f in bench.facts[count:] if isinstance(f, AttemptStarted)] == []


def test_capacity_is_the_parallelism_of_the_configuration(bench):
    assert bench.executor.capacity() in (None, bench.config.core.parallelism)
