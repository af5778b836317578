"""How is docs/lifecycle.md kept true? Its diagrams are drawn from the tables of moves.

``python -m tests.docs.drawing`` draws them again into the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from tests.docs.sources import ROOT
from tradewind.model.states import INTERVENTIONS, RUN_TRANSITIONS, TASK_TRANSITIONS, RunState, TaskState

PAGE: Final = ROOT / "docs" / "lifecycle.md"


def diagram(moves: Mapping[Any, StrEnum], first: StrEnum) -> str:
    """Return a Mermaid state diagram: one arrow for each pair of states, labelled with the events that lead there.

    What people do from nearly every state is left out: it stands in a table of the page.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    moves = {(state, event): target for (state, event), target in moves.items() if event not in INTERVENTIONS}
    for (state, event), target in moves.items():
        arrows.setdefault((state.value, target.value), []).append(event.value)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first.value}"]
    lines += [f"    {here} --> {there}: {', '.join(events)}" for (here, there), events in arrows.items()]
    starts = {state.value for state, _ in moves}
    ends = dict.fromkeys(target.value for target in moves.values() if target.value not in starts)
    lines += [f"    {state} --> [*]" for state in ends]
    return "\n".join([*lines, "```"])


DRAWINGS: Final = {
    "task": diagram(TASK_TRANSITIONS, TaskState.NONE),
    "run": diagram(RUN_TRANSITIONS, RunState.QUEUED),
}


def drawn(page: str) -> str:
    """Return the page with each drawing put between its marks."""
    for name, drawing in DRAWINGS.items():
        begin, end = f"<!-- {name}: drawn -->\n", "<!-- end -->"
        before, found, rest = page.partition(begin)
        assert found, f"the page has no place for the drawing {name!r}"
        page = before + begin + drawing + "\n" + end + rest.partition(end)[2]
    return page


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
