"""What does a tree of processes cost? CPU time of all, the dead included, and memory with shared pages counted once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
UTIME: Final = 11  # place of utime in /proc/PID/stat after the command; stime, cutime and cstime follow


def cpu_seconds(root: int) -> float:
    """Return the CPU time of ``root`` and all its descendants so far, user and system, those that ended included.

    Right for a tree whose root reaps orphans (:mod:`benchmarks.stage`): what a process used passes to its parent when
    it is reaped. A process that ends between two looks may be missed by one and is caught by the next.
    """
    return sum(_ticks(pid) for pid in _pids(root)) / TICKS_PER_SECOND


def pss_bytes(root: int) -> int:
    """Return the proportional set size of the tree: each page divided by the number of processes that share it."""
    return sum(_pss(pid) for pid in _pids(root))


def process_count(root: int) -> int:
    """Return how many processes the tree has, the stage itself apart."""
    return sum(1 for _ in _pids(root)) - 1


def _pids(root: int) -> Iterator[int]:
    yield root
    try:
        for child in psutil.Process(root).children(recursive=True):
            yield child.pid
    except psutil.NoSuchProcess:
        return


def _ticks(pid: int) -> int:
    try:
        after_command = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, after_command[UTIME : UTIME + 4]))


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
