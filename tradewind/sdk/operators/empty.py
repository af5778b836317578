"""What is a task that does nothing? ``EmptyOperator``: a place to join or fork edges; it succeeds where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.sdk.operator import BaseOperator

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class EmptyOperator(BaseOperator):
    """Does nothing. Needs no process unless it has callbacks or hooks."""

    ui_color = "#e8f7e4"

    def execute(self, context: Context) -> None:
        """Do nothing."""
