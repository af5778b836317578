"""Is it the right time? ``BranchDateTimeOperator``: inside of two bounds one way, outside another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.operator_arguments import OperatorArguments
from tradewind.sdk.operators.branch import BaseBranchOperator, Choice

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

Bound = dt.datetime | dt.time | None


class BranchDateTimeOperator(BaseBranchOperator):
    """Follows one way between two instants, another before and after.

    Args:
        follow_task_ids_if_true, follow_task_ids_if_false: ids of tasks or groups, one or several.
        target_lower, target_upper: the bounds, both inclusive; a ``datetime.time`` means that time of the day that is
            looked at, and an upper time before the lower one that of the next day. One of them may be None. Without a
            time zone they are in the DAG's.
        use_task_logical_date: look at the run's logical date (``run_after`` where it has none) instead of at now.
    """

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        target_lower: Bound,
        target_upper: Bound,
        use_task_logical_date: bool = False,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(**kwargs)
        if target_lower is None and target_upper is None:
            raise AirflowException(f"{self.who}: target_lower and target_upper are both None. Give at least one.")
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.target_lower, self.target_upper = target_lower, target_upper
        self.use_task_logical_date = use_task_logical_date

    def choose_branch(self, context: Context) -> Choice:
        """Return the way for the instant."""
        now: Any
        if self.use_task_logical_date:
            now = context.get("logical_date") or context["dag_run"].run_after
        else:
            now = dt.datetime.now(dt.UTC)
        zone = self.dag.timezone if self.dag else dt.UTC
        lower, upper = target_times_as_dates(now, self.target_lower, self.target_upper)
        if (upper is not None and _aware(upper, zone) < now) or (lower is not None and _aware(lower, zone) > now):
            return self.follow_task_ids_if_false
        return self.follow_task_ids_if_true


def target_times_as_dates(
    base_date: dt.datetime, lower: Bound, upper: Bound
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return the bounds as instants: a mere time is one of the day of ``base_date``, or of the day after."""
    low, up = _on(base_date, lower), _on(base_date, upper)
    both_given = isinstance(lower, dt.datetime) and isinstance(upper, dt.datetime)
    if low is not None and up is not None and not both_given and up < low:
        up += dt.timedelta(days=1)
    return low, up


def _on(base_date: dt.datetime, bound: Bound) -> dt.datetime | None:
    return dt.datetime.combine(base_date, bound) if isinstance(bound, dt.time) else bound


def _aware(at: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)
