"""Which questions were put to Apache Airflow? The same ones each time it is run.

    python -m tests.timetables.questions daylight_saving | AIRFLOW_PYTHON tests/timetables/record_airflow.py \
        > tests/timetables/recorded/daylight_saving.jsonl
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Question = dict[str, Any]

CHANGES: Final = {  # zone -> instants near which its clocks change, and a quiet one for those that never do
    "UTC": ("2024-02-28T20:00", "2024-12-31T20:00"),
    "Europe/Berlin": ("2024-03-30T20:00", "2024-10-26T20:00"),
    "America/New_York": ("2024-03-10T01:00", "2024-11-03T00:00"),
    "America/Sao_Paulo": ("2018-11-03T22:00", "2018-02-17T20:00"),  # at midnight
    "America/St_Johns": ("2024-03-10T00:00", "2024-11-02T23:00"),  # half an hour off
    "America/Havana": ("2024-03-10T00:00", "2024-11-03T00:00"),
    "Asia/Beirut": ("2024-03-30T16:00", "2024-10-26T16:00"),
    "Asia/Tehran": ("2022-03-21T14:00", "2022-09-21T14:00"),
    "Africa/Casablanca": ("2024-03-09T22:00", "2024-04-13T22:00"),  # backwards for Ramadan
    "Australia/Sydney": ("2024-10-05T10:00", "2024-04-06T10:00"),
    "Pacific/Apia": ("2011-12-29T20:00", "2011-04-02T08:00"),  # a whole day left out
    "Pacific/Chatham": ("2024-09-28T08:00", "2024-04-06T08:00"),
}
CRONS: Final = (
    "0 0 * * *",
    "30 1 * * *",
    "30 2 * * *",
    "0 * * * *",
    "*/30 * * * *",
    "*/20 1-3 * * *",
    "0 */2 * * *",
    "15 0,12 * * *",
)
MORE_CRONS: Final = (
    *CRONS,
    "0 3 * * SUN",
    "0 2 * * MON-FRI",
    "0 0 1 * *",
    "0 0 L * *",
    "0 0 * * 5#2",
    "0 0 * * L5",
    "* * * * *",
    "0 0 1 */3 *",
    "59 23 31 12 *",
    "0 12 * * * 30",
    "0 0 1,15 * 3",
    "@weekly",
    "@daily",
)
UNIONS: Final = (
    ("30 2 * * *", "0 3 * * *"),
    ("0 * * * *", "30 1,2 * * *"),
    ("0 0 * * *", "*/20 1-3 * * *", "0 0 * * *"),
)
DELTAS: Final[tuple[Any, ...]] = (
    420,
    3600,
    21600,
    86400,
    90000,
    604800,
    5400.5,
    {"hours": 6},
    {"days": 1, "hours": 1},
    {"months": 1},
    {"months": 3},
    {"months": 1, "days": 2},
    {"years": 1},
)


def daylight_saving() -> Iterator[Question]:
    """Every run over the days on which clocks change, from each of the cron timetables."""
    for zone, moments in CHANGES.items():
        for moment in moments:
            begin = datetime.fromisoformat(moment).replace(tzinfo=UTC)
            for cron in CRONS:
                for kind in ("CronTriggerTimetable", "CronDataIntervalTimetable"):
                    question = _question(kind, {"expression": cron, "timezone": zone}, begin)
                    often = cron.startswith(("*/30 *", "0 *"))
                    yield question | {"now": [_iso(begin + timedelta(days=9))], "times": 16 if often else 7}


def restrictions() -> Iterator[Question]:
    """Start, end, catchup, last run and now in every order, for all timetables; and runs asked for by hand."""
    rng = random.Random(20240331)
    for _ in range(500):
        yield _random_question(rng)


def unions_and_events() -> Iterator[Question]:
    """Schedules of several cron expressions over the days on which clocks change, and lists of instants; with start,
    end, catchup, last run and now in every order; and runs asked for by hand."""
    rng = random.Random(20241027)
    for zone, moments in CHANGES.items():
        for moment in moments:
            begin = datetime.fromisoformat(moment).replace(tzinfo=UTC)
            for crons in UNIONS:
                for catchup, interval in ((True, 0), (False, 0), (True, 5400)):
                    args = {"expressions": list(crons), "timezone": zone, "interval": interval}
                    nows = [begin + timedelta(days=9)] if catchup else [begin + timedelta(hours=h) for h in (3, 9, 32)]
                    question = _question("MultipleCronTriggerTimetable", args, begin) | {"catchup": catchup}
                    yield question | {"now": [_iso(now) for now in nows], "times": 9 if catchup else 1}
    for _ in range(250):
        kind = rng.choice(["EventsTimetable", "MultipleCronTriggerTimetable"])
        yield _random_question(rng, (kind, _random_events(rng) if kind == "EventsTimetable" else _random_union(rng)))


def _random_union(rng: random.Random) -> Question:
    soon = rng.choice([False, False, True, None, {"within": 600}, {"within": 86400}])
    crons = rng.sample(MORE_CRONS[:-2], rng.randint(1, 4))
    return {"expressions": crons, "timezone": rng.choice(list(CHANGES)), "run_immediately": soon}


def _random_events(rng: random.Random) -> Question:
    near = datetime.fromisoformat(rng.choice(rng.choice(list(CHANGES.values())))).replace(tzinfo=UTC)
    dates = [_iso(near + timedelta(minutes=rng.randint(-60_000, 12_000))) for _ in range(rng.choice([0, 1, 6, 20]))]
    return {
        "event_dates": dates + dates[:1],  # one of them twice
        "restrict_to_events": rng.random() < 0.5,
        "description": rng.choice([None, "Matches"]),
    }


def _random_question(rng: random.Random, timetable: tuple[str, Question] | None = None) -> Question:
    kind, args = timetable or _random_timetable(rng)
    now = _random_instant(rng)
    if rng.random() < 0.15:
        return {"kind": kind, "args": args, "manual": _iso(now)}
    last = None
    if rng.random() < 0.3 and kind != "ContinuousTimetable" and "interval" not in args:
        end = (now - timedelta(hours=rng.randint(-24, 96))).replace(second=0, microsecond=0)
        last = [_iso(end - timedelta(hours=rng.choice([0, 1, 24]))), _iso(end)]
    earliest = rng.choice([None, now - timedelta(days=rng.randint(0, 40)), _midnight(now), now + timedelta(hours=30)])
    latest = rng.choice([None, None, None, now + timedelta(days=rng.randint(-2, 5))])
    nows = [now]
    for _ in range(rng.choice([0, 3])):
        nows.append(nows[-1] + timedelta(hours=rng.choice([0.2, 1, 6, 24, 100])))
    return _question(kind, args, earliest) | {
        "last": last,
        "latest": latest and _iso(latest),
        "catchup": rng.random() < 0.4,
        "now": [_iso(now) for now in nows],
    }


def _random_timetable(rng: random.Random) -> tuple[str, Question]:
    kinds = ("CronTrigger", "CronDataInterval", "DeltaTrigger", "DeltaDataInterval", "Once", "Continuous", "Null")
    kind = rng.choices(kinds, (30, 30, 12, 20, 3, 3, 2))[0] + "Timetable"
    args: Question = {}
    if kind.startswith("Cron"):
        args |= {"expression": rng.choice(MORE_CRONS), "timezone": rng.choice(list(CHANGES))}
    if kind.startswith("Delta"):
        args["delta"] = rng.choice(DELTAS)
    if "Trigger" in kind and rng.random() < 0.25:
        args["interval"] = rng.choice(DELTAS)
    if kind == "CronTriggerTimetable" and rng.random() < 0.4:
        args["run_immediately"] = rng.choice([True, None, {"within": 600}, {"within": 86400}])
    return kind, args


def _random_instant(rng: random.Random) -> datetime:
    near = datetime.fromisoformat(rng.choice(rng.choice(list(CHANGES.values())))).replace(tzinfo=UTC)
    instant = near + timedelta(seconds=rng.randint(-100_000, 200_000))
    shape = rng.random()
    if shape < 0.4:
        return instant.replace(minute=0, second=0)
    return instant.replace(second=0) if shape < 0.7 else instant.replace(microsecond=rng.choice([0, 1, 500_000]))


def _question(kind: str, args: Question, earliest: datetime | None) -> Question:
    return {
        "kind": kind,
        "args": args,
        "last": None,
        "earliest": earliest and _iso(earliest),
        "latest": None,
        "catchup": True,
    }


def _midnight(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


def _iso(instant: datetime) -> str:
    return instant.isoformat()


if __name__ == "__main__":
    asked = {f.__name__: f for f in (daylight_saving, restrictions, unions_and_events)}[sys.argv[1]]
    sys.stdout.writelines(json.dumps(question) + "\n" for question in asked())
