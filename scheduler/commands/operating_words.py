"""How are people told what would come of a wish, and what has come of it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from scheduler.operating.at_once import Outcome
from scheduler.operating.replay import ReplayPlan
from scheduler.operating.requests import Cancel, Clear, HoldBack, LetGo, Mark, MarkRuns, Preview, RunEffect, Wish
from tradewind.model.events import NO_MAP
from tradewind.model.states import RunEvent, RunState, TaskEvent
from tradewind.terminal.output import counted, emit, emit_record, talk

COLUMNS: Final = ("dag_id", "run_id", "task_id", "map_index", "state", "becomes")
_VERBS: Final[Mapping[type, tuple[str, str, str]]] = {
    Clear: ("clear", "cleared", "Clearing"),
    Mark: ("mark", "marked", "Marking"),
    MarkRuns: ("mark", "marked", "Marking"),
    HoldBack: ("hold", "held", "Holding"),
    LetGo: ("release", "released", "Releasing"),
    Cancel: ("cancel", "cancelled", "Cancelling"),
}
_TASK_WORDS: Final[Mapping[TaskEvent, str]] = {
    TaskEvent.HELD: "held",
    TaskEvent.RELEASED: "released",
    TaskEvent.REMOVED: "removed",
}
_RUN_WORDS: Final[Mapping[RunEvent, str]] = {
    RunEvent.HELD: "held",
    RunEvent.RELEASED: "released",
    RunEvent.VERDICT_NOTED: "ends after its teardowns",
    RunEvent.VERSION_CHANGED: "newest version",
}


class Words:
    """What is said of one wish."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._verb, self._past, self.doing = _VERBS[type(wish)]
        self._is_of_runs = isinstance(wish, MarkRuns) or wish.tasks is None
        self.question = f"{self._verb.capitalize()} {'them' if not self._is_of_runs else 'these runs'}?"

    def nothing(self, found: Preview) -> str:
        """Say that nothing would change, and why that may be."""
        if not found.chosen:
            return f"Nothing to {self._verb}: no run fits."
        return f"Nothing to {self._verb} in {counted(found.chosen, 'run')}: {self._why_nothing()}."

    def _why_nothing(self) -> str:
        match self._wish:
            case Clear(tasks=tasks) if tasks.states:
                return "no task that was asked for is in such a state"
            case Clear(only_new=True):
                return "the newest version has no task that it has not"
            case Clear():
                return "nothing that was asked for has been done yet"
            case HoldBack():
                return "what was asked for has ended, has not been made yet, or is held already"
            case LetGo():
                return "nothing that was asked for is held on its own"
            case Cancel():
                return "what was asked for has ended"
            case _:
                return "what was asked for is so already"

    def would(self, found: Preview) -> str:
        """Say how much would change."""
        return f"This would {self._verb} {self._amount(found)}.{self._again(found, 'would be')}"

    def done(self, found: Preview, outcome: Outcome) -> Iterator[str]:
        """Say how much has changed, and what it waits for."""
        if outcome.waiting:
            waiting = f"{counted(outcome.waiting, 'run')} {'has' if outcome.waiting == 1 else 'have'} not been told yet"
            yield (
                f"Asked to {self._verb} {self._amount(found)}; {waiting}. Nothing need be said again: it is done as "
                "soon as a scheduler comes to it."
            )
            return
        yield f"{self._past.capitalize()} {self._amount(found)}.{self._again(found, 'are')}"
        goes_on = outcome.states.get(RunState.QUEUED, 0) + outcome.states.get(RunState.RUNNING, 0)
        if goes_on and not outcome.has_scheduler and not isinstance(self._wish, HoldBack | Cancel):
            yield "No scheduler is running: what is to be done starts with the next one, `tradewind scheduler`."

    def _amount(self, found: Preview) -> str:
        if self._is_of_runs or not found.tasks:
            return counted(found.runs, "run") + self._as_what()
        return f"{counted(found.tasks, 'task instance')} in {counted(found.runs, 'run')}{self._as_what()}"

    def _as_what(self) -> str:
        return f" as {self._wish.state.value}" if isinstance(self._wish, Mark | MarkRuns) else ""

    def _again(self, found: Preview, verb: str) -> str:
        if not found.again:
            return ""
        verb = "is" if found.again == 1 and verb == "are" else verb
        return f" {counted(found.again, 'run')} that had ended {verb} queued again."


def show_effects(found: Preview, output: str, limit: int) -> None:
    """Print what would happen to each task instance, or run; for people no more than ``limit`` lines."""
    rows = [row for effect in found.first for row in _rows(effect)]
    if output != "table":
        emit(rows, COLUMNS, output)
        return
    shown = rows[:limit]
    has_indexes = any(row["map_index"] is not None for row in shown)
    has_dags = len({row["dag_id"] for row in shown}) > 1
    has_tasks = any(row["task_id"] is not None for row in shown)
    hidden = {"map_index": has_indexes, "dag_id": has_dags, "task_id": has_tasks}
    columns = [name for name in COLUMNS if hidden.get(name, True)]
    emit(list(_folded(shown)), columns, output)
    more = found.tasks - sum(1 for row in shown if row["task_id"] is not None)
    more_runs = found.runs - len({(row["dag_id"], row["run_id"]) for row in shown})
    if more > 0 or more_runs > 0:
        rest = [counted(more, "task instance")] if more > 0 else []
        rest += [f"{more_runs:,} more {'run' if more_runs == 1 else 'runs'}"] if more_runs > 0 else []
        talk(f"... and {' in '.join(rest)}; --limit shows more.")


def _rows(effect: RunEffect) -> Iterator[dict[str, Any]]:
    run = effect.run
    names = {"dag_id": run.dag_id, "run_id": run.run_id}
    said = [_RUN_WORDS[event] for event in effect.events if event in _RUN_WORDS]
    is_moved = effect.next_state is not run.state and RunEvent.QUEUED_AGAIN not in effect.events
    if said or is_moved or not effect.tasks:
        becomes = effect.next_state.value if is_moved else ", ".join(said) or effect.next_state.value
        yield {**names, "task_id": None, "map_index": None, "state": run.state.value, "becomes": becomes}
    for task in effect.tasks:
        if task.event is None:
            becomes = "new"
        elif task.event is TaskEvent.CLEARED:
            becomes = "stopped, then cleared" if task.next_state.value == "restarting" else "cleared"
        else:
            becomes = _TASK_WORDS.get(task.event, task.next_state.value)
        index = None if task.map_index == NO_MAP else task.map_index
        yield {**names, "task_id": task.task_id, "map_index": index, "state": task.state.value, "becomes": becomes}


def _folded(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Name a run once, at its first line."""
    last = None
    for row in rows:
        name = row["dag_id"], row["run_id"]
        yield {**row, "dag_id": "", "run_id": ""} if name == last else row
        last = name


def show_replay(plan: ReplayPlan, output: str, *, is_done: bool) -> None:
    """Print the new run, or what it would be."""
    again = sorted({task_id for task_id, _ in plan.again})
    record = {
        "dag_id": plan.original.dag_id,
        "run_id": plan.run_id,
        "replay_of": plan.original.run_id,
        "logical_date": plan.original.task_date,
        "conf": dict(plan.original.conf),
        "again": again if len(again) <= 20 or output != "table" else [*again[:20], f"and {len(again) - 20} more"],
        "taken_over": plan.taken,
    }
    emit_record(record, output)
    if not is_done:
        talk("Nothing was started: this is a dry run.")
