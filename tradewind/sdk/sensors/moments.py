"""Has the time come? Sensors of an instant, a time of day, and a span of time after the run's data or after now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from tradewind.sdk import arguments
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.sensors.arguments import SensorArguments
from tradewind.sdk.sensors.base import BaseSensorOperator
from tradewind.sdk.sensors.deferring import deferrable_or_default, wait_until

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class DateTimeSensor(BaseSensorOperator):
    """Waits until an instant.

    Args:
        target_time: a datetime or a text that names one, in UTC when it says no zone; a template.
    """

    template_fields: Sequence[str] = ("target_time",)

    def __init__(self, *, target_time: str | datetime, **kwargs: Unpack[SensorArguments]) -> None:
        super().__init__(**kwargs)
        self.target_time = target_time

    @property
    def moment(self) -> datetime:
        """The instant."""
        # Late: Airflow's helpers for instants are needed here only.
        from tradewind.compat.timezone import parse

        target = self.target_time
        if isinstance(target, datetime):
            return target if target.tzinfo is not None else target.replace(tzinfo=UTC)
        if isinstance(target, str):
            return parse(target)
        raise TypeError(f"{self.who}: target_time must be a text or a datetime, not {target!r}.")

    def poke(self, context: Context) -> bool:
        """Return whether the instant has passed."""
        self.log.info("Checking if the time (%s) has come", self.target_time)
        return datetime.now(UTC) > self.moment


class DateTimeSensorAsync(DateTimeSensor):
    """Waits until an instant, without a slot. ``start_from_trigger`` changes nothing: a task begins in a process."""

    def __init__(
        self,
        *,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start_from_trigger, self.end_from_trigger = start_from_trigger, end_from_trigger
        self.trigger_kwargs = trigger_kwargs

    def execute(self, context: Context) -> None:
        """Let go of the slot until then."""
        wait_until(self, self.moment, ends_task=self.end_from_trigger)

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """Do nothing: it is time."""


class TimeSensor(BaseSensorOperator):
    """Waits until a time of the day on which the task started.

    Args:
        target_time: in the DAG's time zone.
        deferrable: wait without a slot.
        start_from_trigger: the same; trigger_kwargs: changes nothing.
        end_from_trigger: with ``deferrable``: end without another process.
    """

    def __init__(
        self,
        *,
        target_time: clock_time,
        deferrable: bool | None = None,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(target_time, clock_time):
            raise arguments.wrong(self.who, "target_time", target_time, "a datetime.time such as time(6, 30)")
        self.target_time = target_time
        self.deferrable = deferrable_or_default(deferrable)
        self.start_from_trigger, self.end_from_trigger = start_from_trigger, end_from_trigger
        self.trigger_kwargs = trigger_kwargs
        self._started_at: datetime | None = None

    @cached_property
    def target_datetime(self) -> datetime:
        """The instant to wait for: of the day on which the try began, however long it waits."""
        zone = self.dag.timezone if self.dag is not None else UTC
        day = (self._started_at or datetime.now(UTC)).astimezone(zone)
        return datetime.combine(day, self.target_time, self.target_time.tzinfo or zone).astimezone(UTC)

    def execute(self, context: Context) -> Any:
        """Wait."""
        self._started_at = context["ti"].get_first_reschedule_date(context)
        if self.deferrable or self.start_from_trigger:
            wait_until(self, self.target_datetime, ends_task=self.end_from_trigger)
        super().execute(context)

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """Do nothing: it is time."""

    def poke(self, context: Context) -> bool:
        """Return whether the time has passed."""
        self.log.info("Checking if the time (%s) has come", self.target_datetime)
        return datetime.now(UTC) > self.target_datetime


class TimeDeltaSensor(BaseSensorOperator):
    """Waits until a span of time has passed since the end of the run's data interval.

    Args:
        delta: a timedelta; a number, or a template that gives one, is taken as minutes. Where a run has no data
            interval it is counted from its ``run_after``.
        deferrable: wait without a slot.
        end_from_trigger: with ``deferrable``: end without another process.
    """

    template_fields: Sequence[str] = ("delta",)

    def __init__(
        self,
        *,
        delta: timedelta | int,
        deferrable: bool | None = None,
        end_from_trigger: bool = False,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.delta = delta
        self.deferrable = deferrable_or_default(deferrable)
        self.end_from_trigger = end_from_trigger

    def target(self, context: Context) -> datetime:
        """Return the instant to wait for."""
        base: datetime | None = context.get("data_interval_end") or context["dag_run"].run_after
        if base is None:
            raise AirflowException(f"{self.who}: the run has neither a data interval nor a run_after.")
        return base + _in_minutes(self.delta)

    def poke(self, context: Context) -> bool:
        """Return whether the time has passed."""
        target = self.target(context)
        self.log.info("Checking if the time (%s) has come", target)
        return datetime.now(UTC) > target

    def execute(self, context: Context) -> Any:
        """Wait; with ``deferrable`` only when it is not time yet."""
        if not self.deferrable:
            return super().execute(context)
        target = self.target(context)
        if datetime.now(UTC) > target:
            return True
        wait_until(self, target, ends_task=self.end_from_trigger, timeout=self.timeout)

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """Do nothing: it is time."""


class WaitSensor(BaseSensorOperator):
    """Waits for a span of time, counted from the start of the task.

    Args:
        time_to_wait: a timedelta; a number, or a template that gives one, is taken as minutes.
        deferrable: wait without a slot.
    """

    template_fields: Sequence[str] = ("time_to_wait",)

    def __init__(
        self,
        *,
        time_to_wait: timedelta | int,
        deferrable: bool | None = None,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.time_to_wait = time_to_wait
        self.deferrable = deferrable_or_default(deferrable)

    def execute(self, context: Context) -> None:
        """Wait."""
        span = _in_minutes(self.time_to_wait)
        if self.deferrable:
            wait_until(self, datetime.now(UTC) + span, ends_task=True)
        time.sleep(int(span.total_seconds()))

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """Do nothing: it is time."""


def _in_minutes(span: Any) -> timedelta:
    return span if isinstance(span, timedelta) else timedelta(minutes=int(span))


class TimeSensorAsync(TimeSensor):
    """The old name of ``TimeSensor(deferrable=True)``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, deferrable=True)
        _old_name(self.who, "TimeSensor")


class TimeDeltaSensorAsync(TimeDeltaSensor):
    """The old name of ``TimeDeltaSensor(deferrable=True)``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, deferrable=True)
        _old_name(self.who, "TimeDeltaSensor")


def _old_name(who: str, new: str) -> None:
    arguments.warn_user(f"{who}: {new}Async is the old name of {new}(deferrable=True); write that", DeprecationWarning)
