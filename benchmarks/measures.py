"""What is measured, and how? Each function takes a contender that runs and gives named numbers."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

from benchmarks import meter
from benchmarks.contenders import Contender, Running
from benchmarks.workloads import Sizes, write_saved

Figures = dict[str, float]

FINAL = ("success", "failed")


def idle(running: Running, sizes: Sizes) -> Figures:
    """Watch it while nothing is due: memory and CPU of all its processes."""
    time.sleep(sizes.settle_seconds)
    before, began = meter.cpu_seconds(running.pid), time.monotonic()
    time.sleep(sizes.idle_seconds)
    spent, passed = meter.cpu_seconds(running.pid) - before, time.monotonic() - began
    return {
        "idle_pss_mib": meter.pss_bytes(running.pid) / 2**20,
        "idle_cpu_percent": 100 * spent / passed,
        "idle_processes": float(meter.process_count(running.pid)),
    }


def chain(running: Running, sizes: Sizes) -> Figures:
    """Run tasks one after another: how long from the end of one to the start of the next?"""
    cpu = _run(running, "chain", sizes.chain)
    tasks = running.task_times("chain")
    hops = [(after.started - before.ended).total_seconds() * 1000 for before, after in pairwise(tasks)]
    return {
        "chain_cpu_ms_per_task": 1000 * cpu / sizes.chain,
        "hop_p50_ms": median(hops),
        "hop_p95_ms": quantiles(hops, n=20)[-1],
        "chain_seconds": (tasks[-1].ended - tasks[0].started).total_seconds(),
    }


def parallel(running: Running, sizes: Sizes) -> Figures:
    """Run independent tasks: how many in a second?"""
    cpu = _run(running, "parallel", sizes.parallel)
    tasks = running.task_times("parallel")
    seconds = (max(task.ended for task in tasks) - min(task.started for task in tasks)).total_seconds()
    return {
        "parallel_cpu_ms_per_task": 1000 * cpu / sizes.parallel,
        "parallel_tasks_per_second": len(tasks) / seconds,
    }


def mapped(running: Running, sizes: Sizes) -> Figures:
    """Run one task, a task for each of the values that it gives, and one behind all of them."""
    size = sizes.mapped + 2
    cpu = _run(running, "mapped", size)
    tasks = running.task_times("mapped")
    seconds = (max(task.ended for task in tasks) - min(task.started for task in tasks)).total_seconds()
    return {"mapped_cpu_ms_per_task": 1000 * cpu / size, "mapped_tasks_per_second": len(tasks) / seconds}


def due(running: Running, sizes: Sizes, at: datetime) -> Figures:
    """Let many DAGs be due at once: how long until the first task of each starts?"""
    left = max(0.0, (at - datetime.now(UTC)).total_seconds())
    wait_for(lambda: len(running.first_starts("due_")) >= sizes.due, left + 300, f"{sizes.due} runs", running)
    late = [(start - at).total_seconds() * 1000 for start in running.first_starts("due_")]
    if min(late) < 0:
        raise RuntimeError(f"{running.contender.name} ran a DAG before it was due, or one of an earlier date")
    return {"due_p50_ms": median(late), "due_max_ms": max(late)}


def save(running: Running, sizes: Sizes) -> Figures:
    """Save a file a few times: how long until the new DAG is known?"""
    passed = []
    for number in range(3):
        time.sleep(3)  # editors do not save twice in a second
        began = time.monotonic()
        dag_id = write_saved(running.home / "dags", number)
        wait_for(lambda: running.knows(dag_id), 400, f"DAG {dag_id}", running)  # noqa: B023  called in this turn
        passed.append((time.monotonic() - began) * 1000)
    return {"save_ms": median(passed)}


def importing(contender: Contender) -> Figures:
    """Import what every DAG file imports, in a fresh interpreter with warm caches: CPU beyond the interpreter's own."""
    package = "airflow.sdk" if contender.is_airflow else "tradewind"
    python = Path(contender.program).parent / "python"
    with_import = median(_cpu_of(python, f"from {package} import DAG, task") for _ in range(5))
    without = median(_cpu_of(python, "pass") for _ in range(5))
    return {"import_cpu_ms": 1000 * (with_import - without)}


def _cpu_of(python: Path, code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cold(running: Running, began: float) -> Figures:
    """Wait until the DAG that is due at once has run; ``began`` is when the contender was started."""
    wait_for(lambda: running.run_state("once") in FINAL, 300, f"the first run of {running.contender.name}", running)
    seconds, cpu = time.monotonic() - began, meter.cpu_seconds(running.pid)
    _check(running, "once", 1)
    return {"cold_seconds": seconds, "cold_cpu_seconds": cpu}


def ready(running: Running, dags: int) -> None:
    """Wait until it knows so many DAGs."""
    wait_for(lambda: running.known_dags() >= dags, 300, f"{dags} DAGs in {running.contender.name}", running)


def wait_for(done: Callable[[], bool], timeout: float, what: str, running: Running) -> None:
    """Return as soon as ``done`` is true.

    Raises:
        RuntimeError: it was not in time, or the contender ended by itself.
    """
    deadline = time.monotonic() + timeout
    while not done():
        _ = running.pid  # raises when it has ended
        if time.monotonic() > deadline:
            raise RuntimeError(f"Waited {timeout:g} s in vain for {what}; see {running.home}/output.log")
        time.sleep(0.05)


def _run(running: Running, dag_id: str, size: int) -> float:
    """Trigger a DAG, wait for its end, and return the CPU seconds that it took."""
    before = meter.cpu_seconds(running.pid)
    running.trigger(dag_id)
    wait_for(lambda: running.run_state(dag_id) in FINAL, 60 + 5 * size, f"the run of {dag_id}", running)
    time.sleep(1)  # the last processes end, and their CPU time reaches their parents
    spent = meter.cpu_seconds(running.pid) - before
    _check(running, dag_id, size)
    return spent


def _check(running: Running, dag_id: str, size: int) -> None:
    """A figure counts only when the work was done."""
    good = sum(task.state == "success" for task in running.task_times(dag_id))
    if good != size or running.run_state(dag_id) != "success":
        raise RuntimeError(
            f"{running.contender.name} ran {good} of {size} tasks of {dag_id} well; see {running.home}/output.log"
        )
