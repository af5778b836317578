"""Does it make sense to go on? ``ShortCircuitOperator``: a false answer skips what is below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.skip import SkipMixin

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class ShortCircuitOperator(PythonOperator, SkipMixin):
    """Calls ``python_callable``; when what it returns is not true, tasks below are skipped. Teardowns never are.

    Args:
        ignore_downstream_trigger_rules: skip every task below, near and far, whatever its trigger rule; False: only
            those directly below, and the rules of the others decide.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules

    def execute(self, context: Context) -> Any:
        """Call the function; go on, or skip. Returns what it returned when nothing is skipped."""
        condition = super().execute(context)
        self.log.info("Condition result is %s", condition)
        if condition:
            self.log.info("Proceeding with downstream tasks")
            return condition
        task = context["task"]
        if self.ignore_downstream_trigger_rules is True:
            below = task.get_flat_relatives(upstream=False)
        else:
            below = task.get_direct_relatives(upstream=False)
        self.log.info("Skipping downstream tasks")
        self.skip(context["ti"], [one for one in below if not one.is_teardown])
        return condition
