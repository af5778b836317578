"""How is nothing lost of what a contender costs? It runs on a stage: a process that adopts all orphans below it.

``python -m benchmarks.stage COMMAND...`` runs the command and reaps whatever is orphaned below it, so that the CPU time
of every descendant, alive or dead, ends up in the tree that :mod:`benchmarks.meter` reads. SIGTERM goes on to the
command; when the command has ended, whatever it left is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

import psutil

PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
    code = _reap_until(child.pid)
    for left in psutil.Process().children(recursive=True):
        left.kill()
    return code


def _reap_until(pid: int) -> int:
    """Reap everything; return the exit code of ``pid`` when it has ended."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return abs(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
