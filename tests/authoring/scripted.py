"""What do the tests of questions about runs share? One task, and a script of answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.authoring.support import DAY, Rehearsal
from tradewind.sdk.dag import DAG
from tradewind.sdk.execution import run_task
from tradewind.sdk.memory_channel import MemoryChannel
from tradewind.sdk.run_questions import (
    DagFacts,
    RunAnswer,
    RunFacts,
    RunQuestion,
)

DAG_OTHER = DagFacts("other", False, True, "other.py", ("a", "b"), ("g",))


@dataclass
class Scripted:
    """One task, whose questions about runs get the answers of a script. The real answers have their own tests."""

    dag: DAG
    answers: list[RunAnswer]
    asked: list[Any] = field(default_factory=list)
    logical_date: datetime | None = DAY

    def attempt(self, **settings: Any) -> Any:
        rehearsal = Rehearsal(self.dag, logical_date=self.logical_date)
        order = rehearsal.order("t", **settings)
        channel = MemoryChannel(order, rehearsal.memory)
        channel.ask_about_runs = self.answer  # type: ignore[method-assign]
        result = run_task(self.dag, self.dag.get_task("t"), order, channel)
        rehearsal.memory.keep(order, result.xcoms)
        self.xcoms = rehearsal.xcoms("t")
        return result

    def answer(self, question: RunQuestion) -> RunAnswer:
        self.asked.append(question)
        return self.answers.pop(0)


def counts(*numbers: int) -> list[RunAnswer]:
    return [RunAnswer(count=number) for number in numbers]


def in_state(state: str) -> RunAnswer:
    return RunAnswer(run=RunFacts("other", "r", "operator_triggered", state, DAY))
