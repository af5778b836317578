"""What does somebody want of which runs, and what would come of it? Wishes are foreseen, and sent as commands.

What would come of a wish is decided by the code that will fold the command, on a copy in memory: nothing is listed that
would not happen. Runs are read page by page, so that ten thousand of them need no more memory than a few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Connection

from scheduler.operating.interventions import change_version, intervene
from scheduler.plan import Policy
from scheduler.planner import RunPlanner
from scheduler.versions import Version, VersionCache
from tradewind.errors import NotFound
from tradewind.metadata import audit, dags, inbox, run_choice, runs
from tradewind.metadata.database import Database
from tradewind.metadata.run_choice import Place, RunChoice
from tradewind.metadata.runs import RunRecord
from tradewind.model.commands import ClearTasks, Command, Hold, MarkRun, MarkTasks, Release, Selection
from tradewind.model.states import FINAL_TASK_STATES, RunEvent, RunState, RunType, TaskEvent, TaskState
from tradewind.run.task_choice import TaskChoice, to_selection, unknown_names
from tradewind.run.view import TaskKey, TaskView

PAGE: Final = 200
"""Runs that are read, or sent something, in one transaction."""
MAX_INSTANCES: Final = 20_000
"""Task instances that are held in memory at once, unless a single run has more."""
ALL_TASKS: Final = TaskChoice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """Do these task instances again. Setups and teardowns come along.

    Attributes:
        on_latest: the runs go on with the newest version of their DAG.
        only_new: nothing is done again: the runs only get the tasks that the newest version has and they have not.
    """

    runs: RunChoice
    tasks: TaskChoice = ALL_TASKS
    on_latest: bool = False
    only_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Take these task instances as success, failed or skipped."""

    runs: RunChoice
    tasks: TaskChoice
    state: TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRuns:
    """Take these runs as success or failed, or (queued) look anew how they end."""

    runs: RunChoice
    state: RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBack:
    """Start nothing of these runs, or none of these task instances of theirs, until they are released."""

    runs: RunChoice
    tasks: TaskChoice | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """Start what was held: these runs, or these task instances of theirs."""

    runs: RunChoice
    tasks: TaskChoice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """End what is not done of these runs, or of these task instances of theirs, as failed. Processes are stopped."""

    runs: RunChoice
    tasks: TaskChoice | None = None


Wish = Clear | Mark | MarkRuns | HoldBack | LetGo | Cancel

_UNFINISHED: Final = tuple(state for state in TaskState if state not in FINAL_TASK_STATES)
_ACTIONS: Final = {
    Clear: "clear",
    Mark: "mark",
    MarkRuns: "mark",
    HoldBack: "hold",
    LetGo: "release",
    Cancel: "cancel",
}


@dataclass(frozen=True, slots=True)
class TaskEffect:
    """What would happen to one task instance. ``state`` is that of now; ``event`` is None where it would come to be."""

    task_id: str
    map_index: int
    state: TaskState
    event: TaskEvent | None
    next_state: TaskState

    @property
    def key(self) -> TaskKey:
        return self.task_id, self.map_index


@dataclass(frozen=True, slots=True)
class RunEffect:
    """What would happen to one run: nothing, when neither it nor one of its tasks would change.

    Attributes:
        next_state: of the run, as soon as the command is folded.
        version_id: with which it would go on.
        events: of the run itself.
    """

    run: RunRecord
    tasks: Sequence[TaskEffect]
    events: Sequence[RunEvent]
    next_state: RunState
    version_id: int

    @property
    def is_nothing(self) -> bool:
        return not (self.tasks or self.events)


@dataclass(slots=True)
class Preview:
    """What would come of a wish.

    Attributes:
        chosen: how many runs were chosen.
        runs, tasks: how many of them, and of their task instances, would change.
        again: how many runs that have ended would be queued again.
        first: the first of the runs that would change.
    """

    chosen: int = 0
    runs: int = 0
    tasks: int = 0
    again: int = 0
    first: list[RunEffect] = field(default_factory=list)

    def add(self, effect: RunEffect, limit: int) -> None:
        """Count what would happen to one more run."""
        self.chosen += 1
        if effect.is_nothing:
            return
        self.runs += 1
        self.tasks += len(effect.tasks)
        self.again += RunEvent.QUEUED_AGAIN in effect.events
        if len(self.first) < limit:
            self.first.append(effect)


@dataclass(slots=True)
class Sent:
    """A wish that was sent: to which runs (primary keys), under which request id."""

    request_id: UUID
    pks: list[int] = field(default_factory=list)
    preview: Preview = field(default_factory=Preview)


@dataclass(frozen=True, slots=True)
class Person:
    """Who wishes it, and through what: cli, ui or rest_api."""

    name: str
    via: str


def preview(db: Database, wish: Wish, *, limit: int = 100) -> Preview:
    """Return what would come of a wish; nothing is written.

    Args:
        limit: of so many runs it is said what would happen to each task; the others are counted.

    Raises:
        NotFound: no such DAG or run; or a name means no task in any of the runs' versions.
        UsageError: a regex that cannot be read, or "earlier" than a run without a logical date.
    """
    found = Preview()
    for effects in foresee(db, wish):
        for effect in effects:
            found.add(effect, limit)
    return found


def send(
    db: Database,
    wish: Wish,
    person: Person,
    *,
    note: str | None = None,
    request_id: UUID | None = None,
    limit: int = 100,
) -> Sent:
    """Send a wish to the runs for which something would come of it, and ring.

    Whoever holds the runs folds it: a scheduler within milliseconds, or ``at_once.fold_or_wait`` where none runs. It is
    sent in pages; what was sent stays sent, and sending it again with the same ``request_id`` says nothing new.

    Args:
        note: a remark for what would change: for the runs, when the wish is about whole runs, else for the tasks.

    Raises:
        NotFound, UsageError: as :func:`preview`; nothing was sent then.
    """
    sent = Sent(request_id or uuid4())
    for effects in foresee(db, wish):
        for effect in effects:
            sent.preview.add(effect, limit)
        wanted = [effect for effect in effects if not effect.is_nothing]
        if wanted:
            with db.write() as tx:
                _send_page(tx, wish, wanted, person, note, sent.request_id, db.now())
            sent.pks.extend(effect.run.pk for effect in wanted)
    return sent


def foresee(db: Database, wish: Wish, versions: VersionCache | None = None) -> Iterator[list[RunEffect]]:
    """Give what would happen to each of the chosen runs, in pages: by DAG, the oldest run first.

    Raises:
        NotFound, UsageError: as :func:`preview`, before the first page.
    """
    versions = versions or VersionCache()
    with db.read() as tx:
        choice = run_choice.resolve(tx, wish.runs)
        _check_names(tx, choice, wish, versions)
        newest = {dag_id: dags.load_newest_spec(tx, dag_id)[0] for dag_id in choice.dag_ids if _is_on_latest(wish)}
    if isinstance(wish, Clear) and wish.tasks.states and not newest:
        # A run in which no task is in such a state need not be read: of many, most.
        choice = replace(choice, task_states=wish.tasks.states)
    return _pages(db, wish, choice, newest, versions)


def _pages(
    db: Database, wish: Wish, choice: RunChoice, newest: dict[str, int], versions: VersionCache
) -> Iterator[list[RunEffect]]:
    place: Place | None = None
    while True:
        now = db.now()
        with db.read() as tx:
            page = run_choice.list_page(tx, choice, place, PAGE)
            parts = list(_parts(tx, page))
        for part in parts:
            with db.read() as tx:
                tasks = run_choice.load_tasks(tx, [run.pk for run in part])
                effects = [_foresee_run(tx, wish, run, tasks[run.pk], newest, versions, now) for run in part]
            yield effects
        if len(page) < PAGE:
            return
        place = Place(page[-1].dag_id, page[-1].run_after, page[-1].pk)


def _parts(tx: Connection, page: Sequence[RunRecord]) -> Iterator[list[RunRecord]]:
    """Divide a page, so that no part has more task instances than memory should hold at once."""
    sizes = run_choice.count_tasks(tx, [run.pk for run in page])
    part: list[RunRecord] = []
    total = 0
    for run in page:
        size = sizes.get(run.pk, 0)
        if part and total + size > MAX_INSTANCES:
            yield part
            part, total = [], 0
        part.append(run)
        total += size
    if part:
        yield part


def _check_names(tx: Connection, choice: RunChoice, wish: Wish, versions: VersionCache) -> None:
    tasks = None if isinstance(wish, MarkRuns) else wish.tasks
    if tasks is None or tasks.is_all:
        return
    newest = [dags.load_newest_spec(tx, dag_id)[1] for dag_id in choice.dag_ids]
    unknown = unknown_names(newest, tasks)
    if unknown:  # older versions may have had it
        used = run_choice.list_versions(tx, choice)
        unknown = unknown_names((*newest, *(versions.get(tx, version_id).spec for version_id in used)), tasks)
    if unknown:
        known = [task.task_id for spec in newest for task in spec.tasks]
        groups = [group.group_id for spec in newest for group in spec.groups]
        where = f"of DAG {choice.dag_ids[0]!r}" if len(choice.dag_ids) == 1 else f"of these {len(choice.dag_ids)} DAGs"
        mend = f"`tradewind tasks list {choice.dag_ids[0]}` shows the tasks."
        raise NotFound("Task or group", unknown[0], [*known, *groups], mend, within=where)


def _is_on_latest(wish: Wish) -> bool:
    return isinstance(wish, Clear) and (wish.on_latest or wish.only_new)


def _foresee_run(
    tx: Connection,
    wish: Wish,
    run: RunRecord,
    tasks: Sequence[TaskView],
    newest: dict[str, int],
    versions: VersionCache,
    now: datetime,
) -> RunEffect:
    version = versions.get(tx, run.version_id, run.task_subset)
    before = {task.key: task.state for task in tasks}
    planner = RunPlanner(runs.load_view(tx, run, version.graph, tasks), version.spec, now, Policy())
    if run.dag_id in newest:
        version = versions.get(tx, newest[run.dag_id], run.task_subset)
        change_version(planner, version, None if run.run_type is RunType.BACKFILL else run.task_date)
    intervene(planner, _command(wish, version, ""))
    return _effect(run, planner, before)


def _effect(run: RunRecord, planner: RunPlanner, before: dict[TaskKey, TaskState]) -> RunEffect:
    said = {(e.task_id, e.map_index): TaskEvent(e.kind) for e in planner.plan.events if e.task_id is not None}
    view = planner.run
    made: dict[TaskKey, None] = {key: None for key in view.tasks if key not in before}
    tasks = [
        TaskEffect(*key, before.get(key, TaskState.NONE), said.get(key), view.tasks[key].state)
        for key in (*dict.fromkeys(said), *(key for key in made if key not in said))
        if key in view.tasks
    ]
    events = [RunEvent(event.kind) for event in planner.plan.events if event.task_id is None]
    return RunEffect(run, tasks, events, view.state, view.version_id)


def _command(wish: Wish, version: Version, by: str) -> Command:
    """Return what a run of this version is told."""
    match wish:
        case Clear():
            selection = Selection(task_ids=()) if wish.only_new else to_selection(version.spec, wish.tasks)
            return ClearTasks(selection, version.id if _is_on_latest(wish) else None, by)
        case Mark():
            return MarkTasks(to_selection(version.spec, wish.tasks), wish.state, by)
        case MarkRuns():
            return MarkRun(wish.state, by)
        case HoldBack():
            selection_or_run = None if wish.tasks is None else to_selection(version.spec, wish.tasks)
            return Hold(selection_or_run, _why_held(wish.why, by))
        case LetGo():
            return Release(None if wish.tasks is None else to_selection(version.spec, wish.tasks), by)
        case Cancel(tasks=None):
            return MarkRun(RunState.FAILED, by, f"cancelled by {by}")
        case Cancel(tasks=tasks):
            assert tasks is not None
            unfinished = replace(tasks, states=tuple(s for s in _UNFINISHED if not tasks.states or s in tasks.states))
            selection = to_selection(version.spec, unfinished)
            return MarkTasks(selection, TaskState.FAILED, by, f"cancelled by {by}")


def _why_held(why: str, by: str) -> str:
    return f"held by {by}{': ' if why else ''}{why}" if by else why


def _send_page(
    tx: Connection,
    wish: Wish,
    effects: Sequence[RunEffect],
    person: Person,
    note: str | None,
    request_id: UUID,
    now: datetime,
) -> None:
    versions = VersionCache()
    messages = []
    for effect in effects:
        version = versions.get(tx, effect.version_id, effect.run.task_subset)
        command = _command(wish, version, person.name)
        messages.append(inbox.command_message(effect.run.pk, request_id, command))
    inbox.send(tx, messages, now)
    if note is not None and _is_of_runs(wish):
        run_choice.set_run_notes(tx, [effect.run.pk for effect in effects], note)
    elif note is not None:
        keys = [(effect.run.pk, task.key) for effect in effects for task in effect.tasks]
        run_choice.set_task_notes(tx, keys, note)
    audit.note_all(tx, now, [_audit_entry(wish, effect, person, note, request_id) for effect in effects])


def _is_of_runs(wish: Wish) -> bool:
    return isinstance(wish, MarkRuns) or wish.tasks is None or wish.tasks == ALL_TASKS


def _audit_entry(wish: Wish, effect: RunEffect, person: Person, note: str | None, request_id: UUID) -> audit.Entry:
    tasks = None if isinstance(wish, MarkRuns) else wish.tasks
    is_of_run = tasks is None or tasks == ALL_TASKS
    ids = {task.task_id for task in effect.tasks}
    detail: dict[str, object] = {"request": str(request_id), "tasks": len(effect.tasks)}
    if isinstance(wish, Mark | MarkRuns):
        detail["state"] = wish.state.value
    if isinstance(wish, HoldBack) and wish.why:
        detail["why"] = wish.why
    if effect.version_id != effect.run.version_id:
        detail["version_id"] = effect.version_id
    if note is not None:
        detail["note"] = note
    return audit.Entry(
        actor=person.name,
        via=person.via,
        action=f"{'run' if is_of_run else 'task'}.{_ACTIONS[type(wish)]}",
        dag_id=effect.run.dag_id,
        run_id=effect.run.run_id,
        task_id=next(iter(ids)) if not is_of_run and len(ids) == 1 else None,
        detail=detail,
    )
