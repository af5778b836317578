"""What must hold for every executor? The contract of ``executors.base`` as tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from executors.conformance.installation import Bench, Installation
from tradewind.model.orders import Outcome

TASKS = """
    import os, pathlib, time
    from tradewind import Variable
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
        with open(pathlib.Path(FOLDER, f"count-{ti.run_id}"), "a") as file:
            file.write("x")

    @task
    def asks():
        Variable.set("asked", "and answered")
        return Variable.get("asked")

    @task
    def spies():
        return sorted(name for name in os.environ if name.startswith("TRADEWIND__"))

    @task
    def dies():
        os.kill(os.getpid(), 9)

    good(); bad(); hopeless(); skipped(); sleeps(); counts(); asks(); spies(); dies()
"""
TASK_IDS = ("good", "bad", "hopeless", "skipped", "sleeps", "counts", "asks", "spies", "dies")
SOON_SECONDS = 1.0
"""What counts as returning at once, on a machine that is busy."""


class ExecutorContract:
    """Derive from this, and give a fixture ``installation``; whoever runs tasks for it has to be there, too."""

    @pytest.fixture
    def bench(self, installation: Installation) -> Iterator[Bench]:
        """A bench on the executor, with the tasks of this page."""
        with installation.bench() as bench:
            bench.write_dag(TASKS.replace("FOLDER", repr(str(bench.folder))), TASK_IDS)
            yield bench

    def count_of(self, bench: Bench, run_id: str) -> str:
        """Return an ``x`` for each start of the task ``counts`` of a run."""
        path = bench.folder / f"count-{run_id}"
        return path.read_text() if path.exists() else ""

    def test_it_has_the_name_by_which_it_is_configured(self, bench: Bench) -> None:
        assert bench.executor.name == bench.installation.config.core.executor[0].name

    def test_an_attempt_that_succeeds_is_told_with_its_xcom_and_what_it_cost(self, bench: Bench) -> None:
        order = bench.order("good")
        bench.submit(order)

        ended = bench.end_of(order)

        assert (ended.outcome, ended.error, ended.exit_code, ended.signal) == (Outcome.SUCCESS, None, 0, None)
        assert (ended.attempt_id, ended.fence, ended.run_pk) == (order.attempt_id, 1, order.run_pk)
        assert [(xcom.key, xcom.value) for xcom in ended.xcoms] == [("return_value", '{"rows":3}')]
        assert ended.started_at is not None
        assert ended.started_at <= ended.at
        assert ended.pid > 0
        assert ended.hostname
        assert ended.peak_rss_bytes is not None
        assert ended.peak_rss_bytes > 2**20
        assert ended.cpu_seconds is not None
        assert 0 < ended.cpu_seconds < 10

    def test_an_attempt_that_raises_fails_with_one_line_and_may_be_tried_again(self, bench: Bench) -> None:
        ended = bench.run("bad")

        assert (ended.outcome, ended.error, ended.may_retry) == (Outcome.FAILED, "ValueError: no rows", True)
        assert ended.xcoms == ()

    def test_an_attempt_that_gives_up_may_not_be_tried_again(self, bench: Bench) -> None:
        ended = bench.run("hopeless")

        assert (ended.outcome, ended.may_retry) == (Outcome.FAILED, False)

    def test_an_attempt_that_skips_itself_is_told_as_skipped(self, bench: Bench) -> None:
        assert bench.run("skipped").outcome == Outcome.SKIPPED

    def test_an_attempt_whose_process_dies_is_told_with_its_signal(self, bench: Bench) -> None:
        ended = bench.run("dies")

        assert (ended.outcome, ended.signal, ended.died) == (Outcome.FAILED, 9, True)

    def test_what_a_task_asks_for_is_answered(self, bench: Bench) -> None:
        ended = bench.run("asks")

        assert [(xcom.key, xcom.value) for xcom in ended.xcoms] == [("return_value", '"and answered"')]

    def test_a_task_finds_no_secrets_of_the_installation_in_its_environment(self, bench: Bench) -> None:
        (xcom,) = bench.run("spies").xcoms

        told = ("SQL_ALCHEMY_CONN", "FERNET_KEY", "SECRET_KEY", "BROKER_URL", "TOKEN")
        assert [name for name in told if name in str(xcom.value)] == []

    def test_many_attempts_at_once_are_each_run_once(self, bench: Bench) -> None:
        orders = [bench.order("counts") for _ in range(30)]

        bench.submit(*orders)

        assert {bench.end_of(order).outcome for order in orders} == {Outcome.SUCCESS}
        assert [self.count_of(bench, order.run_id) for order in orders] == ["x"] * 30

    def test_an_attempt_submitted_twice_runs_once(self, bench: Bench) -> None:
        order = bench.order("counts")

        bench.submit(order, order)
        bench.submit(order)
        bench.end_of(order)
        bench.submit(order)  # after its end, too
        bench.run("good")

        assert self.count_of(bench, order.run_id) == "x"
        assert len(bench.ends_of(order)) == 1

    def test_the_start_of_a_long_attempt_is_told_before_its_end(self, bench: Bench) -> None:
        order = bench.order("sleeps")
        bench.submit(order)

        started = bench.start_of(order)
        bench.cancel(order)
        ended = bench.end_of(order)

        assert (started.pid, started.at) == (ended.pid, ended.started_at)

    def test_cancel_ends_an_attempt_that_runs(self, bench: Bench) -> None:
        order = bench.order("sleeps")
        bench.submit(order)
        bench.start_of(order)

        bench.cancel(order)

        ended = bench.end_of(order)
        assert ended.outcome == Outcome.FAILED
        assert "cancelled" in str(ended.error)

    def test_cancel_ends_an_attempt_that_has_just_been_submitted(self, bench: Bench) -> None:
        order = bench.order("sleeps")
        bench.submit(order)
        bench.cancel(order)

        # Nobody had claimed it: then it never began. Else it was ended.
        assert bench.end_of(order).outcome in (Outcome.FAILED, Outcome.RETURNED)

    def test_cancel_of_unknown_and_of_ended_attempts_is_ignored(self, bench: Bench) -> None:
        order = bench.order("good")
        bench.submit(order)
        bench.end_of(order)

        bench.executor.cancel([uuid4(), order.attempt_id])

        assert bench.run("good").outcome == Outcome.SUCCESS
        assert len(bench.ends_of(order)) == 1

    def test_an_attempt_that_cannot_be_started_is_told_as_ended(self, bench: Bench) -> None:
        bench.write_dag("raise RuntimeError('half a file')", TASK_IDS)

        ended = bench.run("good")

        assert ended.outcome in (Outcome.FAILED, Outcome.LOST)
        assert "half a file" in str(ended.error)

    def test_submit_and_cancel_return_at_once(self, bench: Bench) -> None:
        orders = [bench.order("good") for _ in range(5)]

        began = time.monotonic()
        bench.submit(*orders)
        bench.executor.cancel([uuid4()])

        assert time.monotonic() - began < SOON_SECONDS
        assert {bench.end_of(order).outcome for order in orders} == {Outcome.SUCCESS}

    def test_stop_hands_back_what_runs_below_this_process(self, bench: Bench) -> None:
        order = bench.order("sleeps")
        bench.submit(order)
        bench.start_of(order)

        bench.executor.stop(5)

        if bench.executor.supervisor_id is not None:
            assert [ended.outcome for ended in bench.ends_of(order)] == [Outcome.RETURNED]
        else:  # it runs elsewhere, and goes on
            assert bench.ends_of(order) == []
            bench.cancel(order)
            bench.end_of(order)

    def test_stop_may_be_said_again_and_what_is_submitted_then_does_not_run_here(self, bench: Bench) -> None:
        bench.run("good")
        bench.executor.stop(5)
        bench.executor.stop(5)

        order = bench.order("counts")
        bench.submit(order)

        if bench.executor.supervisor_id is not None:
            assert self.count_of(bench, order.run_id) == ""

    def test_capacity_is_a_number_of_attempts_or_nothing(self, bench: Bench) -> None:
        capacity = bench.executor.capacity()

        assert capacity is None or capacity >= 1
