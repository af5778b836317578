"""Do callbacks, notifiers, retry policies and deadlines mean in a DAG file what they mean in Airflow?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from scheduler.dagtest import run_dag_in_process
from scheduler.stored import Stored
from tests.authoring.support import Rehearsal, load, only
from tradewind import DAG, EmptyOperator, PythonOperator
from tradewind.errors import DagError
from tradewind.model.orders import AttemptOrder, CallbackOrder, Outcome
from tradewind.sdk.callback import AsyncCallback, SyncCallback
from tradewind.sdk.callback_run import run_callback
from tradewind.sdk.deadline import (
    BaseDeadlineReference,
    DeadlineAlert,
    DeadlineReference,
    VariableInterval,
    deadline_reference,
)
from tradewind.sdk.exceptions import AirflowFailException, AirflowSkipException
from tradewind.sdk.memory_channel import MemoryChannel, RunMemory
from tradewind.sdk.notifier import BaseNotifier
from tradewind.sdk.retry_policy import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryPolicy, RetryRule
from tradewind.sdk.serialize import to_spec

HOUR = timedelta(hours=1)
QUEUED = DeadlineReference.DAGRUN_QUEUED_AT
alert: Any = DeadlineAlert
"""Untyped, to be given what it must refuse."""


class Note(BaseNotifier):
    """Keeps what it was to tell."""

    template_fields = ("message", "to")

    def __init__(self, message: str, to: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message, self.to = message, to
        self.told: list[Any] = []

    def notify(self, context: Any) -> None:
        self.told.append((self.message, self.to))

    async def async_notify(self, context: Any) -> None:
        self.told.append(("async", self.message))


class NothingStored(Stored):
    """No metadata DB is looked for."""

    @property
    def plane(self) -> None:
        return None


# --- callbacks of tasks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "retries", "called"),
    [
        (None, 0, ["execute", "success"]),
        (ValueError("no"), 0, ["execute", "failure"]),
        (ValueError("no"), 1, ["execute", "retry"]),
        (AirflowFailException("no"), 1, ["execute", "failure"]),
        (AirflowSkipException("no"), 1, ["execute", "skipped"]),
    ],
)
def test_a_task_calls_back_by_how_it_ends_in_the_order_of_its_list(raised, retries, called):
    seen: list[tuple[str, Any, Any]] = []

    def note(kind):
        return [
            lambda context: seen.append((kind, context.get("exception"), context["ti"].state)),
            lambda context: 1 / 0,  # it is logged, and changes nothing
            lambda context: seen.append((f"{kind} again", context["try_number"], None)),
        ]

    def work():
        if raised is not None:
            raise raised

    kinds = ("execute", "success", "failure", "retry", "skipped")
    with DAG("d") as dag:
        PythonOperator(
            task_id="a", python_callable=work, retries=retries, **{f"on_{kind}_callback": note(kind) for kind in kinds}
        )

    Rehearsal(dag).attempt("a")

    assert [kind for kind, *_ in seen] == [word for kind in called for word in (kind, f"{kind} again")]
    assert seen[-2][1] is raised


def test_callbacks_of_a_run_are_called_by_dag_test_too(caplog):
    seen = []
    with DAG("d", on_success_callback=lambda c: seen.append((c["reason"], c["ti"].task_id, c["dag_run"].state))) as dag:
        EmptyOperator(task_id="a") >> PythonOperator(task_id="b", python_callable=lambda: 1)

    run_dag_in_process(dag, stored=NothingStored())

    assert seen == [("success", "b", "success")]


def test_a_failed_run_calls_back_with_the_task_that_failed():
    seen = []
    with DAG("d", on_failure_callback=lambda c: seen.append((c["reason"], c["ti"].task_id, c["ti"].state))) as dag:
        PythonOperator(task_id="a", python_callable=lambda: 1 / 0) >> EmptyOperator(task_id="b")

    run_dag_in_process(dag, stored=NothingStored())

    assert seen == [("task_failure", "a", "failed")]


# --- notifiers -------------------------------------------------------------------------------------------------------


def test_a_notifier_renders_its_fields_anew_at_each_call():
    note = Note("{{ ti.task_id }} of {{ dag.dag_id }}", to=["{{ ds }}@example.org"])
    with DAG("d", default_args={"on_success_callback": note}) as dag:
        EmptyOperator(task_id="a")
        EmptyOperator(task_id="b")

    Rehearsal(dag).all()

    assert note.told == [("a of d", ["2024-03-05@example.org"]), ("b of d", ["2024-03-05@example.org"])]


def test_a_notifier_can_be_awaited_and_called_without_a_dag():
    note = Note("{{ name }}!", context={"name": "Ann"})

    async def wait() -> None:
        await note

    asyncio.run(wait())
    note({"name": "Bob"})

    assert note.told == [("async", "Ann!"), ("Bob!", None)]


def test_a_notifier_that_cannot_do_what_is_asked_says_so():
    class Silent(BaseNotifier):
        pass

    with pytest.raises(NotImplementedError, match="notifier Silent has no notify"):
        Silent()({})


# --- retry policies --------------------------------------------------------------------------------------------------

RULES = ExceptionRetryPolicy(
    [
        RetryRule(KeyError, RetryAction.FAIL, match_subclasses=False),
        RetryRule("builtins.LookupError", RetryAction.RETRY, timedelta(seconds=7), "it comes and goes"),
        RetryRule(["no.such.Error", ZeroDivisionError], RetryAction.DEFAULT),
    ],
    default=RetryAction.FAIL,
)


@pytest.mark.parametrize(
    ("raised", "may_retry", "delay"),
    [
        (KeyError("x"), False, None),
        (IndexError("x"), True, 7.0),
        (ZeroDivisionError("x"), True, None),
        (ValueError("x"), False, None),
        (AirflowFailException("x"), False, None),
    ],
)
def test_a_retry_policy_decides_by_the_exception(raised, may_retry, delay):
    def work():
        raise raised

    with DAG("d") as dag:
        PythonOperator(task_id="a", python_callable=work, retries=2, retry_policy=RULES)

    result = Rehearsal(dag).attempt("a")

    assert (result.outcome, result.may_retry) == (Outcome.FAILED, may_retry)
    assert (result.then.retry_delay_seconds if result.then else None) == delay


def test_a_policy_that_fails_itself_is_as_none():
    class Broken(RetryPolicy):
        def evaluate(self, exception, try_number, max_tries, context=None):
            assert (try_number, max_tries, context["ti"].task_id) == (1, 2, "a")
            raise RuntimeError("broken")

    with DAG("d") as dag:
        PythonOperator(task_id="a", python_callable=lambda: 1 / 0, retries=2, retry_policy=Broken())

    assert Rehearsal(dag).attempt("a").may_retry


def test_a_policy_can_be_written_down_and_read_back():
    again = ExceptionRetryPolicy.deserialize(RULES.serialize())

    assert again.serialize() == RULES.serialize()
    assert again.evaluate(IndexError(), 1, 2) == RetryDecision.retry(timedelta(seconds=7), "it comes and goes")


@pytest.mark.parametrize("wrong", [3, ExceptionRetryPolicy, object()])
def test_what_is_no_retry_policy_is_refused(wrong):
    with pytest.raises(DagError, match="retry_policy must be a RetryPolicy"):
        EmptyOperator(task_id="a", retry_policy=wrong)


def test_a_rule_without_a_dotted_path_is_refused():
    with pytest.raises(ValueError, match="no dotted path"):
        RetryRule("ValueError")


# --- mails -----------------------------------------------------------------------------------------------------------

SENT: list[tuple[Any, str, str]] = []


def keep_mail(to: Any, subject: str, text: str, **_: Any) -> None:
    """Stands where ``[email] email_backend`` points to."""
    SENT.append((to, subject, text))


@pytest.mark.parametrize(
    ("try_number", "arguments", "is_sent"),
    [
        (1, {}, True),
        (2, {}, True),
        (1, {"email_on_retry": False}, False),
        (2, {"email_on_failure": False}, False),
        (2, {"email": None}, False),
    ],
)
def test_a_failure_is_mailed_to_those_whom_the_task_names(monkeypatch, try_number, arguments, is_sent):
    monkeypatch.setenv("AIRFLOW__EMAIL__EMAIL_BACKEND", f"{__name__}.keep_mail")
    SENT.clear()
    with DAG("d") as dag:
        given = {"email": "ann@example.org; bob@example.org", "retries": 1, **arguments}
        PythonOperator(task_id="a", python_callable=lambda: int("<key>"), **given)

    Rehearsal(dag).attempt("a", try_number)

    assert bool(SENT) is is_sent
    for to, subject, text in SENT:
        assert to == ["ann@example.org", "bob@example.org"]
        assert subject == "Tradewind: d.a of run manual__1 failed"
        assert f"Try {try_number} of 2" in text
        assert "&lt;key&gt;" in text


def test_a_mail_that_cannot_be_sent_leaves_the_end_as_it_is(caplog):
    with DAG("d") as dag:
        PythonOperator(task_id="a", python_callable=lambda: 1 / 0, email="ann@example.org")

    result = Rehearsal(dag).attempt("a")

    assert result.error == "ZeroDivisionError: division by zero"
    assert "smtp_default" in caplog.text


# --- deadlines -------------------------------------------------------------------------------------------------------


def shout(context: Any) -> None:
    raise AssertionError("nobody calls it here")


async def whisper() -> None:
    raise AssertionError("nobody calls it here")


def test_deadlines_become_plain_data():
    alerts = [
        DeadlineAlert(DeadlineReference.DAGRUN_LOGICAL_DATE, HOUR, SyncCallback(shout), name="by the hour"),
        DeadlineAlert(DeadlineReference.FIXED_DATETIME(datetime(2026, 1, 1, tzinfo=UTC)), HOUR, AsyncCallback(whisper)),
        DeadlineAlert(DeadlineReference.AVERAGE_RUNTIME(max_runs=5, min_runs=2), HOUR, AsyncCallback(whisper)),
        DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, VariableInterval("seconds"), AsyncCallback("a.b.c")),
    ]

    by_date, fixed, average, variable = to_spec(DAG("d", deadline=alerts)).deadlines

    assert (by_date.reference, by_date.interval_seconds, by_date.name) == ("logical_date", 3600, "by the hour")
    assert by_date.callback == f"{__name__}.shout"
    assert (fixed.reference, fixed.at) == ("fixed", "2026-01-01T00:00:00+00:00")
    assert (average.max_runs, average.min_runs, average.needs_process) == (5, 2, False)
    assert (variable.interval_seconds, variable.needs_process) == (None, True)


@pytest.mark.parametrize("wrong", [shout, [SyncCallback(shout)], HOUR])
def test_what_is_no_alert_is_refused(wrong):
    with pytest.raises(DagError, match="deadline must be a DeadlineAlert"):
        DAG("d", deadline=wrong)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: AsyncCallback(shout), AttributeError, "cannot be awaited"),
        (lambda: SyncCallback("not a path"), ImportError, "neither a function nor the dotted path"),
        (lambda: SyncCallback("json.decoder"), AttributeError, "not callable"),
        (lambda: SyncCallback(shout, {"context": 1}), ValueError, "given to every callback"),
        (lambda: alert(QUEUED, HOUR, shout), DagError, "Write SyncCallback"),
        (lambda: alert("yesterday", HOUR, SyncCallback(shout)), DagError, "reference must be"),
        (lambda: alert(QUEUED, 60, SyncCallback(shout)), DagError, "interval must"),
        (lambda: DeadlineReference.AVERAGE_RUNTIME(min_runs=0), ValueError, "min_runs must be at least 1"),
    ],
)
def test_a_deadline_that_cannot_be_meant_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_a_reference_of_ones_own_is_known_by_its_name():
    @deadline_reference()
    class Noon(BaseDeadlineReference):
        required_kwargs = {"dag_id"}  # noqa: RUF012  as users write it

        def _evaluate_with(self, *, session=None, **kwargs):
            return datetime(2026, 1, 1, 12, tzinfo=UTC)

    assert type(DeadlineReference.Noon) is Noon  # type: ignore[attr-defined]
    noon = DeadlineAlert(Noon(), HOUR, SyncCallback(shout))
    assert to_spec(DAG("d", deadline=noon)).deadlines[0].reference == "own"
    with pytest.raises(TypeError, match="without arguments"):

        @deadline_reference
        class Late(BaseDeadlineReference):
            def __init__(self, hours):
                self.hours = hours


def run_order(run: Rehearsal) -> AttemptOrder:
    """Return the order of a call that is about the run as a whole."""
    return AttemptOrder(
        UUID(int=1), 1, 1, run.dag.dag_id, run.run_id, "", -1, 0, 1, "dag.py", 1, "", "manual", datetime.now(UTC)
    )


def test_the_instant_of_a_deadline_is_worked_out_where_user_code_may_run():
    class Noon(BaseDeadlineReference):
        required_kwargs = {"run_id"}  # noqa: RUF012  as users write it

        def _evaluate_with(self, *, session=None, **asked):
            assert (session, asked) == (None, {"run_id": "manual__1"})
            return datetime(2026, 1, 1, 12)  # in the time zone of the DAG

    callback = SyncCallback(shout)
    alerts = [DeadlineAlert(Noon(), HOUR, callback), DeadlineAlert(QUEUED, VariableInterval("seconds"), callback)]
    run = Rehearsal(DAG("d", deadline=alerts), memory=RunMemory(variables={"seconds": "90"}))

    def reckon(number: int, base: datetime | None) -> datetime | None:
        payload = {"number": number, "base": None if base is None else base.isoformat()}
        order = msgspec.structs.replace(run_order(run), callback=CallbackOrder(1, "reckoning", payload))
        result = run_callback(run.dag, order, MemoryChannel(order, run.memory, run.policy), in_process=True)
        assert result.outcome is Outcome.SUCCESS, result.error
        return result.then.resume_at if result.then else None

    assert reckon(0, None) == datetime(2026, 1, 1, 13, tzinfo=UTC)
    assert reckon(1, datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)


def test_airflows_names_lead_here(tmp_path):
    from tradewind import compat

    assert compat.install()
    dag = only(
        load(
            tmp_path,
            """
            from datetime import timedelta
            from airflow.sdk import DAG, AsyncCallback, BaseNotifier, DeadlineAlert, DeadlineReference, SyncCallback
            from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
            from airflow.sdk.definitions.deadline import DeadlineAlert as Same
            from airflow.notifications.basenotifier import BaseNotifier as Older
            from airflow.plugins_manager import AirflowPlugin
            from airflow.listeners import hookimpl
            from airflow.exceptions import AirflowClusterPolicyViolation
            assert Same is DeadlineAlert and Older is BaseNotifier
            def f(): ...
            DAG_ = DAG("d", deadline=DeadlineAlert(
                reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(1), callback=SyncCallback(f)))
            """,
        )
    )
    assert to_spec(dag).deadlines[0].callback == "f"
