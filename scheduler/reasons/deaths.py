"""How did it die? What the newest attempt of an instance left, in words."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from tradewind.metadata.causes import AttemptFacts, Holder
from tradewind.model.states import TaskState
from tradewind.run.view import TaskView

_SMALL: Final = 2**20


def about_end(task: TaskView, attempt: AttemptFacts | None) -> str:
    """Return why an instance ended as it did, with the figures of the process that failed."""
    text = task.reason or f"it is {task.state.value}"
    if attempt is None or task.state is not TaskState.FAILED or attempt.started_at is None:
        return text
    facts = [f"try {attempt.try_number}"]
    if attempt.exit_code:
        facts.append(f"exit code {attempt.exit_code}")
    if attempt.signal:
        facts.append(f"signal {attempt.signal}")
    if attempt.peak_rss_bytes and "peak memory" not in text:
        facts.append(f"peak memory {attempt.peak_rss_bytes / _SMALL:.0f} MiB")
    if attempt.hostname:
        facts.append(f"on {attempt.hostname}")
    return f"{text} ({', '.join(facts)})"


def about_lease(holder: Holder | None, what: str, now: datetime) -> str:
    """Return what is to be said of a process that may be gone; empty when it is alive, or nobody has it."""
    if holder is None or holder.is_alive(now):
        return ""
    who = f"{what} on {holder.hostname} (process {holder.pid})"
    if holder.ended_at is not None:
        return f"; {who} ended at {_at(holder.ended_at)}: a scheduler takes it as lost and starts it again"
    return (
        f"; {who} was last heard of at {_at(holder.heartbeat_at)} and its lease is over: a scheduler takes it as lost "
        "and starts it again"
    )


def _at(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
