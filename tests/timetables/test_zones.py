"""Is a time zone the same one after it was stored, from whatever library it comes?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pendulum
import pytest

from tradewind.errors import DagError
from tradewind.timetables.zones import zone_name, zone_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("utc", "UTC"),
        (UTC, "UTC"),
        (pendulum.UTC, "UTC"),
        (ZoneInfo("UTC"), "UTC"),
        (timezone(timedelta(0)), "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
        (BERLIN, "Europe/Berlin"),
        (pendulum.timezone("Europe/Berlin"), "Europe/Berlin"),
        (timezone(timedelta(hours=5, minutes=30)), "+05:30"),
        (timezone(-timedelta(hours=3, minutes=30)), "-03:30"),
        (timezone(timedelta(seconds=3661)), "+01:01:01"),
        (pendulum.timezone(7200), "+02:00"),
        ("+02:00", "+02:00"),
    ],
)
def test_a_zone_has_one_name(value, name):
    zone = zone_of(value)

    assert zone_name(zone) == name
    assert zone_of(name).utcoffset(datetime(2024, 7, 1)) == zone.utcoffset(datetime(2024, 7, 1))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Europe/Berln", "There is no time zone 'Europe/Berln'. Did you mean 'Europe/Berlin'?"),
        ("", "There is no time zone ''"),
        ("../etc/passwd", "There is no time zone"),
        ("Europe", "There is no time zone 'Europe'"),
        (3, "The time zone is 3"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_name(value, message):
    with pytest.raises(DagError) as caught:
        zone_of(value)
    assert message in str(caught.value)


def test_a_zone_without_a_name_cannot_be_stored():
    class Mine(tzinfo):
        def utcoffset(self, at: datetime | None) -> timedelta:
            return timedelta(hours=1 if at is not None and at.month < 6 else 2)

        def dst(self, at: datetime | None) -> timedelta:
            return timedelta(0)

        def tzname(self, at: datetime | None) -> str:
            return ""

    with pytest.raises(DagError, match="has no name"):
        zone_name(Mine())
