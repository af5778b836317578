"""Which process is it, when pids are given again and clocks differ? The kernel's tick at which it began says so."""

from __future__ import annotations

from typing import Final

BORN: Final = "born"
"""What ``process.info`` calls that tick. Together with host and pid it names one process."""


def start_tick(pid: int) -> int | None:
    """Return at which tick since the boot of this host a process began; None: it is gone, or this is no Linux."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except OSError:
        return None
