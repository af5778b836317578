"""What do readers get each morning? One page of Markdown about the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any


def page(day: date, airlines: Sequence[Mapping[str, Any]]) -> str:
    """Return the report: totals, then a table with a line for each airline."""
    flights = sum(row["flights"] for row in airlines)
    cancelled = sum(row["cancelled"] for row in airlines)
    lines = [
        f"# Flights from New York City on {day:%A}, {day.day} {day:%B %Y}",
        "",
        f"{flights:,} flights of {len(airlines)} airlines, {cancelled:,} of them cancelled.",
        "",
        "| Airline | Flights | Cancelled | Mean departure delay | On time |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in airlines:
        delay = "–" if row["mean_delay_minutes"] is None else f"{float(row['mean_delay_minutes']):.1f} min"
        share = "–" if row["on_time"] is None else f"{float(row['on_time']):.0%}"
        lines.append(f"| {row['airline']} | {row['flights']:,} | {row['cancelled']:,} | {delay} | {share} |")
    return "\n".join(lines) + "\n"
