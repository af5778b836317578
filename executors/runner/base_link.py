"""How does a supervisor come to its base process? It is started with the supervisor, and anew when it has died."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from executors.runner import linux
from executors.runner.environment import MARKER
from executors.runner.links import KeeperLink, Watcher

log = logging.getLogger(__name__)

_END_SECONDS: Final = 15.0
"""It kills all below it within 10 s, unless something there cannot be killed."""

_ROOT: Final = str(Path(__file__).resolve().parents[2])
_BOOTSTRAP: Final = "import sys; sys.path.append({root!r}); from executors.runner.base_process import main; main({fd})"
"""Finds our packages also where they are not installed, but behind everything else, so that no name of ours hides one
of the user's."""


class BaseProcess:
    """The base process of one supervisor, whether it exists now or not. Belongs to the thread of the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        watcher: Watcher,
        environment: Mapping[str, str],
        defaults: Mapping[str, Any],
    ) -> None:
        self._loop, self._watcher = loop, watcher
        self._environment, self._defaults = environment, defaults
        self._link: KeeperLink | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def link(self) -> KeeperLink:
        """Return the base process, started if need be.

        Raises:
            OSError: it cannot be started.
        """
        if self._link is None:
            self._process, sock = _start(self._environment)
            self._link = KeeperLink(self._loop, sock, self._watcher, self._ready, self._gone)
            self._link.set_up(self._defaults)
        return self._link

    def close(self) -> None:
        """End it and everything below it, and wait for its end. It is started again when it is needed."""
        link, process = self._link, self._process
        self._link = self._process = None
        if link is not None:
            link.close()
            _wait(process)

    def _ready(self, unfit: str | None) -> None:
        if unfit is not None:
            log.error("The base process cannot be used: %s.", unfit)
            self.close()

    def _gone(self, why: str) -> None:
        """It died. The kernel ends what it forked; what has escaped the kernel is found by its mark."""
        process, self._process, self._link = self._process, None, None
        code = _wait(process)
        log.error("The base process is gone (exit code %s): %s. A new one is started when it is needed.", code, why)
        linux.kill_marked(f"{MARKER}={self._environment[MARKER]}")


def _start(environment: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Return a new base process and our end of its control socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-P", "-c", _BOOTSTRAP.format(root=_ROOT, fd=theirs.fileno())]
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C at the terminal is for the host, which ends the rest in order
        )
    return process, ours


def _wait(process: subprocess.Popen[bytes] | None) -> int | None:
    if process is None:
        return None
    try:
        return process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
