"""How are the figures shown? One table with machine and versions, as Markdown."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from benchmarks.measures import Figures
from benchmarks.workloads import Sizes

ROWS: Final = {
    "chain_cpu_ms_per_task": ("CPU for each task, chain of {chain}", "{:.1f} ms"),
    "parallel_cpu_ms_per_task": ("CPU for each task, {parallel} in parallel", "{:.1f} ms"),
    "mapped_cpu_ms_per_task": ("CPU for each task, 1, {mapped} mapped, 1", "{:.1f} ms"),
    "hop_p50_ms": ("end of a task to start of the next, median", "{:.1f} ms"),
    "hop_p95_ms": ("the same, 95th percentile", "{:.1f} ms"),
    "chain_seconds": ("chain of {chain}, first start to last end", "{:.2f} s"),
    "parallel_tasks_per_second": ("{parallel} in parallel, 16 at a time", "{:.1f} tasks/s"),
    "mapped_tasks_per_second": ("1, {mapped} mapped, 1, 16 at a time", "{:.1f} tasks/s"),
    "idle_pss_mib": ("idle, {dags} DAGs: memory of all processes (PSS)", "{:.0f} MiB"),
    "idle_cpu_percent": ("idle, {dags} DAGs: CPU of one core", "{:.2f} %"),
    "idle_processes": ("idle: processes", "{:.0f}"),
    "due_p50_ms": ("{due} DAGs due at once: due to first start, median", "{:.0f} ms"),
    "due_max_ms": ("the same, the last of them", "{:.0f} ms"),
    "save_ms": ("a file is saved to its new DAG is known", "{:.0f} ms"),
    "import_cpu_ms": ("import of what a DAG file imports, CPU", "{:.0f} ms"),
    "cold_seconds": ("fresh home to first task finished", "{:.1f} s"),
    "cold_cpu_seconds": ("the same, CPU", "{:.1f} s"),
}


def table(results: Mapping[str, Sequence[Figures]], sizes: Sizes) -> str:
    """Return a Markdown table: a line for each figure, a column for each contender.

    A cell holds the median of the rounds, and the lowest and highest when there were several.
    """
    names = list(results)
    lines = [f"| what | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    filled = {name: getattr(sizes, name) for name in ("chain", "parallel", "mapped", "dags", "due")}
    for key, (what, form) in ROWS.items():
        cells = [_cell([round_[key] for round_ in results[name] if key in round_], form) for name in names]
        if any(cells):
            lines.append(f"| {what.format(**filled)} | {' | '.join(cell or '–' for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float], form: str) -> str:
    if not values:
        return ""
    middle = form.format(median(values))
    if len(values) == 1:
        return middle
    number = form.partition("}")[0] + "}"
    return f"{middle} ({number.format(min(values))}–{number.format(max(values))})"


APART: Final = "## Parts measured apart"
"""From this heading on the page is written by hand, and kept when the rest is written again."""


def written_by_hand(page: str) -> str:
    """Return the part of the page that a new measurement leaves alone, with the blank line before it."""
    _, heading, rest = page.partition(f"\n{APART}\n")
    return f"\n{heading.lstrip()}{rest}" if heading else ""


def page(results: Mapping[str, Sequence[Figures]], sizes: Sizes, order: Sequence[str], facts: Sequence[str]) -> str:
    """Return ``docs/benchmarks.md``."""
    return f"""# Benchmarks

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}. Each cell is the median of the rounds, with the lowest and the
highest in brackets. The rounds were run in turn, in one go: {"; ".join(order)}.

{table(results, sizes)}
## Machine and versions

{chr(10).join(f"- {line}" for line in facts)}

## How it is measured

- Every contender runs the same DAG files, with Airflow's imports; tasks are Python functions that do nothing. All run
  with task isolation and durability on: SQLite in WAL mode with `synchronous=NORMAL`, PostgreSQL with its defaults.
- LocalExecutor, `parallelism` 16. "Tuned" Apache Airflow has `scheduler_idle_sleep_time = 0.1` instead of 1 s.
- "Celery + Redis" is `tradewind cluster` with one scheduler, one Celery worker, one triggerer and one web server, on
  PostgreSQL. The Redis that it starts is counted with it.
- Each contender is started by its `standalone` command in a fresh home with an empty database. Runs are triggered from
  the command line, whose own cost is not counted.
- CPU is that of all processes of the contender, those that have ended included. The database server is left out, since
  it may serve others; SQLite's work is done inside and counted. Memory is the proportional set size: pages that several
  processes share count once.
- Start and end of a task are those that the scheduler itself recorded.
- Idle: no DAG is due; after {sizes.settle_seconds:g} s of rest, watched for {sizes.idle_seconds:g} s.
- Due at once: from the instant that the schedule names to the start of the only task of each DAG.
- Saved file: an existing file gets a DAG of a new name; until that DAG is in the database.
- Cold start: from the start of `db migrate` in an empty home until the task of a DAG that is due at once has ended.

The harness is in `benchmarks/`. `make bench` measures again; `make bench AIRFLOW=/path/to/bin/airflow` does so against
an Apache Airflow that you have.
"""


def machine() -> list[str]:
    """Return what the figures depend on: processor, memory, system, load by others."""
    busy = os.getloadavg()[0]
    return [
        f"{psutil.cpu_count()} cores, {_processor()}, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"{platform.system()} {platform.release()}; load average {busy:.1f} before the first round",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def version_of(program: str, environment: Mapping[str, str]) -> str:
    """Return name and version of a contender, by what ``PROGRAM version`` says."""
    done = subprocess.run([program, "version"], env={**os.environ, **environment}, capture_output=True, text=True)
    version = next((line.strip() for line in reversed(done.stdout.splitlines()) if line.strip()), "unknown")
    name = "Apache Airflow" if Path(program).name == "airflow" else "Tradewind"
    return f"{name} {version}"
