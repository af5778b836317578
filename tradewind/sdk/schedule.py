"""Which timetable does a DAG have? The one that its ``schedule`` means in its time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.errors import DagError
from tradewind.sdk import defaults
from tradewind.timetables import timetable_for

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG
    from tradewind.timetables import Timetable


def timetable_of(dag: DAG) -> Timetable:
    """Return the timetable of ``dag``.

    Raises:
        DagError: the schedule is wrong; the message names the DAG.
    """
    try:
        return timetable_for(
            dag.schedule, dag.timezone, create_cron_data_intervals=defaults.current().create_cron_data_intervals
        )
    except DagError as error:
        if dag.dag_id in str(error):
            raise
        raise type(error)(f"{dag.who}: {error}") from error
