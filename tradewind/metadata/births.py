"""Which process is it, when pids are given again and clocks differ? The kernel's tick at which it began says so."""

from __future__ import annotations

import os
from typing import Final

BORN: Final = "born"
"""What ``process.info`` calls the birth of a process. With its host and pid it names just that one."""


def birth(pid: int) -> str | None:
    """Return what tells a process from all others that have or had its pid; None: it is gone, or this is no Linux.

    It names the pids that it is counted among, too: a container has its own, and may have the name of its host.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            tick = int(file.read().rpartition(b")")[2].split()[19])
        return f"{_own_pids()}/{tick}"
    except OSError:
        return None


def can_judge(born: str) -> bool:
    """Whether the pid that goes with a birth means something here."""
    try:
        return born.rpartition("/")[0] == _own_pids()
    except OSError:
        return False


def _own_pids() -> str:
    return os.readlink("/proc/self/ns/pid")
