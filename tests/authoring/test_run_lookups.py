"""What can ``ti`` be asked of other runs and tasks?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.authoring.scripted import DAG_OTHER, Scripted, counts, in_state
from tests.authoring.support import DAY
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.run_questions import (
    CountRuns,
    CountTasks,
    FindPreviousRun,
    FindPreviousTask,
    ListTasks,
    RunAnswer,
    RunQuestion,
    TaskFacts,
)
from tradewind.sdk.task_instance import RunningTask

# --- what ti can be asked ---


def ask(function: Any, answers: list[RunAnswer], **settings: Any) -> tuple[Any, list[RunQuestion]]:
    found: list[Any] = []
    with DAG("d") as dag:
        PythonOperator(task_id="t", python_callable=lambda ti: found.append(function(ti)))
    script = Scripted(dag, answers, **settings)
    result = script.attempt()
    if result.error:
        raise AirflowException(result.error)
    return found[0], script.asked


def test_counts_and_states_are_asked_by_name():
    other = [DAY, DAY + timedelta(days=1)]
    number, asked = ask(lambda ti: ti.get_dr_count("o", logical_dates=other, states=["success"]), counts(3))
    assert (number, asked) == (3, [CountRuns("o", tuple(other), None, ("success",))])

    number, asked = ask(
        lambda ti: ti.get_ti_count(dag_id="o", run_ids=["r"], states=[None, "failed"], map_index=2), counts(1)
    )
    assert (number, asked) == (1, [CountTasks("o", 2, None, None, None, ("r",), ("null", "failed"))])

    tasks = (TaskFacts("o", "a", "r", -1, "success", 1), TaskFacts("o", "m", "r", 4, None, 0))
    answer = RunAnswer(tasks=tasks)
    found, _ = ask(lambda ti: ti.get_task_states("o", task_ids=["a", "m"]), [answer])
    assert found == {"r": {"a": "success", "m_4": None}}

    ended = RunAnswer(tasks=(TaskFacts("o", "a", "r", -1, "failed", 1, None, DAY, DAY + timedelta(seconds=9)),))
    found, asked = ask(lambda ti: list(ti.get_task_breadcrumbs("o", "r")), [ended])
    assert found == [{"task_id": "a", "map_index": -1, "state": "failed", "duration": 9.0}]
    assert asked == [ListTasks("o", run_ids=("r",), is_ended=True)]


def test_runs_and_dags_are_asked_by_name_and_missing_ones_are_errors():
    assert ask(lambda ti: ti.get_dagrun_state("o", "r"), [in_state("running")])[0] == "running"
    assert ask(lambda ti: ti.get_dag("o").is_paused, [RunAnswer(dag=DAG_OTHER)])[0] is False
    with pytest.raises(AirflowException, match="DAG 'o' has no run 'r'"):
        ask(lambda ti: ti.get_dagrun_state("o", "r"), [RunAnswer()])
    with pytest.raises(AirflowException, match="There is no DAG 'o'"):
        ask(lambda ti: ti.get_dag("o"), [RunAnswer()])


def test_the_run_and_the_task_before_are_those_of_an_earlier_date():
    before = in_state("success").run
    assert ask(lambda ti: ti.get_previous_dagrun(state="success"), [RunAnswer(run=before)]) == (
        before,
        [FindPreviousRun("d", DAY, "success")],
    )
    task = TaskFacts("d", "t", "r0", -1, "failed", 2)
    assert ask(lambda ti: ti.get_previous_ti(), [RunAnswer(tasks=(task,))]) == (task, [FindPreviousTask("d", "t", DAY)])
    assert ask(lambda ti: ti.get_previous_ti(), [RunAnswer()])[0] is None
    assert ask(lambda ti: ti.get_previous_dagrun(), [], logical_date=None) == (None, [])


def test_a_date_without_a_zone_is_refused():
    with pytest.raises(AirflowException, match="with a time zone"):
        ask(lambda ti: ti.get_dr_count("o", logical_dates=[datetime(2024, 1, 1)]), [])


def test_nothing_can_be_asked_while_no_task_runs():
    with pytest.raises(AirflowException, match=r"ti\.get_dr_count was called while no task runs"):
        RunningTask.get_dr_count("o")
