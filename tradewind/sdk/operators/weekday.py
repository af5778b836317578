"""Is it the right day of the week? ``BranchDayOfWeekOperator``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Unpack

from tradewind.sdk.operator_arguments import OperatorArguments
from tradewind.sdk.operators.branch import BaseBranchOperator, Choice
from tradewind.sdk.weekday import WeekDay

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class BranchDayOfWeekOperator(BaseBranchOperator):
    """Follows one way on some days of the week, another on the rest.

    Args:
        follow_task_ids_if_true, follow_task_ids_if_false: ids of tasks or groups, one or several.
        week_day: name of a day, ``WeekDay``, or several.
        use_task_logical_date: look at the run's logical date (``run_after`` where it has none), in UTC; False: at today
            in the DAG's time zone.
    """

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        week_day: str | Iterable[str] | WeekDay | Iterable[WeekDay],
        use_task_logical_date: bool = False,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date
        self._week_day_num = WeekDay.validate_week_day(week_day)

    def choose_branch(self, context: Context) -> Choice:
        """Return the way for the day."""
        if self.isoweekday(context) in self._week_day_num:
            return self.follow_task_ids_if_true
        return self.follow_task_ids_if_false

    def isoweekday(self, context: Context) -> int:
        """Return the day to look at, 1 for Monday."""
        now: Any
        if self.use_task_logical_date:
            now = context.get("logical_date") or context["dag_run"].run_after
        else:
            now = datetime.now(UTC).astimezone(self.dag.timezone if self.dag else UTC)
        number: int = now.isoweekday()
        return number
