"""How long does a failed task wait before it is tried again?"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from tradewind.model.spec import TaskSpec


def retry_delay(task: TaskSpec, failures: int, seed: str, cap: timedelta) -> timedelta:
    """Return the wait after a failed attempt.

    Args:
        task: ``retry_exponential_backoff`` is the multiplier, 0 for a constant delay.
        failures: how many attempts have used up a try, this one included; counted from 1.
        seed: names the task instance. The same seed and count give the same delay, so any scheduler decides alike.
        cap: no delay is longer, whatever the task says (``[core] max_task_retry_delay``).

    Returns:
        The constant delay; or, with backoff, ``delay * multiplier ** (failures - 1)`` and up to as much again by a
        jitter, bounded by ``max_retry_delay`` and ``cap``.

    Raises:
        ValueError: ``failures`` is below 1.
    """
    if failures < 1:
        raise ValueError(f"failures is counted from 1, not {failures}")
    limits = [cap.total_seconds()]
    if task.max_retry_delay_seconds is not None:
        limits.append(task.max_retry_delay_seconds)
    if not task.retry_exponential_backoff:
        return timedelta(seconds=min(task.retry_delay_seconds, cap.total_seconds()))
    # Powers beyond the cap are of no interest, and a float overflows at about 2 ** 1024.
    growth = task.retry_exponential_backoff ** min(failures - 1, 256)
    digest = hashlib.blake2b(f"{seed}\0{failures}".encode(), digest_size=8).digest()
    jitter = int.from_bytes(digest) / 2**64
    return timedelta(seconds=min(task.retry_delay_seconds * growth * (1 + jitter), *limits))
