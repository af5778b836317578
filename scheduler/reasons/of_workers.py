"""Why has nobody taken an attempt that waits in a queue? The workers of that queue, and what each of them does."""

from __future__ import annotations

from typing import Final

from scheduler.reasons.scene import Scene
from tradewind.metadata.causes import AttemptFacts
from tradewind.metadata.worker_queue import WorkerRecord, has_known_worker, list_workers
from tradewind.terminal.output import counted

CELERY: Final = "CeleryExecutor"
NAMED: Final = 5
"""How many workers are named in one sentence."""


def about_queue(scene: Scene, attempt: AttemptFacts) -> str:
    """Return what an attempt waits for that nobody has claimed."""
    name, queue = attempt.executor, attempt.queue
    workers = list_workers(scene.tx, scene.now, name)
    takers = [worker for worker in workers if queue in worker.queues]
    if not takers:
        return _about_nobody(scene, name, queue, workers)
    active = [worker for worker in takers if not worker.is_draining]
    if not active:
        one = f"the only worker that takes it, {takers[0].name}, is draining and takes no more work"
        who = one if len(takers) == 1 else "all its workers are draining and take no more work"
        return f"waits in queue {queue!r}: {who}; {_start(name, queue)}"
    free = sum(max(0, worker.slots - worker.held) for worker in active)
    if not free:
        slots = sum(worker.slots for worker in active)
        each = ", ".join(f"{worker.name} {worker.held} of {worker.slots}" for worker in active[:NAMED])
        more = f" and {len(active) - NAMED} more" if len(active) > NAMED else ""
        whose = "the worker that takes it" if len(active) == 1 else f"the {len(active)} workers that take it"
        return f"waits in queue {queue!r}: all {slots} slots of {whose} are taken ({each}{more})"
    return f"waits in queue {queue!r}: {counted(free, 'slot')} of its workers are free, so it is taken within seconds"


def _about_nobody(scene: Scene, name: str, queue: str, workers: list[WorkerRecord]) -> str:
    known = _offered(scene)
    if not workers and scene.schedulers and name not in known:
        here = ", ".join(sorted(known)) or "none"
        return (
            f"waits in queue {queue!r} of an executor that no scheduler has any more (there are: {here}); put it back "
            "into [core] executor, or clear the task"
        )
    if not workers and not _runs_workers(scene, name):
        return "waits until that executor claims it"
    others = ""
    if workers:
        told = "; ".join(f"{worker.name} takes {', '.join(worker.queues)}" for worker in workers[:NAMED])
        others = f" ({told})"
    return f"waits in queue {queue!r}, which no worker takes{others}; {_start(name, queue)}"


def _offered(scene: Scene) -> set[str]:
    return {name for process in scene.schedulers for name in process.info.get("executor_limits", {})}


def _runs_workers(scene: Scene, name: str) -> bool:
    """Whether an executor is one of workers: its kind says so, or one of them was there."""
    return scene.lanes.spellings.get(CELERY, CELERY) == name or has_known_worker(scene.tx, name)


def _start(name: str, queue: str) -> str:
    whose = "" if name == CELERY else f" --executor {name}"
    return f"start one with `tradewind celery worker --queues {queue}{whose}`"
