"""The one family of errors: what happened, to which thing, what was expected, how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class TradewindError(Exception):
    """Base of every error that Tradewind raises on purpose.

    ``code`` is stable and meant for machines (REST answers, tests); the message is meant for people and ends with the
    mend. The command line prints the message alone and exits with ``exit_code``.
    """

    code: str = "error"
    exit_code: int = 1


class UsageError(TradewindError):
    """The caller asked for something that cannot be meant: a wrong value, an unknown name, a conflict of options."""

    code = "usage"
    exit_code = 2


class NotFound(TradewindError):
    """The thing named does not exist.

    Args:
        kind: what was looked for, as people say it (``"DAG"``, ``"pool"``).
        name: the name that was given.
        known: names that exist; the nearest is offered.
        mend: what to do, one sentence.
        within: where it was looked for, if that has a name (``"of DAG 'x'"``).
    """

    code = "not-found"

    def __init__(self, kind: str, name: str, known: Iterable[str] = (), mend: str = "", within: str = "") -> None:
        self.kind, self.name, self.mend, self.within = kind, name, mend, within
        self.hint = did_you_mean(name, known)
        place = f" {within}" if within else ""
        super().__init__(f"{kind} {name!r}{place} does not exist.{self.hint}{' ' + mend if mend else ''}")

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.kind, self.name, (), self.mend, self.within))


class Conflict(TradewindError):
    """The thing exists already, or its state forbids what was asked."""

    code = "conflict"


class DagError(TradewindError):
    """A DAG file says something that cannot be run. Raised while the file is imported, shown as its import error."""

    code = "dag"


class DagCycle(DagError):
    """The tasks of a DAG wait for each other in a ring."""

    code = "dag-cycle"


class DuplicateTaskId(DagError):
    """Two tasks of one DAG have the same id."""

    code = "duplicate-task-id"


class MetadataError(TradewindError):
    """The metadata DB is missing, unreachable, not migrated, or held by somebody else."""

    code = "metadata"


class IllegalTransition(TradewindError):
    """A state was asked to move in a way that the table of moves does not know: a defect, never a user's mistake."""

    code = "illegal-transition"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest of ``known``, or an empty string when nothing is near."""
    near = get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
