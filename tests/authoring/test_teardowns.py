"""Which state does a run get from its teardowns? Whole runs through ``dag.test()``."""

from __future__ import annotations

import pytest

from tradewind import DAG, setup, task, teardown
from tradewind.model.states import RunState, TaskState


def run_with_a_teardown_that_fails(*, decides: bool, work_fails: bool = False):
    with DAG("etl") as made:

        @setup
        def make():
            return "table"

        @task
        def work():
            if work_fails:
                raise ValueError("no rows")

        @teardown(on_failure_fail_dagrun=decides)
        def drop():
            raise OSError("still in use")

        make() >> work() >> drop()
    return made.test()


@pytest.mark.parametrize(("decides", "state"), [(True, RunState.FAILED), (False, RunState.SUCCESS)])
def test_a_failed_teardown_fails_the_run_only_where_it_says_so(decides, state):
    run = run_with_a_teardown_that_fails(decides=decides)

    assert run.states == {"make": TaskState.SUCCESS, "work": TaskState.SUCCESS, "drop": TaskState.FAILED}
    assert run.state is state


@pytest.mark.parametrize("decides", [True, False])
def test_a_teardown_runs_after_failed_work_and_hides_nothing(decides):
    run = run_with_a_teardown_that_fails(decides=decides, work_fails=True)

    assert run.states["work"] is run.states["drop"] is TaskState.FAILED
    assert run.state is RunState.FAILED


def test_a_teardown_that_decides_stands_for_the_work_above_it():
    # As Airflow 3.3 judges it: the last task that counts decides, and here that is the teardown.
    with DAG("etl") as made:

        @task
        def work():
            raise ValueError("no rows")

        @teardown(on_failure_fail_dagrun=True)
        def drop():
            return None

        work() >> drop()

    run = made.test()

    assert (run.states["work"], run.states["drop"]) == (TaskState.FAILED, TaskState.SUCCESS)
    assert run.state is RunState.SUCCESS
