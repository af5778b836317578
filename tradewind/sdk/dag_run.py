"""What does a task see of its run? ``dag_run``: ids, dates and conf, read only."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tradewind.sdk.instants import pendulum_utc
from tradewind.sdk.rules import DagRunType

if TYPE_CHECKING:
    import pendulum

    from tradewind.model.orders import AttemptOrder


class DagRun:
    """The run that an attempt belongs to. Instants are pendulum's, in UTC."""

    def __init__(self, order: AttemptOrder) -> None:
        self._order = order
        self.dag_id = order.dag_id
        self.run_id = order.run_id
        self.run_type = DagRunType(order.run_type)
        self.conf: dict[str, Any] = order.conf
        self.triggering_user_name = order.triggering_user
        self.partition_key = order.partition_key
        self.state = "running"
        self.end_date: pendulum.DateTime | None = None  # a task sees its run before it has ended

    @cached_property
    def logical_date(self) -> pendulum.DateTime | None:
        """The date that the run stands for, or None."""
        return pendulum_utc(self._order.logical_date)

    @cached_property
    def data_interval_start(self) -> pendulum.DateTime | None:
        """Where the run's data begins, or None."""
        return pendulum_utc(self._order.data_interval_start)

    @cached_property
    def data_interval_end(self) -> pendulum.DateTime | None:
        """Where the run's data ends, or None."""
        return pendulum_utc(self._order.data_interval_end)

    @cached_property
    def run_after(self) -> pendulum.DateTime | None:
        """The earliest instant at which the run could start."""
        return pendulum_utc(self._order.run_after)

    @cached_property
    def partition_date(self) -> pendulum.DateTime | None:
        """Where the partition begins that the run is about; None: it is about none, or one that is not of time."""
        return pendulum_utc(self._order.partition_date)

    @cached_property
    def start_date(self) -> pendulum.DateTime | None:
        """When the run started."""
        return pendulum_utc(self._order.run_started_at)

    def __repr__(self) -> str:
        return f"<DagRun {self.dag_id} {self.run_id}>"
