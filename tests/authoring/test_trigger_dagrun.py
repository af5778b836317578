"""How does a task start a run of another DAG, and wait for it? ``TriggerDagRunOperator``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.authoring.scripted import Scripted, in_state
from tests.authoring.support import DAY, Rehearsal
from tradewind.model.orders import Outcome, Resumption
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.operators.trigger_dagrun import TriggerDagRunOperator
from tradewind.sdk.run_questions import (
    DagFacts,
    FindRun,
    RunAnswer,
    Triggered,
    TriggerRun,
)
from tradewind.xcom import decode
from tradewind.xcom.event_text import Said, write_event

# --- triggering runs ---


def trigger(answers: list[RunAnswer], **settings: Any) -> Scripted:
    with DAG("d") as dag:
        TriggerDagRunOperator(task_id="t", trigger_dag_id="other", poke_interval=0, **settings)
    return Scripted(dag, answers)


def made(run_id: str = "r", is_new: bool = True) -> RunAnswer:
    return RunAnswer(triggered=Triggered(run_id, is_new))


def test_a_triggered_run_gets_what_was_rendered_for_it():
    script = trigger(
        [made("other__2024-03-05")],
        trigger_run_id="other__{{ ds }}",
        logical_date="{{ logical_date }}",
        conf={"day": "{{ ds }}"},
        note="why",
        reset_dag_run=True,
    )

    assert script.attempt().outcome is Outcome.SUCCESS
    assert script.asked == [TriggerRun("other", "other__2024-03-05", DAY, None, {"day": "2024-03-05"}, "why", True)]
    assert script.xcoms == {
        "trigger_run_id": "other__2024-03-05",
        "_link_TriggerDagRunLink": "/dags/other/runs/other__2024-03-05",
    }


def test_a_run_without_names_is_called_by_its_date_which_is_now():
    script = trigger([made()])
    before = datetime.now(UTC)

    script.attempt()

    (asked,) = script.asked
    assert before <= asked.logical_date <= datetime.now(UTC)
    assert asked.run_id == f"manual__{asked.logical_date.isoformat()}"


@pytest.mark.parametrize("settings", [{"logical_date": None}, {"run_after": "2024-01-01T00:00:00+00:00"}])
def test_runs_without_a_logical_date_get_names_that_do_not_meet(settings):
    first, second = trigger([made()], **settings), trigger([made()], **settings)
    first.attempt()
    second.attempt()

    assert first.asked[0].logical_date is None
    assert first.asked[0].run_id.startswith("manual__")
    assert first.asked[0].run_id != second.asked[0].run_id


@pytest.mark.parametrize(
    ("settings", "outcome", "words"),
    [
        ({}, Outcome.FAILED, "Give another trigger_run_id"),
        ({"skip_when_already_exists": True}, Outcome.SKIPPED, "skip_when_already_exists is set"),
    ],
)
def test_a_run_that_is_there_already_fails_the_task_for_good_or_skips_it(settings, outcome, words):
    result = trigger([made(is_new=False)], retries=2, **settings).attempt()

    assert (result.outcome, result.may_retry) == (outcome, False)
    assert words in result.error


@pytest.mark.parametrize(
    ("settings", "seen", "outcome"),
    [
        ({}, ["queued", "running", "success"], Outcome.SUCCESS),
        ({}, ["failed"], Outcome.FAILED),
        ({"allowed_states": ["failed"], "failed_states": ["success"]}, ["failed"], Outcome.SUCCESS),
        ({"allowed_states": ["running"], "failed_states": []}, ["queued", "failed", "running"], Outcome.SUCCESS),
    ],
)
def test_a_triggered_run_can_be_waited_for(settings, seen, outcome):
    script = trigger([made(), *map(in_state, seen)], wait_for_completion=True, **settings)

    result = script.attempt()

    assert (result.outcome, result.may_retry) == (outcome, True)
    assert script.asked[1:] == [FindRun("other", "r")] * len(seen)
    assert script.xcoms["trigger_run_id"] == "r"


def test_a_triggered_run_can_be_waited_for_without_a_slot():
    script = trigger([made()], wait_for_completion=True, deferrable=True)

    result = script.attempt()

    assert result.outcome is Outcome.DEFERRED
    told = decode(result.then.wait.trigger_kwargs)
    assert (told["dag_id"], told["run_ids"], told["states"]) == ("other", ["r"], ["success", "failed"])


@pytest.mark.parametrize(("state", "outcome"), [("success", Outcome.SUCCESS), ("failed", Outcome.FAILED)])
def test_how_the_run_ended_ends_a_deferred_trigger(state, outcome):
    script = trigger([], wait_for_completion=True, deferrable=True)
    event = write_event(Said(("path.of.DagStateTrigger", {"run_ids": ["r"], "r": state})))

    assert script.attempt(resume=Resumption("execute_complete", event=event)).outcome is outcome
    assert script.asked == []
    assert script.xcoms == {"_link_TriggerDagRunLink": "/dags/other/runs/r"}


@pytest.mark.parametrize(("is_paused", "outcome"), [(True, Outcome.FAILED), (False, Outcome.SUCCESS)])
def test_a_paused_dag_is_not_triggered_when_that_is_not_wanted(is_paused, outcome):
    dag = RunAnswer(dag=DagFacts("other", is_paused, True, "other.py"))

    result = trigger([dag, made()], fail_when_dag_is_paused=True).attempt()

    assert result.outcome is outcome
    assert not is_paused or "DagIsPaused: DAG 'other' is paused" in result.error


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"conf": {"a": datetime.now}}, "conf must be JSON"),
        ({"conf": "{not json"}, "conf must be JSON"),
        ({"conf": "[1]"}, "conf must be a dict"),
        ({"logical_date": 5}, "logical_date must be a datetime, a text, or None"),
        ({"logical_date": "soon"}, "soon"),
    ],
)
def test_what_cannot_be_triggered_fails(settings, error):
    result = trigger([], **settings).attempt()

    assert result.outcome is Outcome.FAILED
    assert error in result.error


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"run_after": 5}, "run_after must be a datetime, a text, or None"),
        ({"allowed_states": ["done"]}, "allowed_states 'done' does not exist"),
        ({"failed_states": ["skipped"]}, "It must be one of queued, running, success, failed"),
        ({"trigger_dag": "x"}, "Did you mean 'trigger_dag_id'"),
    ],
)
def test_wrong_arguments_of_a_trigger_are_refused_when_the_file_is_read(settings, words):
    with pytest.raises(DagArgumentError, match=words):
        trigger([], **settings)


def test_a_trial_run_triggers_nothing_and_goes_on(caplog):
    with DAG("d") as dag:
        TriggerDagRunOperator(task_id="t", trigger_dag_id="other", wait_for_completion=True, poke_interval=0)
        TriggerDagRunOperator(task_id="u", trigger_dag_id="other", trigger_run_id="x")
        TriggerDagRunOperator(task_id="v", trigger_dag_id="other", trigger_run_id="x", skip_when_already_exists=True)
    rehearsal = Rehearsal(dag)

    outcomes = [result.outcome for result in rehearsal.all().values()]

    assert outcomes == [Outcome.SUCCESS, Outcome.SUCCESS, Outcome.SKIPPED]
    assert "No run of DAG other is started from here" in caplog.text
