"""Has another DAG got so far? ``ExternalTaskSensor``: waits for its run, for tasks of it, or for a group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Unpack

from tradewind.sdk import arguments
from tradewind.sdk.context_values import Context
from tradewind.sdk.exceptions import AirflowException, AirflowSkipException, DagArgumentError
from tradewind.sdk.operator_arguments import OperatorArguments
from tradewind.sdk.operator_links import BaseOperatorLink, ExternalDagLink
from tradewind.sdk.operators.empty import EmptyOperator
from tradewind.sdk.operators.python import call, keyword_arguments
from tradewind.sdk.sensors.arguments import SensorArguments
from tradewind.sdk.sensors.base import BaseSensorOperator
from tradewind.sdk.sensors.deferring import deferrable_or_default
from tradewind.sdk.sensors.external_errors import (
    AirflowExternalTaskSensorException,
    DuplicateStateError,
    ExternalDagDeletedError,
    ExternalDagFailedError,
    ExternalDagNotFoundError,
    ExternalTaskFailedError,
    ExternalTaskGroupFailedError,
    ExternalTaskGroupNotFoundError,
    ExternalTaskNotFoundError,
)
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.states import DagRunState, TaskInstanceState
from tradewind.sdk.xcom_arg import XComArg

if TYPE_CHECKING:
    from tradewind.sdk.task_instance import RunningTask

_NO_STATE: Final = "null"
"""How questions name the state of a task that has none yet; DAG files say None."""
_TASK_STATES: Final = frozenset(state.value for state in TaskInstanceState) | {_NO_STATE}
_RUN_STATES: Final = frozenset(state.value for state in DagRunState)


class ExternalTaskSensor(BaseSensorOperator):
    """Waits until a run of another DAG, tasks of it or a group of it are in an allowed state.

    The run is that of the same logical date (``run_after`` where this run has none), unless one of the two arguments
    about dates says otherwise.

    Args:
        external_dag_id: the DAG to wait for; a template, as the three that follow.
        external_task_id, external_task_ids, external_task_group_id: what of it to wait for, one of the three at most;
            None: for the whole run.
        allowed_states: what to wait for; ``["success"]`` by default.
        skipped_states: states that end the waiting with a skip; none by default.
        failed_states: states that end it with a failure, or a skip under ``soft_fail``; none by default, so that the
            other DAG can be mended meanwhile.
        execution_delta: how much earlier the logical date to look at is.
        execution_date_fn: takes the logical date, and by name what it wants of the context; returns the logical date to
            look at, or a list of them that are all waited for.
        check_existence: fail at once when there is no such DAG, task or group.
        poll_interval: the old name of ``poke_interval``.
        deferrable: wait without a slot.
    """

    template_fields: Sequence[str] = (
        "external_dag_id",
        "external_task_id",
        "external_task_ids",
        "external_task_group_id",
    )
    ui_color = "#4db7db"
    operator_extra_links: Collection[BaseOperatorLink] = (ExternalDagLink(),)

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        allowed_states: Iterable[str | None] | None = None,
        skipped_states: Iterable[str | None] | None = None,
        failed_states: Iterable[str | None] | None = None,
        execution_delta: timedelta | None = None,
        execution_date_fn: Callable[..., Any] | None = None,
        check_existence: bool = False,
        poll_interval: float | None = None,
        deferrable: bool | None = None,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        if poll_interval is not None:
            kwargs.setdefault("poke_interval", poll_interval)
        super().__init__(**kwargs)
        if poll_interval is not None:
            arguments.renamed(self.who, "poll_interval", "poke_interval")
        self.allowed_states = _names(allowed_states or ["success"])
        self.skipped_states = _names(skipped_states or ())
        self.failed_states = _names(failed_states or ())
        given = {
            "external_task_id": external_task_id is not None,
            "external_task_ids": bool(external_task_ids) or _is_output(external_task_ids),
            "external_task_group_id": external_task_group_id is not None,
        }
        self._check_one_of(given)
        if external_task_id is not None:
            external_task_ids = [external_task_id]
        self._check_states(_TASK_STATES if any(given.values()) else _RUN_STATES)
        if execution_delta is not None and execution_date_fn is not None:
            raise DagArgumentError(
                f"{self.who}: execution_delta and execution_date_fn exclude each other. Remove one of them."
            )
        self.execution_delta = execution_delta
        self.execution_date_fn = execution_date_fn
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        self.external_task_ids: Any = external_task_ids if any(given.values()) else None
        self.external_task_group_id = external_task_group_id
        self.check_existence = check_existence
        self.deferrable = deferrable_or_default(deferrable)
        self.external_dates_filter: str | None = None
        self._exists = False

    def _check_one_of(self, given: dict[str, bool]) -> None:
        names = [name for name, is_given in given.items() if is_given]
        if len(names) > 1:
            raise DagArgumentError(f"{self.who}: {' and '.join(names)} exclude each other. Keep one of them.")

    def _check_states(self, known: frozenset[str]) -> None:
        states = [*self.allowed_states, *self.skipped_states, *self.failed_states]
        twice = sorted({state for state in states if states.count(state) > 1})
        if twice:
            raise DuplicateStateError(
                f"{self.who}: the state {twice[0]!r} stands more than once in allowed_states, skipped_states and "
                "failed_states. Name it once."
            )
        strange = [state for state in states if state not in known]
        if strange:
            what = "a run" if known is _RUN_STATES else "a task"
            raise DagArgumentError(
                f"{self.who}: {strange[0]!r} is no state of {what}. It can be {', '.join(sorted(known))}."
            )

    # --- what to look at -------------------------------------------------------------------------

    def logical_dates(self, context: Context) -> list[datetime]:
        """Return the logical dates of the runs to look at."""
        date: datetime = context.get("logical_date") or context["dag_run"].run_after
        if self.execution_delta:
            return [date - self.execution_delta]
        if self.execution_date_fn:
            found = call(self.execution_date_fn, [date], self._wanted_by_name(context))
            return list(found) if isinstance(found, list) else [found]
        return [date]

    def _wanted_by_name(self, context: Context) -> dict[str, Any]:
        """Return what ``execution_date_fn`` wants of the context beside the date, however that is called there."""
        assert self.execution_date_fn is not None
        known = Context.of(context).with_extra({"context": context})
        known.pop("logical_date", None)
        wanted = keyword_arguments(self.execution_date_fn, [], known, {})
        wanted.pop(next(iter(signature_of(self.execution_date_fn).parameters), ""), None)
        return wanted

    def _what(self) -> str:
        if self.external_task_ids:
            return f"tasks {list(self.external_task_ids)} of DAG {self.external_dag_id!r}"
        if self.external_task_group_id:
            return f"group {self.external_task_group_id!r} of DAG {self.external_dag_id!r}"
        return f"DAG {self.external_dag_id!r}"

    # --- looking ---------------------------------------------------------------------------------

    def poke(self, context: Context) -> bool:
        """Look once.

        Raises:
            AirflowSkipException: one is in a skipped state, or in a failed one under ``soft_fail``.
            AirflowExternalTaskSensorException: one is in a failed state, or does not exist.
        """
        ti: RunningTask = context["ti"]
        if self.external_task_ids and len(set(self.external_task_ids)) < len(self.external_task_ids):
            raise ValueError(f"{self.who}: external_task_ids names a task twice: {list(self.external_task_ids)}.")
        dates = self.logical_dates(context)
        self.external_dates_filter = ",".join(date.isoformat() for date in dates)
        self._check_existence(ti)
        self.log.info("Poking for %s on %s ...", self._what(), self.external_dates_filter)
        if self.failed_states and self._count(ti, dates, self.failed_states) > 0:
            self._fail()
        if self.skipped_states and self._count(ti, dates, self.skipped_states) > 0:
            raise AirflowSkipException(f"Skipped, since {self._what()} reached one of {self.skipped_states}.")
        return self._count(ti, dates, self.allowed_states) == len(dates)

    def _count(self, ti: RunningTask, dates: list[datetime], states: list[str]) -> float:
        """Return how many runs are there, as parts of one when only some of the tasks are."""
        if self.external_task_ids:
            ids = list(self.external_task_ids)
            found = ti.get_ti_count(self.external_dag_id, task_ids=ids, logical_dates=dates, states=states)
            return found / len(ids)
        if self.external_task_group_id:
            group = self.external_task_group_id
            runs = ti.get_task_states(self.external_dag_id, task_group_id=group, logical_dates=dates)
            return sum(all((state or _NO_STATE) in states for state in tasks.values()) for tasks in runs.values())
        return ti.get_dr_count(self.external_dag_id, logical_dates=dates, states=states)

    def _fail(self) -> None:
        text = f"{self._what()} reached one of {self.failed_states}"
        if self.soft_fail:
            raise AirflowSkipException(f"Skipped, since {text}, and soft_fail is set.")
        if self.external_task_ids:
            raise ExternalTaskFailedError(f"{self.who}: {text}.")
        if self.external_task_group_id:
            raise ExternalTaskGroupFailedError(f"{self.who}: {text}.")
        raise ExternalDagFailedError(f"{self.who}: {text}.")

    def _check_existence(self, ti: RunningTask) -> None:
        if not self.check_existence or self._exists:
            return
        try:
            self._must_exist(ti)
        except AirflowExternalTaskSensorException as error:
            if self.soft_fail:
                raise AirflowSkipException(f"{error} Skipped, since soft_fail is set.") from error
            raise
        self._exists = True

    def _must_exist(self, ti: RunningTask) -> None:
        try:
            dag = ti.get_dag(self.external_dag_id)
        except AirflowException as error:
            raise ExternalDagNotFoundError(f"{self.who}: {error}") from None
        if not dag.is_active:
            raise ExternalDagDeletedError(
                f"{self.who}: the DAG {dag.dag_id!r} is no longer defined by {dag.file_path!r}. Put its file back, or "
                "correct external_dag_id."
            )
        missing = [task for task in self.external_task_ids or () if task not in dag.task_ids]
        if missing:
            raise ExternalTaskNotFoundError(
                f"{self.who}: DAG {dag.dag_id!r} has no task {missing[0]!r}. It has {', '.join(dag.task_ids[:10])}."
            )
        if self.external_task_group_id and self.external_task_group_id not in dag.group_ids:
            raise ExternalTaskGroupNotFoundError(
                f"{self.who}: DAG {dag.dag_id!r} has no group {self.external_task_group_id!r}. "
                f"It has {', '.join(dag.group_ids[:10]) or 'none'}."
            )

    # --- without a slot --------------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Wait."""
        if not self.deferrable:
            super().execute(context)
            return
        self._check_existence(context["ti"])
        # Late: triggers are asyncio code that a DAG file which only names a sensor has no use for.
        from tradewind.sdk.triggers.external_task import WorkflowTrigger

        limit = self.timeout or (self.execution_timeout.total_seconds() if self.execution_timeout else None)
        self.defer(
            trigger=WorkflowTrigger(
                external_dag_id=self.external_dag_id,
                external_task_ids=self.external_task_ids,
                external_task_group_id=self.external_task_group_id,
                allowed_states=self.allowed_states,
                skipped_states=self.skipped_states,
                failed_states=self.failed_states,
                poke_interval=self.poke_interval,
                soft_fail=self.soft_fail,
                logical_dates=self.logical_dates(context),
            ),
            method_name="execute_complete",
            timeout=limit,
        )

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Go on when the trigger has seen how it stands."""
        if event is None:
            raise ExternalTaskNotFoundError(f"{self.who}: the trigger said nothing.")
        self.external_dates_filter = ",".join(date.isoformat() for date in self.logical_dates(context))
        status = event["status"]
        if status == "success":
            self.log.info("There: %s", self._what())
            return
        if status == "skipped":
            raise AirflowSkipException(f"Skipped, since {self._what()} reached one of {self.skipped_states}.")
        if self.soft_fail:
            raise AirflowSkipException(f"Skipped, since {self._what()} failed, and soft_fail is set.")
        if status == "failed":
            raise ExternalDagFailedError(f"{self.who}: {self._what()} reached one of {self.failed_states}.")
        raise ExternalTaskNotFoundError(f"{self.who}: the states of {self._what()} could not be found: {event}.")


class ExternalTaskMarker(EmptyOperator):
    """Says that a task of another DAG waits for this one. It does nothing by itself.

    Args:
        external_dag_id, external_task_id, logical_date: which task of which run; templates.
        recursion_depth: how far such marks are followed.
    """

    template_fields: Sequence[str] = ("external_dag_id", "external_task_id", "logical_date")
    ui_color = "#4db7db"
    operator_extra_links: Collection[BaseOperatorLink] = (ExternalDagLink(),)

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str,
        logical_date: str | datetime | None = "{{ logical_date.isoformat() }}",
        recursion_depth: int = 10,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        if isinstance(logical_date, datetime):
            logical_date = logical_date.isoformat()
        if not isinstance(logical_date, str):
            raise arguments.wrong(self.who, "logical_date", logical_date, "a text or a datetime")
        self.logical_date = logical_date
        if recursion_depth <= 0:
            raise arguments.wrong(self.who, "recursion_depth", recursion_depth, "a whole number of 1 or more")
        self.recursion_depth = recursion_depth


def _names(states: Iterable[str | None]) -> list[str]:
    return [_NO_STATE if state is None else str(state) for state in states]


def _is_output(value: Any) -> bool:
    return isinstance(value, XComArg)
