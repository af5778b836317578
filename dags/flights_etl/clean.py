"""How do raw rows become rows of the warehouse? Types, units, missing values, and the joins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, str]
MISSING = ("NA", "")


def whole(text: str) -> int | None:
    """Return the whole number, or None where the source has none."""
    return None if text in MISSING else int(float(text))


def number(text: str) -> float | None:
    """Return the number, or None where the source has none."""
    return None if text in MISSING else float(text)


def clock(text: str) -> str | None:
    """Return "HH:MM" for the source's ``517`` or ``2400``, or None where there is none."""
    value = whole(text)
    return None if value is None else f"{value // 100 % 24:02d}:{value % 100:02d}"


def join(
    flights: Iterable[Row], weather: Iterable[Row], planes: Iterable[Row], airlines: Iterable[Row]
) -> list[dict[str, Any]]:
    """Return one warehouse row for each flight, in the order of the source.

    A flight without a matching hour of weather, plane or airline stays, with those columns empty: a join must not
    lose flights. A flight that never left has no departure time and counts as cancelled.
    """
    by_hour = {(row["origin"], row["time_hour"]): row for row in weather}
    by_tail = {row["tailnum"]: row for row in planes}
    names = {row["carrier"]: row["name"] for row in airlines}
    return [
        {
            **_flight(row, names),
            **_plane(by_tail.get(row["tailnum"])),
            **_sky(by_hour.get((row["origin"], row["time_hour"]))),
        }
        for row in flights
    ]


def _flight(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "flight_date": f"{int(row['year']):04d}-{int(row['month']):02d}-{int(row['day']):02d}",
        "carrier": row["carrier"],
        "airline": names.get(row["carrier"]),
        "flight": int(row["flight"]),
        "tail_number": None if row["tailnum"] in MISSING else row["tailnum"],
        "origin": row["origin"],
        "destination": row["dest"],
        "scheduled_departure": clock(row["sched_dep_time"]),
        "departure": clock(row["dep_time"]),
        "departure_delay_minutes": whole(row["dep_delay"]),
        "arrival_delay_minutes": whole(row["arr_delay"]),
        "distance_miles": whole(row["distance"]),
        "is_cancelled": row["dep_time"] in MISSING,
    }


def _plane(row: Row | None) -> dict[str, Any]:
    return {
        "plane_built": whole(row["year"]) if row else None,
        "plane_model": f"{row['manufacturer']} {row['model']}" if row else None,
        "plane_seats": whole(row["seats"]) if row else None,
    }


def _sky(row: Row | None) -> dict[str, Any]:
    return {
        "temperature_f": number(row["temp"]) if row else None,
        "wind_mph": number(row["wind_speed"]) if row else None,
        "precipitation_inch": number(row["precip"]) if row else None,
        "visibility_miles": number(row["visib"]) if row else None,
    }
