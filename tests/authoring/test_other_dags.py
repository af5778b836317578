"""What does a task say and hear of other DAGs? Sensors of them, triggers of runs, and what ``ti`` can be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.authoring.support import DAY, Rehearsal
from tradewind.model.orders import Outcome, Resumption
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowException, DagArgumentError
from tradewind.sdk.execution import run_task
from tradewind.sdk.memory_channel import MemoryChannel
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.operators.trigger_dagrun import TriggerDagRunOperator
from tradewind.sdk.run_questions import (
    CountRuns,
    CountTasks,
    DagFacts,
    FindDag,
    FindPreviousRun,
    FindPreviousTask,
    FindRun,
    ListTasks,
    RunAnswer,
    RunFacts,
    RunQuestion,
    TaskFacts,
    Triggered,
    TriggerRun,
)
from tradewind.sdk.sensors.external_errors import DuplicateStateError
from tradewind.sdk.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor
from tradewind.sdk.task_instance import RunningTask
from tradewind.xcom import decode
from tradewind.xcom.event_text import Said, write_event

FAST: Any = {"poke_interval": 0, "timeout": 0}


@dataclass
class Scripted:
    """One task, whose questions about runs get the answers of a script. The real answers have their own tests."""

    dag: DAG
    answers: list[RunAnswer]
    asked: list[Any] = field(default_factory=list)
    logical_date: datetime | None = DAY

    def attempt(self, **settings: Any) -> Any:
        rehearsal = Rehearsal(self.dag, logical_date=self.logical_date)
        order = rehearsal.order("t", **settings)
        channel = MemoryChannel(order, rehearsal.memory)
        channel.ask_about_runs = self.answer  # type: ignore[method-assign]
        result = run_task(self.dag, self.dag.get_task("t"), order, channel)
        rehearsal.memory.keep(order, result.xcoms)
        self.xcoms = rehearsal.xcoms("t")
        return result

    def answer(self, question: RunQuestion) -> RunAnswer:
        self.asked.append(question)
        return self.answers.pop(0)


def counts(*numbers: int) -> list[RunAnswer]:
    return [RunAnswer(count=number) for number in numbers]


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


DAG_OTHER = DagFacts("other", False, True, "other.py", ("a", "b"), ("g",))


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


# --- triggering runs ---


def trigger(answers: list[RunAnswer], **settings: Any) -> Scripted:
    with DAG("d") as dag:
        TriggerDagRunOperator(task_id="t", trigger_dag_id="other", poke_interval=0, **settings)
    return Scripted(dag, answers)


def made(run_id: str = "r", is_new: bool = True) -> RunAnswer:
    return RunAnswer(triggered=Triggered(run_id, is_new))


def in_state(state: str) -> RunAnswer:
    return RunAnswer(run=RunFacts("other", "r", "operator_triggered", state, DAY))


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
