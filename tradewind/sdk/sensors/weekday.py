"""Is it the right day of the week yet? ``DayOfWeekSensor``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Unpack

from tradewind.sdk.sensors.arguments import SensorArguments
from tradewind.sdk.sensors.base import BaseSensorOperator
from tradewind.sdk.weekday import WeekDay

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class DayOfWeekSensor(BaseSensorOperator):
    """Waits for a day of the week, in UTC.

    Args:
        week_day: name of a day, ``WeekDay``, or several.
        use_task_logical_date: look at the run's logical date (``run_after`` where it has none) instead of at today.
    """

    def __init__(
        self,
        *,
        week_day: str | Iterable[str] | WeekDay | Iterable[WeekDay],
        use_task_logical_date: bool = False,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date
        self._week_day_num = WeekDay.validate_week_day(week_day)

    def poke(self, context: Context) -> bool:
        """Return whether it is one of the days."""
        day: Any = datetime.now(UTC)
        if self.use_task_logical_date:
            day = context.get("logical_date") or context["dag_run"].run_after
        self.log.info("Poking until weekday is in %s, the day is %s", self.week_day, WeekDay(day.isoweekday()).name)
        return day.isoweekday() in self._week_day_num
