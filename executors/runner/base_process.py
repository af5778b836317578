"""What is the base process? A fresh interpreter with the authoring package imported, from which all else is forked.

It is started with ``python -c BOOTSTRAP fd``; everything below it dies with it, and it dies with its supervisor.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from executors.runner import linux, output, rehearsal
from executors.runner.keeper import Keeper
from executors.runner.loading import settle
from executors.runner.protocol import PROTOCOL_VERSION, Ready
from executors.runner.wire import frame


def main(fd: int) -> None:
    """Serve the supervisor that holds the other end of the socket ``fd``; return when it is gone and all is dead."""
    linux.adopt_orphans()
    linux.set_name(b"tradewind-base")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the host's business; it ends us in its own way
    control = socket.socket(fileno=fd)
    control.set_inheritable(False)
    output.take_over()
    rehearsal.rehearse()
    settle()
    control.sendall(frame(Ready(PROTOCOL_VERSION, os.getpid())))
    try:
        Keeper(control).serve()
    finally:
        linux.kill_everything_below()


if __name__ == "__main__":
    main(int(sys.argv[1]))
