"""Is this the newest run? ``LatestOnlyOperator``: skips what is directly below in runs that catch up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tradewind.sdk.operators.branch import BaseBranchOperator, Choice
from tradewind.sdk.rules import DagRunType

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.dag_run import DagRun


class LatestOnlyOperator(BaseBranchOperator):
    """Follows all ways when the next scheduled run is not due yet, or the run was asked for by hand; none else."""

    ui_color = "#e9ffdb"

    def choose_branch(self, context: Context) -> Choice:
        """Return the ids of all tasks directly below, or none."""
        run: DagRun = context["dag_run"]
        below = sorted(self.get_direct_relative_ids(upstream=False))
        if run.run_type is DagRunType.MANUAL:
            self.log.info("The run was asked for by hand: going on")
            return below
        bounds = self._bounds(run)
        if bounds is None:
            self.log.info("No later run is scheduled: going on")
            return below
        left, right = bounds
        now = datetime.now(UTC)
        is_latest = left < now <= right
        self.log.info("Now is %s, the newest run is that between %s and %s", now, left, right)
        self.log.info("This is the newest run" if is_latest else "Not the newest run: skipping what is below")
        return below if is_latest else []

    def _bounds(self, run: DagRun) -> tuple[datetime, datetime] | None:
        """Return between which instants the run is the newest; None: no run comes after it."""
        # Late: what a schedule needs costs more than the import of most DAG files.
        from tradewind.timetables import DataInterval, Restriction

        date = run.logical_date or run.run_after
        assert date is not None and self.dag is not None
        interval = DataInterval(run.data_interval_start or date, run.data_interval_end or date)
        timetable = self.dag.timetable
        now = datetime.now(UTC)
        until_now = Restriction(latest=interval.end - timedelta.resolution, catchup=True)
        before = timetable.next_run(interval, run.run_after, until_now, now)
        after = timetable.next_run(interval, run.run_after, Restriction(earliest=interval.end, catchup=True), now)
        if after is None:
            return None
        return (interval.start if before is None else before.interval.end), after.interval.end
