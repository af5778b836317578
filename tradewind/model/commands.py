"""What can a person ask of a run? Commands: sent through its inbox, folded like facts.

Whoever asks says which tasks are meant and not which instances: those are found when the command is folded, so that a
command that had to wait means what stands there then.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tradewind.model.states import RunState, TaskState


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some task instances of one run.

    Attributes:
        task_ids: the tasks meant; None: all tasks of the run.
        map_indexes: for those of them of which only some indexes are meant, which.
        upstream, downstream: also what stands above and below them; index by index where the mapping goes so.
        states: of all these, only the instances in one of these states; empty: in any.
        starting_from: of the tasks meant, only the instances in one of these states, before what stands above and below
            them is looked for; empty: in any.
    """

    task_ids: tuple[str, ...] | None = None
    map_indexes: Mapping[str, tuple[int, ...]] = {}
    upstream: bool = False
    downstream: bool = False
    states: tuple[TaskState, ...] = ()
    starting_from: tuple[TaskState, ...] = ()


class ClearTasks(msgspec.Struct, frozen=True, omit_defaults=True, tag="clear"):
    """Do these instances again. A run that has ended is queued again. What is running is stopped first.

    ``version_id`` says with which version of its DAG the run goes on; None: with the one that it has.
    """

    selection: Selection
    version_id: int | None = None
    by: str = ""


class MarkTasks(msgspec.Struct, frozen=True, omit_defaults=True, tag="mark"):
    """Take these instances as success, failed or skipped. What is running is stopped.

    What stands below them and failed for their sake is done again. ``why``: what is said of it, if anything else than
    that they were marked.
    """

    selection: Selection
    state: TaskState
    by: str = ""
    why: str = ""


class MarkRun(msgspec.Struct, frozen=True, omit_defaults=True, tag="mark_run"):
    """Take the run as success or failed, and end what is not done; or look anew how it ends (queued).

    ``why``: what is said of it, if anything else than that it was marked.
    """

    state: RunState
    by: str = ""
    why: str = ""


class Hold(msgspec.Struct, frozen=True, omit_defaults=True, tag="hold"):
    """Start no more of these instances, or nothing of the run at all (``selection`` None), until they are released."""

    selection: Selection | None = None
    why: str = ""  # who holds it, and what for


class Release(msgspec.Struct, frozen=True, omit_defaults=True, tag="release"):
    """Start what was held."""

    selection: Selection | None = None
    by: str = ""


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """What one instance has come to in the run that it is taken over from."""

    task_id: str
    map_index: int
    state: TaskState
    length: int | None = None
    map_label: str | None = None
    decided_against: tuple[str, ...] = ()


class TakeOver(msgspec.Struct, frozen=True, omit_defaults=True):
    """As the run starts, take these instances as done: they are, in the run that it replays.

    It waits in the inbox for the start, and is no command: what a run has begun nobody takes over.

    Attributes:
        run_id: of the run that is replayed.
        indexes: how many map indexes the tasks have of which some are taken over.
    """

    run_id: str
    instances: tuple[Taken, ...]
    indexes: Mapping[str, int] = {}


Command = ClearTasks | MarkTasks | MarkRun | Hold | Release
"""Any of them; the tag tells which."""
