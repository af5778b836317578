"""How does a task start a run of another DAG? ``TriggerDagRunOperator``: asks for it, and may wait until it ends."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Unpack

from tradewind.sdk import arguments, reach
from tradewind.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operator_arguments import OperatorArguments
from tradewind.sdk.operator_links import BaseOperatorLink, TriggerDagRunLink
from tradewind.sdk.run_questions import TriggerRun
from tradewind.sdk.sensors.deferring import deferrable_or_default
from tradewind.sdk.states import DagRunState
from tradewind.sdk.task_instance import NOTSET

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

XCOM_RUN_ID: Final = "trigger_run_id"
"""Under which XCom the id of the triggered run is left; the key is Airflow's."""


class DagIsPaused(AirflowException):
    """A DAG that was to be triggered is paused."""

    def __init__(self, dag_id: str) -> None:
        super().__init__(f"DAG {dag_id!r} is paused. Unpause it, or trigger it without fail_when_dag_is_paused.")
        self.dag_id = dag_id

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.dag_id,))


class TriggerDagRunOperator(BaseOperator):
    """Creates a run of another DAG.

    Args:
        trigger_dag_id: the DAG; a template.
        trigger_run_id: the id of the run; a template. None: one is made.
        conf: of the run: a dict, or JSON text; a template.
        logical_date: of the run: a datetime or text; a template. Not given: now; None: a run without one.
        run_after: when the run is due, and not started before: a datetime or text.
        reset_dag_run: when there is such a run already, and it has ended, run it again, with the conf that it had.
        wait_for_completion: end only when the run is in one of ``allowed_states``; a template.
        poke_interval: seconds between two looks at it.
        allowed_states, failed_states: of the run, when it is waited for; success and failed by default.
        skip_when_already_exists: end as skipped when there is such a run already; else the task fails for good. A
            template.
        fail_when_dag_is_paused: fail with :class:`DagIsPaused` instead of triggering a DAG that is paused.
        note: of the run.
        deferrable: wait without a slot.
        openlineage_inject_parent_info: changes nothing: there is no lineage to pass on.
    """

    template_fields: Sequence[str] = (
        "trigger_dag_id",
        "trigger_run_id",
        "logical_date",
        "conf",
        "wait_for_completion",
        "skip_when_already_exists",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"conf": "py"}
    ui_color = "#ffefeb"
    operator_extra_links: Collection[BaseOperatorLink] = (TriggerDagRunLink(),)

    def __init__(
        self,
        *,
        trigger_dag_id: str,
        trigger_run_id: str | None = None,
        conf: dict[str, Any] | str | None = None,
        logical_date: Any = NOTSET,
        run_after: Any = NOTSET,
        reset_dag_run: bool = False,
        wait_for_completion: bool = False,
        poke_interval: float = 60,
        allowed_states: Iterable[str] | None = None,
        failed_states: Iterable[str] | None = None,
        skip_when_already_exists: bool = False,
        fail_when_dag_is_paused: bool = False,
        note: str | None = None,
        deferrable: bool | None = None,
        openlineage_inject_parent_info: bool = True,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.trigger_dag_id = trigger_dag_id
        self.trigger_run_id = trigger_run_id
        self.conf: Any = conf
        self.logical_date = logical_date
        self.run_after = _check_date(self.who, "run_after", run_after)
        self.reset_dag_run = reset_dag_run
        self.wait_for_completion = wait_for_completion
        self.poke_interval = poke_interval
        self.allowed_states = self._states("allowed_states", allowed_states or ["success"])
        self.failed_states = self._states("failed_states", ["failed"] if failed_states is None else failed_states)
        self.skip_when_already_exists = skip_when_already_exists
        self.fail_when_dag_is_paused = fail_when_dag_is_paused
        self.note = note
        self.deferrable = deferrable_or_default(deferrable)
        self.openlineage_inject_parent_info = openlineage_inject_parent_info

    def _states(self, name: str, given: Iterable[str]) -> list[str]:
        check = arguments.one_of(DagRunState)
        return [check(self.who, name, state) for state in given]

    def execute(self, context: Context) -> None:
        """Create the run, and wait for it when that is wanted.

        Raises:
            AirflowSkipException: there is such a run, and ``skip_when_already_exists`` is set.
            AirflowFailException: there is one, and it is not.
            DagIsPaused: the DAG is paused, and ``fail_when_dag_is_paused`` is set.
            AirflowException: the run that is waited for has reached one of ``failed_states``.
        """
        if self.fail_when_dag_is_paused and context["ti"].get_dag(self.trigger_dag_id).is_paused:
            raise DagIsPaused(self.trigger_dag_id)
        self.trigger_run_id = run_id = self._trigger()
        context["ti"].xcom_push(key=XCOM_RUN_ID, value=run_id)
        if not self.wait_for_completion:
            return
        if self.deferrable:
            # Late: triggers are asyncio code that a DAG file which only names an operator has no use for.
            from tradewind.sdk.triggers.external_task import DagStateTrigger

            self.defer(
                trigger=DagStateTrigger(
                    dag_id=self.trigger_dag_id,
                    states=[*self.allowed_states, *self.failed_states],
                    run_ids=[run_id],
                    poll_interval=self.poke_interval,
                ),
                method_name="execute_complete",
            )
        while True:
            self.log.info("Waiting for run %s of DAG %s", run_id, self.trigger_dag_id)
            time.sleep(self.poke_interval)
            if self._is_over(run_id, context["ti"].get_dagrun_state(self.trigger_dag_id, run_id)):
                return

    def execute_complete(self, context: Context, event: Sequence[Any]) -> None:
        """Go on when the trigger has seen the run end; ``event`` is the trigger's class path and what it says."""
        _, said = event
        for run_id in said["run_ids"]:
            self.trigger_run_id = run_id
            self._is_over(run_id, said.get(run_id))

    def _is_over(self, run_id: str, state: str | None) -> bool:
        if state in self.failed_states:
            raise AirflowException(f"{self.who}: run {run_id!r} of DAG {self.trigger_dag_id!r} is {state}.")
        if state in self.allowed_states:
            self.log.info("Run %s of DAG %s is %s", run_id, self.trigger_dag_id, state)
            return True
        return False

    def _trigger(self) -> str:
        logical_date, run_after = self._dates()
        asked = TriggerRun(
            self.trigger_dag_id,
            str(self.trigger_run_id) if self.trigger_run_id else _run_id(logical_date, run_after),
            logical_date,
            run_after,
            self._conf(),
            self.note,
            self.reset_dag_run,
        )
        self.log.info("Triggering DAG %s", self.trigger_dag_id)
        found = reach.channel("TriggerDagRunOperator").ask_about_runs(asked).triggered
        assert found is not None
        if found.is_new:
            return found.run_id
        there = f"{self.who}: DAG {self.trigger_dag_id!r} has run {found.run_id!r} already"
        if self.skip_when_already_exists:
            raise AirflowSkipException(f"{there}, and skip_when_already_exists is set.")
        raise AirflowFailException(
            f"{there}. Give another trigger_run_id or logical_date, or set reset_dag_run or skip_when_already_exists."
        )

    def _dates(self) -> tuple[datetime | None, datetime | None]:
        given = _check_date(self.who, "logical_date", self.logical_date)
        run_after = None if self.run_after is NOTSET else _parsed(self.run_after)
        if given is NOTSET:
            return (datetime.now(UTC) if self.run_after is NOTSET else None), run_after
        return _parsed(given), run_after

    def _conf(self) -> dict[str, Any]:
        conf = self.conf
        try:
            if isinstance(conf, str) and conf:
                conf = json.loads(conf)
            json.dumps(conf)
        except (TypeError, ValueError):
            raise ValueError(f"{self.who}: conf must be JSON, and {self.conf!r} is not.") from None
        if conf and not isinstance(conf, dict):
            raise ValueError(f"{self.who}: conf must be a dict, not {conf!r}.")
        return conf or {}


def _run_id(logical_date: datetime | None, run_after: datetime | None) -> str:
    """Return the name of a run as Airflow makes it here: that of a run by hand."""
    name = f"manual__{(run_after or logical_date or datetime.now(UTC)).astimezone(UTC).isoformat()}"
    return name if logical_date is not None else f"{name}_{secrets.token_hex(4)}"


def _check_date(who: str, name: str, value: Any) -> Any:
    if value is NOTSET or value is None or isinstance(value, str | datetime):
        return value
    raise arguments.wrong(who, name, value, "a datetime, a text, or None")


def _parsed(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        if value is not None and value.tzinfo is None:
            raise ValueError(f"The date {value.isoformat()} has no time zone. Give it one, e.g. with tzinfo=UTC.")
        return value
    # Late: Airflow's helpers for instants are needed here only.
    from tradewind.compat.timezone import parse

    return parse(value)
