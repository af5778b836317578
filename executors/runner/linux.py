"""What does the kernel do for us so that no process outlives its supervisor? Elsewhere than on Linux: less."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

IS_LINUX: Final = sys.platform == "linux"

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
# Looked up once, before any fork: a task process only makes the call.
_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl if IS_LINUX else None


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends; ends it now when the parent has ended already."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none can get away."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def hide_from_others() -> None:
    """Keep other processes of the same account from this one's memory and environment, where its secrets are.

    Root still may. Nor does the kernel write a core of this process any more. A program that it starts is not hidden.
    """
    if _prctl is not None:
        _prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def set_name(name: bytes) -> None:
    """Set the name that ``top`` and ``ps -o comm`` show; at most 15 bytes."""
    if _prctl is not None:
        _prctl(_PR_SET_NAME, name, 0, 0, 0)


def thread_count() -> int:
    """Return how many threads this process has, native ones included; 1 where that cannot be known."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def kill_group(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to the process group that ``pid`` leads; to the process alone while it leads none."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:  # forked, but not yet at its setsid()
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    except PermissionError:  # somebody in the group has changed their user
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory: of our cgroup, else of the machine."""
    for path in (_cgroup_file("memory.events"), "/proc/vmstat"):
        try:
            with open(path) as file:
                found = [line.split()[1] for line in file if line.startswith("oom_kill ")]
        except OSError:
            continue
        if found:
            return int(found[0])
    return 0


def _cgroup_file(name: str) -> str:
    try:
        with open("/proc/self/cgroup") as file:
            own = next((line.strip()[3:] for line in file if line.startswith("0::")), "/")
    except OSError:
        own = "/"
    return f"/sys/fs/cgroup{own.rstrip('/')}/{name}"


class ProcessMark(NamedTuple):
    """One process, told from a later one that has the same id by the instant at which it started."""

    pid: int
    started: int  # in clock ticks since the machine did


def descendants(pid: int) -> set[ProcessMark]:
    """Return all processes below one, whatever group they are in. Empty where there is no /proc."""
    children: dict[int, list[ProcessMark]] = {}
    for one in _all_pids():
        if found := _parent_and_start(one):
            children.setdefault(found[0], []).append(ProcessMark(one, found[1]))
    below: set[ProcessMark] = set()
    todo = [pid]
    while todo:
        new = [mark for mark in children.get(todo.pop(), ()) if mark not in below]
        below.update(new)
        todo.extend(mark.pid for mark in new)
    return below


def kill_all(marks: Iterable[ProcessMark]) -> None:
    """Kill those processes that are still there."""
    for pid, started in marks:
        found = _parent_and_start(pid)
        if found is not None and found[1] == started:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def kill_everything_below(seconds: float = 10.0) -> None:
    """Kill and reap every descendant. Complete where orphans are adopted: a child that ends hands over its children.

    Args:
        seconds: give up after these, since a process of another user cannot be killed and must not hold us for ever.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for pid in _children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def kill_marked(marker: str) -> list[int]:
    """Kill every process of this machine that was started with ``marker`` (``NAME=value``) in its environment.

    Returns the ids of those killed. This process is spared. Finds what has left its process group and its parent.
    """
    wanted, killed = marker.encode(), []
    for pid in _all_pids():
        if pid == os.getpid():
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read().split(b"\0")
            if wanted in environment:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        except OSError:  # gone, or somebody else's
            continue
    return killed


def _children() -> Iterator[int]:
    me = os.getpid()
    for pid in _all_pids():
        found = _parent_and_start(pid)
        if found is not None and found[0] == me:
            yield pid


def _parent_and_start(pid: int) -> tuple[int, int] | None:
    """Return the parent of a process, and when it started; None: it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            after_name = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(after_name[1]), int(after_name[19])


def _all_pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
