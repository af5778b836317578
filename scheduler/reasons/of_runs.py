"""Why is a run as it is? In the order in which ``runs.claim_startable`` and the planner decide."""

from __future__ import annotations

from scheduler.reasons.scene import Scene
from tradewind.metadata import run_keys
from tradewind.metadata.backfills import active_runs, find_backfill
from tradewind.metadata.causes import find_holder, find_start, last_said
from tradewind.model.states import RunEvent, RunState, RunType, TaskState
from tradewind.terminal.output import counted


def about_run(scene: Scene) -> str:
    """Return one sentence about a run."""
    run = scene.run
    if run.state is RunState.QUEUED:
        return _again(scene) + _about_queued(scene) + scene.missed(None)
    if run.state is RunState.RUNNING:
        return _about_running(scene) + scene.missed(None)
    good = "every deciding task succeeded" if run.state is RunState.SUCCESS else "it failed"
    return (run.reason or good) + scene.missed(None)


def held_run(scene: Scene) -> str:
    """Return who holds a run, and how it goes on."""
    return f"its run {_is_held(scene)}"


def _is_held(scene: Scene) -> str:
    dag_id, run_id = scene.run.dag_id, scene.run.run_id
    return f"is held ({scene.run.held}); release it with `tradewind dags release {dag_id} {run_id}`"


def _again(scene: Scene) -> str:
    """Return who had it done again; empty for a run that starts for the first time, or after a failed try."""
    if not scene.part.counts or scene.run.retries_used:
        return ""
    said = last_said(scene.tx, scene.run.pk, (RunEvent.QUEUED_AGAIN,))
    if said is None:
        return ""
    by = f" by {said.by}" if said.by else ""
    return f"some of its tasks are to be done again since {said.at.isoformat(timespec='seconds')}, as was asked{by}; "


def _about_queued(scene: Scene) -> str:
    run, dag = scene.run, scene.dag
    facts = find_start(scene.tx, run)
    if facts is None:
        return "its DAG is gone"
    if run.held is not None:
        return f"it {_is_held(scene)}"
    after = ""
    if run.retries_used:
        tries = scene.whole.spec.run_retries + 1
        after = f"its try {run.retries_used} of {tries} failed ({(run.reason or '').removeprefix('failed: ')} failed); "
        if facts.start_at is not None:
            return f"{after}the next begins at {facts.start_at.isoformat()}{scene.no_scheduler}"
    elif facts.start_at is not None:
        return f"it is due at {facts.start_at.isoformat()}, as was asked{scene.no_scheduler}"
    if run.run_type is RunType.BACKFILL:
        return after + _about_backfill(scene)
    if facts.is_automatic and facts.is_paused:
        return f"{after}its DAG is paused; unpause it with `tradewind dags unpause {dag.dag_id}`"
    if facts.is_automatic and facts.holds_after_failure and facts.failed_last is not None:
        return (
            f"{after}run {facts.failed_last!r} failed, and the DAG says on_run_failure='hold': it starts once that run "
            "was cleared or marked as success"
        )
    if facts.running >= facts.max_active_runs:
        names = ", ".join(facts.running_ids)
        more = f" and {facts.running - len(facts.running_ids):,} more" if facts.running > len(facts.running_ids) else ""
        return f"{after}max_active_runs is reached: {facts.running} of {facts.max_active_runs} run ({names}{more})"
    used_up = run_keys.blocker(scene.tx, run)
    if used_up is not None:
        return after + used_up
    if facts.ahead >= facts.max_active_runs - facts.running:
        return f"{after}{counted(facts.ahead, 'run')} of its DAG come first: earlier ones start before later ones"
    return f"{after}it starts as soon as a scheduler looks at it{scene.no_scheduler}"


def _about_backfill(scene: Scene) -> str:
    """Return what ``backfill_window.claim_runs`` looks at."""
    number = scene.run.backfill_id
    backfill = None if number is None else find_backfill(scene.tx, number)
    if backfill is None:
        return f"its backfill is gone, and it starts by itself, among ten such runs at most{scene.no_scheduler}"
    if backfill.is_open and backfill.is_paused:
        why = f" ({backfill.reason})" if backfill.reason else ""
        return f"its backfill {number} is paused{why}; go on with `tradewind backfill unpause {number}`"
    running = sum(state is RunState.RUNNING for _, state in active_runs(scene.tx, backfill.id))
    if running >= backfill.max_active_runs:
        return f"the window of its backfill {number} is full: {running} of {backfill.max_active_runs} run"
    used_up = run_keys.blocker(scene.tx, scene.run)
    if used_up is not None:
        return used_up
    return f"its backfill {number} starts it as soon as a scheduler looks at it{scene.no_scheduler}"


def _about_running(scene: Scene) -> str:
    view = scene.part.view
    left = f"{view.unfinished:,} of {counted(scene.part.total, 'task')} are not done"
    if view.verdict is not None:
        left = f"{view.reason}; it ends so when its teardowns have run: {left}"
    if view.held is not None:
        ready = sum(n for (_, state), n in scene.part.counts.items() if state is TaskState.SCHEDULED)
        return f"it {_is_held(scene)}; {left}, {ready:,} ready"
    holder = find_holder(scene.tx, scene.run.claimed_by)
    if scene.schedulers and holder is not None and not holder.is_alive(scene.now):
        left += (
            f"; the scheduler on {holder.hostname} (process {holder.pid}) that had it is gone, and another takes it up"
        )
    return left + scene.no_scheduler
