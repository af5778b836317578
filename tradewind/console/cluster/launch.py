"""How does a process begin that must not outlive the one that started it? As this script, which becomes the program.

``python launch.py PARENT SIGNAL UID GID PROGRAM ARGUMENT...`` asks the kernel to send SIGNAL when PARENT ends, by
whatever cause, and then turns into the program, which keeps that wish. Run by its path: it imports nothing of ours, so
that it costs milliseconds. Elsewhere than on Linux there is no such wish; there a killed parent leaves its children.

UID and GID are -1, or the user that the program is to have: changing the user forgets the wish, so it comes first.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(words: list[str]) -> None:
    parent, number, user, group = (int(word) for word in words[:4])
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel knew of the wish
        sys.exit(1)
    os.execvp(words[4], words[4:])


if __name__ == "__main__":
    main(sys.argv[1:])
