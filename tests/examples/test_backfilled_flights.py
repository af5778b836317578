"""Are days of flights loaded once each by a backfill, though its scheduler is killed twice? The year: `benchmarks/`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from benchmarks.year_of_flights import fill, prepare


@pytest.mark.timeout(900)
@pytest.mark.xdist_group("examples")
def test_days_of_flights_are_backfilled_once_each_though_the_scheduler_is_killed_twice(
    database_url: str, tmp_path: Path
) -> None:
    # So long another waits before it takes over.
    settings = {"TRADEWIND__SCHEDULER__LEASE_SECONDS": "3", "TRADEWIND__SCHEDULER__POLL_SECONDS": "1"}
    with prepare(tmp_path / "home", database_url, settings) as made:
        found = fill(made, date(2013, 12, 24), date(2013, 12, 31), window=4, kills=2, timeout=800)

    assert found.problems == ()
    assert found.runs == 8
    assert found.flights == 6_825
    assert found.starts == found.tasks + found.lost
