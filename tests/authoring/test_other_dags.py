"""How does a task wait for another DAG? ``ExternalTaskSensor`` and its marker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.authoring.scripted import DAG_OTHER, Scripted, counts
from tests.authoring.support import DAY, Rehearsal
from tradewind.model.orders import Outcome, Resumption
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.run_questions import (
    CountRuns,
    CountTasks,
    DagFacts,
    FindDag,
    ListTasks,
    RunAnswer,
    TaskFacts,
)
from tradewind.sdk.sensors.external_errors import DuplicateStateError
from tradewind.sdk.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor
from tradewind.xcom import decode
from tradewind.xcom.event_text import Said, write_event

FAST: Any = {"poke_interval": 0, "timeout": 0}


def sensor(answers: list[RunAnswer], **settings: Any) -> Scripted:
    with DAG("d") as dag:
        ExternalTaskSensor(task_id="t", external_dag_id="other", **FAST, **settings)
    return Scripted(dag, answers)


# --- waiting for another DAG ---


def test_a_sensor_of_a_dag_counts_its_runs_of_the_same_logical_date():
    script = sensor(counts(0, 1), allowed_states=["success", "failed"])
    script.dag.get_task("t").timeout = 60

    assert script.attempt().outcome is Outcome.SUCCESS
    assert script.asked == [CountRuns("other", (DAY,), None, ("success", "failed"))] * 2
    assert script.xcoms == {"_link_ExternalDagLink": "/dags/other/runs/manual__1"}


def test_without_a_logical_date_the_instant_counts_at_which_the_run_is_due():
    script = sensor(counts(1))
    script.logical_date = None

    assert script.attempt().outcome is Outcome.SUCCESS
    assert script.asked[0].logical_dates == (DAY,)


@pytest.mark.parametrize(
    ("settings", "dates"),
    [
        ({"execution_delta": timedelta(days=1)}, (DAY - timedelta(days=1),)),
        ({"execution_date_fn": lambda date: date.replace(hour=0)}, (DAY.replace(hour=0),)),
        ({"execution_date_fn": lambda date, ds: [date, datetime.fromisoformat(f"{ds}T00:00+00:00")]},
         (DAY, DAY.replace(hour=0))),
        ({"execution_date_fn": lambda logical_date, context: context["logical_date"]}, (DAY,)),
        ({"execution_date_fn": lambda d, **context: context["ti"].dag_run.logical_date}, (DAY,)),
    ],
)  # fmt: skip
def test_other_logical_dates_can_be_meant(settings, dates):
    script = sensor(counts(len(dates)), **settings)

    assert script.attempt().outcome is Outcome.SUCCESS
    assert script.asked[0].logical_dates == dates


@pytest.mark.parametrize(("found", "outcome"), [(2, Outcome.SUCCESS), (1, Outcome.FAILED)])
def test_all_of_several_tasks_are_waited_for(found, outcome):
    script = sensor(counts(found), external_task_ids=["a", "b"])

    assert script.attempt().outcome is outcome
    assert script.asked == [CountTasks("other", None, ("a", "b"), None, (DAY,), None, ("success",))]


def states(**by_task: str | None) -> list[RunAnswer]:
    tasks = [TaskFacts("other", task, "r", -1, state, 1) for task, state in by_task.items()]
    return [RunAnswer(tasks=tuple(tasks))]


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (states(a="success", b="success"), Outcome.SUCCESS),
        (states(a="success", b=None), Outcome.FAILED),
        (states(), Outcome.FAILED),
    ],
)
def test_all_tasks_of_a_group_are_waited_for(found, outcome):
    script = sensor(found, external_task_group_id="g")

    assert script.attempt().outcome is outcome
    assert script.asked == [ListTasks("other", None, None, "g", (DAY,))]


@pytest.mark.parametrize(
    ("settings", "answers", "outcome", "words"),
    [
        ({"failed_states": ["failed"]}, counts(1), Outcome.FAILED, "ExternalDagFailedError"),
        ({"failed_states": ["failed"], "soft_fail": True}, counts(1), Outcome.SKIPPED, "soft_fail"),
        ({"failed_states": ["failed"], "external_task_id": "a"}, counts(1), Outcome.FAILED, "ExternalTaskFailedError"),
        ({"failed_states": ["failed"], "external_task_group_id": "g"}, states(a="failed"), Outcome.FAILED,
         "ExternalTaskGroupFailedError"),
        ({"skipped_states": ["skipped"], "external_task_id": "a"}, counts(1), Outcome.SKIPPED, "skipped"),
        ({"skipped_states": ["skipped"], "failed_states": ["failed"], "external_task_id": "a"}, counts(0, 1),
         Outcome.SKIPPED, "skipped"),
    ],
)  # fmt: skip
def test_other_states_end_the_waiting_in_their_own_way(settings, answers, outcome, words):
    result = sensor(answers, **settings).attempt()

    assert result.outcome is outcome
    assert words in result.error


@pytest.mark.parametrize(
    ("settings", "dag", "words"),
    [
        ({}, None, "ExternalDagNotFoundError"),
        ({}, DagFacts("other", False, False, "other.py"), "ExternalDagDeletedError"),
        ({"external_task_ids": ["a", "z"]}, DAG_OTHER, "has no task 'z'. It has a, b"),
        ({"external_task_group_id": "h"}, DAG_OTHER, "has no group 'h'. It has g"),
        ({"external_task_group_id": "g"}, DAG_OTHER, None),
        ({"external_task_id": "a"}, DAG_OTHER, None),
    ],
)
def test_what_does_not_exist_is_told_at_once_when_that_is_wanted(settings, dag, words):
    answers = [RunAnswer(dag=dag), *(states(a="success") if "external_task_group_id" in settings else counts(1))]
    script = sensor(answers, check_existence=True, **settings)

    result = script.attempt()

    assert script.asked[0] == FindDag("other")
    if words is None:
        assert result.outcome is Outcome.SUCCESS
    else:
        assert result.outcome is Outcome.FAILED
        assert words in result.error


def test_what_does_not_exist_is_a_skip_under_soft_fail():
    assert sensor([RunAnswer()], check_existence=True, soft_fail=True).attempt().outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"external_task_id": "a", "external_task_ids": ["b"]}, ValueError, "_id and external_task_ids"),
        ({"external_task_ids": ["a"], "external_task_group_id": "g"}, ValueError, "exclude each other"),
        ({"external_task_id": "a", "external_task_group_id": "g"}, ValueError, "exclude each other"),
        ({"allowed_states": ["skipped"]}, ValueError, "'skipped' is no state of a run"),
        ({"failed_states": ["nope"], "external_task_id": "a"}, ValueError, "'nope' is no state of a task"),
        ({"failed_states": ["success"]}, DuplicateStateError, "'success' stands more than once"),
        ({"execution_delta": timedelta(1), "execution_date_fn": print}, ValueError, "exclude each other"),
        ({"deferable": True}, TypeError, "Did you mean 'deferrable'"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_when_the_file_is_read(settings, error, words):
    with pytest.raises(error, match=words):
        sensor([], **settings)


def test_none_means_a_task_that_has_no_state_yet():
    script = sensor(counts(1), external_task_id="a", allowed_states=[None, "queued"])

    assert script.attempt().outcome is Outcome.SUCCESS
    assert script.asked[0].states == ("null", "queued")
    assert (
        sensor(states(a=None), external_task_group_id="g", allowed_states=[None]).attempt().outcome is Outcome.SUCCESS
    )


def test_a_task_named_twice_fails():
    assert "names a task twice" in sensor([], external_task_ids=["a", "a"]).attempt().error


def test_the_old_name_of_the_interval_is_taken_with_a_warning():
    with DAG("d"), pytest.warns(DeprecationWarning, match="poke_interval"):
        assert ExternalTaskSensor(task_id="t", external_dag_id="o", poll_interval=5).poke_interval == 5


def test_a_deferrable_sensor_leaves_the_looking_to_a_trigger():
    script = sensor([], external_task_ids=["a"], failed_states=["failed"], deferrable=True, soft_fail=True)
    script.dag.get_task("t").timeout = 30

    result = script.attempt()

    assert result.outcome is Outcome.DEFERRED
    assert script.asked == []
    assert result.then.wait.timeout_seconds == 30
    told = decode(result.then.wait.trigger_kwargs)
    assert (told["external_dag_id"], told["external_task_ids"], told["logical_dates"]) == ("other", ["a"], [DAY])
    assert (told["allowed_states"], told["failed_states"]) == (["success"], ["failed"])


@pytest.mark.parametrize(
    ("status", "soft_fail", "outcome"),
    [
        ("success", False, Outcome.SUCCESS),
        ("skipped", False, Outcome.SKIPPED),
        ("failed", False, Outcome.FAILED),
        ("failed", True, Outcome.SKIPPED),
        ("?", False, Outcome.FAILED),
        (None, False, Outcome.FAILED),
    ],
)
def test_what_the_trigger_has_seen_ends_a_deferred_sensor(status, soft_fail, outcome):
    script = sensor([], deferrable=True, soft_fail=soft_fail)
    event = write_event(Said(None if status is None else {"status": status}))

    assert script.attempt(resume=Resumption("execute_complete", event=event)).outcome is outcome


def test_a_marker_does_nothing_and_checks_its_arguments():
    with DAG("d") as dag:
        ExternalTaskMarker(task_id="t", external_dag_id="other", external_task_id="a")
        with pytest.raises(DagArgumentError, match="recursion_depth"):
            ExternalTaskMarker(task_id="u", external_dag_id="o", external_task_id="a", recursion_depth=0)
        with pytest.raises(TypeError, match="logical_date"):
            ExternalTaskMarker(task_id="v", external_dag_id="o", external_task_id="a", logical_date=5)  # type: ignore[arg-type]
    rehearsal = Rehearsal(dag)

    assert rehearsal.attempt("t").outcome is Outcome.SUCCESS
    assert rehearsal.channel is not None
    assert rehearsal.channel.rendered["logical_date"] == DAY.isoformat()
