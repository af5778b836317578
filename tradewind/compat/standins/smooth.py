"""What stands for ``SmoothOperator``? It names a song in the log, as Airflow's does."""

from __future__ import annotations

from tradewind.sdk.context_values import Context
from tradewind.sdk.operator import BaseOperator


class SmoothOperator(BaseOperator):
    """Logs where to hear the song of its name."""

    ui_color = "#e8f7e4"
    yt_link = "https://www.youtube.com/watch?v=4TYv2PhG89A"

    def execute(self, context: Context) -> None:
        """Log the link."""
        self.log.info("Enjoy Sade - Smooth Operator: %s", self.yt_link)
