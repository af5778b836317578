"""How does a sensor wait without a slot? In the triggerer; what the sensors share on the way there."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

from tradewind.sdk import defaults

if TYPE_CHECKING:
    from tradewind.sdk.sensors.base import BaseSensorOperator


def deferrable_or_default(given: bool | None) -> bool:
    """Return what the DAG file says, else ``[operators] default_deferrable``."""
    return defaults.current().deferrable if given is None else given


def wait_until(
    sensor: BaseSensorOperator, moment: datetime, *, ends_task: bool, timeout: float | None = None
) -> NoReturn:
    """Let go of the slot until ``moment``.

    Args:
        ends_task: the task succeeds then without another process; else its ``execute_complete`` is called.
        timeout: seconds after which the task fails instead.
    """
    # Late: triggers are asyncio code that a DAG file which only names a sensor has no use for.
    from tradewind.sdk.triggers.temporal import DateTimeTrigger

    sensor.defer(
        trigger=DateTimeTrigger(moment=moment, end_from_trigger=ends_task),
        method_name="execute_complete",
        timeout=timeout,
    )
