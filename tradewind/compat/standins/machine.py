"""What stands for ``airflow.utils.net``, ``platform``, ``process_utils`` and ``timeout``? Machine and processes."""

from __future__ import annotations

import functools
import getpass
import os
import pwd
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ContextDecorator, contextmanager
from logging import getLogger
from types import FrameType
from typing import Any, Final

from tradewind.sdk.exceptions import AirflowException, AirflowTaskTimeout

IS_WINDOWS: Final = sys.platform == "win32"
_log = getLogger("airflow.task")


@functools.cache
def getfqdn(name: str = "") -> str:
    """Return the full name of this machine, or of the one called ``name``."""
    return socket.getfqdn(name)


def get_hostname() -> str:
    """Return the full name of this machine."""
    return getfqdn()


def get_host_ip_address() -> str:
    """Return the address of this machine."""
    return socket.gethostbyname(getfqdn())


def getuser() -> str:
    """Return the name of the user to whom this process belongs.

    Raises:
        AirflowException: the system does not know one.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        pass
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise AirflowException(f"User {os.getuid()} has no name on this machine. Set the variable USER.") from None


def is_tty() -> bool:
    """Return whether somebody sits before this process."""
    return sys.stdout.isatty()


@contextmanager
def patch_environ(new_env_variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for as long as the block runs."""
    before = {name: os.environ.get(name) for name in new_env_variables}
    os.environ.update(new_env_variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def execute_in_subprocess(cmd: Sequence[str], cwd: str | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run a command, and log what it prints line by line.

    Raises:
        subprocess.CalledProcessError: it did not exit with 0.
    """
    execute_in_subprocess_with_kwargs(list(cmd), cwd=cwd, env=env)


def execute_in_subprocess_with_kwargs(cmd: Sequence[str], **kwargs: Any) -> None:
    """Run a command as :func:`execute_in_subprocess` does; ``kwargs`` are for ``subprocess.Popen``.

    Raises:
        subprocess.CalledProcessError: it did not exit with 0.
    """
    _log.info("Executing cmd: %s", shlex.join(cmd))
    with subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _log.info("%s", line.rstrip())
        code = process.wait()
    if code != 0:
        raise subprocess.CalledProcessError(code, cmd)


class timeout(ContextDecorator):
    """End a block, or a function, that takes longer than ``seconds`` with ``AirflowTaskTimeout``."""

    def __init__(self, seconds: float = 1, error_message: str = "Timeout") -> None:
        self.seconds = seconds
        self.error_message = f"{error_message}, PID: {os.getpid()}"
        self._before: Callable[[int, FrameType | None], Any] | int | None = None

    def handle_timeout(self, *_: Any) -> None:
        """End the block."""
        raise AirflowTaskTimeout(self.error_message)

    def __enter__(self) -> timeout:
        if threading.current_thread() is not threading.main_thread():
            _log.warning("A timeout of %s s is not kept: only the main thread can be interrupted.", self.seconds)
            return self
        self._before = signal.signal(signal.SIGALRM, self.handle_timeout)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            self._before = None
