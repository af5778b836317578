"""What do people ask of runs through pages and the REST API, and what would come of it? Thin over the engine's wishes.

The engine is imported when first needed, as in :mod:`webui.actions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tradewind.metadata.run_choice import RunChoice
from tradewind.model.states import ACTIVE_TASK_STATES, RunEvent, RunState, TaskEvent, TaskState
from tradewind.run.task_choice import FAILED, RUNNING, TaskChoice
from webui.actions import actor
from webui.web import web

if TYPE_CHECKING:
    from scheduler.operating import requests
    from scheduler.operating.replay import Replay, ReplayPlan

ACTIONS: Final = ("clear", "mark", "hold", "release", "stop")
LINES: Final = 300
"""So many task instances are listed; the others are counted."""
RUNS: Final = 50
"""Of so many runs it is read what would become of their tasks; the others are counted."""
PATIENCE: Final = timedelta(seconds=2)
"""So long a page waits for a scheduler to do what was asked."""
MAX_FORESEEN: Final = 2_000
"""So many runs a page looks at: it is made anew with each option that is changed."""
ONLY: Final[Mapping[str, tuple[TaskState, ...]]] = {"": (), "failed": FAILED, "running": RUNNING}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page asks of a run, or of some of its tasks; ``indexes`` are those of the only task named."""

    action: str  # of ACTIONS
    dag_id: str
    run_id: str
    tasks: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    state: str = "success"
    only: str = ""  # of ONLY
    upstream: bool = False
    downstream: bool = False
    past: bool = False
    future: bool = False
    newest: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One task instance that would change."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str
    then: str


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run that would change itself, and not only its tasks."""

    dag_id: str
    run_id: str
    state: str
    then: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would come of it: how many runs and task instances would change, the first of them, and what to know."""

    runs: int = 0
    tasks: int = 0
    states: Mapping[str, int] = field(default_factory=dict)  # now, of the tasks that are listed
    thens: Mapping[str, int] = field(default_factory=dict)  # and then; empty when not all are listed
    lines: Sequence[Line] = ()
    run_lines: Sequence[RunLine] = ()
    warnings: Sequence[str] = ()
    is_capped: bool = False  # there are more runs, which were not looked at

    @property
    def is_nothing(self) -> bool:
        return not self.runs

    @property
    def words(self) -> str:
        """How much it is: ``the run and 3 task instances``."""
        more = "more than " if self.is_capped else ""
        runs = more + counted(self.runs, "run")
        tasks = more + counted(self.tasks, "task instance")
        if self.run_lines:
            runs = "the run" if self.runs == 1 else runs
            return f"{runs} and {tasks}" if self.tasks else runs
        return tasks if self.runs == 1 else f"{tasks} in {runs}"

    def words_of(self, state: str) -> str:
        """How much of it ends up in this state: what else changes is done again, or skipped, for its sake."""
        if self.run_lines:
            return (
                "the run" if self.runs == 1 else f"{'more than ' if self.is_capped else ''}{counted(self.runs, 'run')}"
            )
        return counted(self.thens[state], "task instance") if self.thens.get(state) else self.words


def counted(number: int, noun: str) -> str:
    """Return ``1 run``, ``2 runs``, ``10,000 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def outlook(asked: Asked) -> Outlook:
    """Return what would come of it. Errors of the engine pass through: they say what is wrong."""
    from scheduler.operating import requests

    found = requests.Preview()
    for effects in requests.foresee(web().db, to_wish(asked)):
        for effect in effects:
            found.add(effect, RUNS)
        if found.chosen >= MAX_FORESEEN:
            break
    return look_at(asked.action, found)


def carry_out(asked: Asked, *, via: str) -> Outlook:
    """Ask it of the runs, and return what comes of it."""
    note = asked.note or None if asked.action == "clear" else None
    return look_at(asked.action, send(to_wish(asked), via=via, note=note).preview, is_sent=True)


def foresee(wish: requests.Wish, limit: int = 10_000) -> requests.Preview:
    """Return what would come of a wish, in the words of the engine, to the last task of so many runs."""
    from scheduler.operating import requests

    return requests.preview(web().db, wish, limit=limit)


def send(wish: requests.Wish, *, via: str, note: str | None = None, limit: int = RUNS) -> requests.Sent:
    """Ask runs for something, and return when they have it, or when they let us wait: then it comes a little later."""
    from scheduler.operating import at_once, requests

    sent = requests.send(web().db, wish, requests.Person(actor(), via), note=note, limit=limit)
    at_once.fold_or_wait(web().db, web().config, sent.request_id, sent.pks, patience=PATIENCE)
    return sent


def plan_replay(replay: Replay) -> ReplayPlan:
    """Return what a replay would do."""
    from scheduler.operating.replay import preview_replay

    return preview_replay(web().db, replay)


def replay_run(replay: Replay, *, via: str) -> str:
    """Create the run that does another once more, and return its id."""
    from scheduler.operating import replay as engine
    from scheduler.operating.requests import Person

    return engine.replay_run(web().db, replay, Person(actor(), via)).plan.run_id


def to_wish(asked: Asked) -> requests.Wish:
    """Return it in the words of the engine."""
    from scheduler.operating import requests

    runs = RunChoice(dag_ids=[asked.dag_id], run_ids=[asked.run_id], past=asked.past, future=asked.future)
    names = (name_of(asked.tasks[0], asked.indexes),) if len(asked.tasks) == 1 else asked.tasks
    tasks = TaskChoice(names=names, upstream=asked.upstream, downstream=asked.downstream, states=ONLY[asked.only])
    some = tasks if asked.tasks else None
    match asked.action:
        case "clear":
            return requests.Clear(runs=runs, tasks=tasks, on_latest=asked.newest)
        case "mark" if some is not None:
            return requests.Mark(runs=runs, tasks=some, state=TaskState(asked.state))
        case "mark":
            return requests.MarkRuns(runs=runs, state=RunState(asked.state))
        case "hold":
            return requests.HoldBack(runs=runs, tasks=some, why=asked.note)
        case "release":
            return requests.LetGo(runs=runs, tasks=some)
        case _:
            return requests.Cancel(runs=runs, tasks=some)


def name_of(task_id: str, indexes: Sequence[int] = ()) -> str:
    """Return the name by which the engine knows some indexes of a task, or all of it."""
    return f"{task_id}[{','.join(map(str, indexes))}]" if indexes else task_id


_THEN: Final[Mapping[TaskEvent | None, str]] = {TaskEvent.HELD: "held", TaskEvent.RELEASED: "released"}


def look_at(action: str, found: requests.Preview, *, is_sent: bool = False) -> Outlook:
    """Return what the engine foresees as pages show it."""
    effects = [(run, task) for run in found.first for task in run.tasks]
    lines = [
        Line(
            run.run.dag_id, run.run.run_id, task.task_id, task.map_index, task.state.value,
            _THEN.get(task.event, task.next_state.value),
        )
        for run, task in effects[:LINES]
    ]  # fmt: skip
    states = Counter(task.state.value for _, task in effects)
    active = sum(count for state, count in states.items() if TaskState(state) in ACTIVE_TASK_STATES)
    run_lines = [
        RunLine(run.run.dag_id, run.run.run_id, run.run.state.value, _then(run))
        for run in found.first
        if set(run.events) - {RunEvent.QUEUED_AGAIN, RunEvent.VERSION_CHANGED}
    ]
    warnings = []
    if found.again:
        ended = "The run has ended and starts" if found.again == 1 else f"{found.again:,} runs have ended and start"
        warnings.append(f"{ended} again; its time limits begin anew." if found.again == 1 else f"{ended} again.")
    if active and action in ("clear", "mark", "stop"):
        warnings.append(
            f"{counted(active, 'task instance')} {'runs' if active == 1 else 'run'} now, and will be stopped."
        )
    if found.runs > len(found.first):
        warnings.append(f"Only the tasks of the first {len(found.first)} runs are listed.")
    is_capped = not is_sent and found.chosen >= MAX_FORESEEN
    if is_capped:
        warnings.append(f"Only the first {found.chosen:,} runs were looked at; it will be done in all that are meant.")
    is_whole = found.runs == len(found.first) and not is_capped
    thens = Counter(task.next_state.value for _, task in effects) if is_whole else {}
    return Outlook(found.runs, found.tasks, dict(states), dict(thens), lines, run_lines, warnings, is_capped)


def _then(run: requests.RunEffect) -> str:
    if RunEvent.HELD in run.events:
        return "held"
    return "released" if RunEvent.RELEASED in run.events else run.next_state.value
