"""Are runs due when Apache Airflow 3.3.2 has them due? Compared with what it said, see ``record_airflow.py``."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.timetables import questions
from tradewind.model.spec import TimetableSpec
from tradewind.timetables import DataInterval, Restriction, from_spec

RECORDED = Path(__file__).parent / "recorded"


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text().splitlines()]


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def short(value: datetime) -> str:
    return value.isoformat().removesuffix("+00:00").removesuffix(":00")


def answer(question: dict[str, Any]) -> Any:
    args = dict(question["args"])
    if "Trigger" in question["kind"]:
        args.setdefault("interval", 0)
    if "CronTrigger" in question["kind"]:
        args.setdefault("run_immediately", False)
    timetable = from_spec(TimetableSpec(question["kind"], args))
    if "manual" in question:
        return " ".join(short(value) for value in timetable.manual_interval(datetime.fromisoformat(question["manual"])))
    last = question["last"] and DataInterval(*map(datetime.fromisoformat, question["last"]))
    restriction = Restriction(instant(question["earliest"]), instant(question["latest"]), question["catchup"])
    answers: list[Any] = []
    for now in question["now"] * question.get("times", 1):
        run = timetable.next_run(last, None, restriction, datetime.fromisoformat(now))
        if run is None:
            answers.append(None)
            break
        last = run.interval
        assert run.logical_date == last.start
        answers.append(" ".join(short(value) for value in (run.run_after, last.start, last.end)))
    return answers


def is_broken(line: dict[str, Any], answers: list[str | None]) -> bool:
    """Return whether the runs leave out data between two intervals, or a logical date is not above the last one."""
    intervals = [run.split()[1:] for run in answers if run is not None]
    dates = [start for start, _ in intervals]
    if line["last"]:
        dates.insert(0, short(datetime.fromisoformat(line["last"][0])))
    if dates != sorted(set(dates)):
        return True
    may_skip = "DataInterval" not in line["kind"] or not line["catchup"]
    return not may_skip and any(end < start for (_, end), (start, _) in pairwise(intervals))


def differ_for_the_better(line: dict[str, Any], given: Any) -> bool:
    """Return whether Airflow's answer is a defect that is not repeated here.

    It loses intervals where clocks go forward and several ticks fall into the hour that is left out, starts a
    @continuous schedule with two runs of the same logical date, and goes back to logical dates that may be taken when a
    trigger timetable was given a longer interval.
    """
    return "manual" not in line and is_broken(line, line["answer"]) and not is_broken(line, given)


@pytest.mark.parametrize(("name", "better"), [("daylight_saving", 8), ("restrictions", 3), ("unions_and_events", 0)])
def test_runs_are_due_when_airflow_has_them_due(name, better):
    wrong, differing = [], 0
    for line in lines(name):
        given = answer(line)
        if given == line["answer"]:
            continue
        if differ_for_the_better(line, given):
            differing += 1
        else:
            wrong.append(f"{line['kind']} {line['args']}\n  Airflow {line['answer']}\n  here    {given}")

    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:5])
    assert differing == better


@pytest.mark.parametrize("name", ["daylight_saving", "restrictions", "unions_and_events"])
def test_the_recordings_answer_the_questions_as_they_are_asked_now(name):
    asked = list(getattr(questions, name)())

    assert asked == [{key: value for key, value in line.items() if key != "answer"} for line in lines(name)]
