"""How did an attempt end? Put together from what the task said and from what its process came to. Pure."""

from __future__ import annotations

import signal as signals
from dataclasses import dataclass
from datetime import datetime

from executors.runner.protocol import Exited, Result
from tradewind.model.orders import AttemptEnded, AttemptOrder, Outcome

MAX_ERROR_LENGTH = 2000


@dataclass(slots=True)
class Observed:
    """All that was seen of one attempt."""

    started_at: datetime | None = None
    pid: int = 0
    result: Result | None = None  # the task's own words
    exited: Exited | None = None  # what became of its process; None: nobody knows
    ended_for: str | None = None  # why we ended it ourselves, e.g. "cancelled"
    is_stopping: bool = False  # we ended it because this supervisor stops
    lost: str | None = None  # why nobody knows what became of its process
    failed: str | None = None  # why it could not be run at all
    is_oom: bool = False  # the kernel has killed something for want of memory, about when its process was killed


def verdict(order: AttemptOrder, seen: Observed, now: datetime, hostname: str) -> AttemptEnded:
    """Return the fact that the attempt has ended.

    The task's own word counts when it has said one, whatever became of its process afterwards. A process that ended
    without a word has failed, and may be retried. An attempt that was ended by the stop of its supervisor, or whose
    process nobody watched to its end, is lost: that is not the task's fault and uses up no try.
    """
    outcome, error, may_retry = _judge(seen)
    exited, result = seen.exited, seen.result
    return AttemptEnded(
        attempt_id=order.attempt_id,
        fence=order.fence,
        run_pk=order.run_pk,
        outcome=outcome,
        at=now,
        started_at=seen.started_at,
        hostname=hostname,
        pid=seen.pid,
        may_retry=may_retry,
        died=outcome is Outcome.FAILED and result is None,
        error=error[:MAX_ERROR_LENGTH] if error else None,
        exit_code=exited.exit_code if exited else None,
        signal=exited.signal if exited else None,
        peak_rss_bytes=exited.peak_rss_bytes if exited else None,
        cpu_seconds=exited.cpu_seconds if exited else None,
        xcoms=result.xcoms if result else (),
        then=result.then if result else None,
    )


def _judge(seen: Observed) -> tuple[Outcome, str | None, bool]:
    if seen.failed is not None:
        return Outcome.FAILED, seen.failed, True
    if seen.result is not None:
        if seen.is_stopping and seen.result.outcome is Outcome.FAILED:
            return Outcome.RETURNED, f"ended because the executor was stopped: {seen.result.error}", True
        if seen.ended_for and seen.result.outcome is Outcome.FAILED:
            return Outcome.FAILED, f"{seen.ended_for}: {seen.result.error}", seen.result.may_retry
        return seen.result.outcome, seen.result.error, seen.result.may_retry
    if seen.is_stopping:
        return Outcome.RETURNED, "ended because the executor was stopped", True
    if seen.exited is None:
        return Outcome.LOST, seen.lost or "nobody knows what became of its process", True
    how = how_it_died(seen.exited, asked_for=seen.ended_for is not None, is_oom=seen.is_oom)
    return Outcome.FAILED, f"{seen.ended_for}: {how}" if seen.ended_for else how, True


def how_it_died(exited: Exited, asked_for: bool = False, is_oom: bool = False) -> str:
    """Return in words how a process ended that did not say how its task ended.

    Args:
        asked_for: we ended it ourselves, so that memory is not the cause.
        is_oom: the kernel says that it has killed for want of memory.
    """
    peak = f"peak memory {exited.peak_rss_bytes // 2**20} MiB"
    if exited.signal == signals.SIGKILL and is_oom and not asked_for:
        return (
            f"out of memory: killed by the kernel (signal 9, SIGKILL); {peak}. Give the machine or the container more "
            "memory, let fewer tasks run at once (a pool), or set [workers] task_memory_limit_mb"
        )
    if exited.signal is not None:
        guess = " — perhaps out of memory" if exited.signal == signals.SIGKILL and not asked_for else ""
        return f"killed by signal {exited.signal} ({signal_name(exited.signal)}); {peak}{guess}"
    return (
        f"the task process ended with exit code {exited.exit_code} before the task was over; {peak}. "
        "Look for os._exit() and for crashes of native libraries"
    )


def signal_name(number: int) -> str:
    """Return ``SIGKILL`` for 9; for a number without a name, that number."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return str(number)
