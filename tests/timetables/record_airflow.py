"""What does Apache Airflow itself answer? Run with a Python that has Airflow: questions in, the same with answers out.

    AIRFLOW_HOME=/tmp/oracle /path/to/airflow/bin/python tests/timetables/record_airflow.py < questions > answered

Not part of the test run: ``recorded/*.jsonl`` holds what it said. Each line is a question of ``questions.py``.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pendulum
from airflow.timetables import events, interval, trigger  # type: ignore[import-not-found]
from airflow.timetables.base import DataInterval, TimeRestriction  # type: ignore[import-not-found]
from airflow.timetables.simple import (  # type: ignore[import-not-found]
    ContinuousTimetable,
    NullTimetable,
    OnceTimetable,
)
from dateutil.relativedelta import relativedelta


def duration(data: Any) -> Any:
    return relativedelta(**data) if isinstance(data, dict) else timedelta(seconds=data)


def timetable(kind: str, args: dict[str, Any]) -> Any:
    if kind in ("CronTriggerTimetable", "MultipleCronTriggerTimetable"):
        soon = args.get("run_immediately", False)
        return getattr(trigger, kind)(
            *(args.get("expressions") or [args["expression"]]),
            timezone=args["timezone"],
            interval=duration(args.get("interval", 0)),
            run_immediately=timedelta(seconds=soon["within"]) if isinstance(soon, dict) else soon,
        )
    if kind == "EventsTimetable":
        dates = [instant(text) for text in args["event_dates"]]
        return events.EventsTimetable(dates, args["restrict_to_events"], description=args["description"])
    if kind == "CronDataIntervalTimetable":
        return interval.CronDataIntervalTimetable(args["expression"], args["timezone"])
    if kind == "DeltaTriggerTimetable":
        return trigger.DeltaTriggerTimetable(duration(args["delta"]), interval=duration(args.get("interval", 0)))
    if kind == "DeltaDataIntervalTimetable":
        return interval.DeltaDataIntervalTimetable(duration(args["delta"]))
    return {"OnceTimetable": OnceTimetable, "NullTimetable": NullTimetable, "ContinuousTimetable": ContinuousTimetable}[
        kind
    ]()


def instant(text: str | None) -> Any:
    return None if text is None else pendulum.instance(datetime.fromisoformat(text)).in_timezone("UTC")


def short(value: datetime) -> str:
    text = value.isoformat()
    assert text.endswith("+00:00")
    return text.removesuffix("+00:00").removesuffix(":00")


def answer(question: dict[str, Any]) -> Any:
    asked = timetable(question["kind"], question["args"])
    if "manual" in question:
        found = asked.infer_manual_data_interval(run_after=instant(question["manual"]))
        return f"{short(found.start)} {short(found.end)}"
    last = question["last"] and DataInterval(*map(instant, question["last"]))
    restriction = TimeRestriction(instant(question["earliest"]), instant(question["latest"]), question["catchup"])
    answers: list[Any] = []
    for now in question["now"] * question.get("times", 1):
        with (
            mock.patch.object(interval, "utcnow", lambda now=now: instant(now)),
            mock.patch.object(trigger, "utcnow", lambda now=now: instant(now)),
            mock.patch("airflow._shared.timezones.timezone.utcnow", lambda now=now: instant(now)),
            mock.patch("time.time", lambda now=now: instant(now).timestamp()),
        ):
            found = asked.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if found is None:
            answers.append(None)
            break
        last = found.data_interval
        answers.append(" ".join(short(value) for value in (found.run_after, last.start, last.end)))
    return answers


def main() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        try:
            question["answer"] = answer(question)
        except Exception as error:  # what Airflow cannot answer is an answer too
            question["error"] = repr(error)
        sys.stdout.write(json.dumps(question) + "\n")


if __name__ == "__main__":
    main()
