"""What did the import of a DAG file look at? Files of the DAG folder by name; of everything else, only that it did.

A file that looked at nothing else can only change when one of these files does, and need not be read again so often.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from typing import Any, Final

_PROJECT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_OUTSIDE: Final = frozenset(
    {
        "glob.glob",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.scandir",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "sqlite3.connect",
        "subprocess.Popen",
        "urllib.Request",
    }
)
"""Audit events that mean: what happens next depends on something else than the files that are opened."""

_CONSTANT: Final = tuple(
    sorted(
        {
            f"{form}/"
            for root in (
                sys.prefix,
                sys.base_prefix,
                *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
                *(os.path.join(_PROJECT, package) for package in ("tradewind", "scheduler", "executors")),
                "/dev",
                "/proc/self",
                "/usr/lib",
                "/usr/share/zoneinfo",
            )
            for form in (os.path.abspath(root), os.path.realpath(root))
        }
    )
)
"""Where the interpreter, the packages and the time zones live: what changes there asks for a restart anyway."""

_IMPORT_SYSTEM: Final = "<frozen importlib._bootstrap_external>"

_CONSTANT_FILES: Final = frozenset({"/etc/localtime", "/etc/timezone", "/etc/mime.types"})


class Watch:
    """Listens to what this process does from :meth:`start` on. Once per process: Python keeps the listener.

    It looks at nothing but what it heard. Walking over ``sys.modules`` would touch hundreds of memory pages that a
    fork shares with its parent, and each page touched is copied.
    """

    def __init__(self, folder: str, path: str) -> None:
        self._folder, self._path = f"{folder}/", path
        self._real_folder = f"{os.path.realpath(folder)}/"
        self._opened: set[str] = set()
        self._listed: set[str] = set()
        self._outside = False
        self._on = False

    def start(self) -> None:
        """Begin to listen."""
        self._on = True
        sys.addaudithook(self._hear)

    def stop(self) -> None:
        """Listen no more."""
        self._on = False

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            path, _mode, flags = args
            if isinstance(path, str) and not flags & os.O_WRONLY:
                self._opened.add(path)
        elif event == "os.listdir":
            # The import system lists each folder that it searches; a listing by anybody else was asked for.
            if sys._getframe(1).f_code.co_filename != _IMPORT_SYSTEM:
                self._listed.add(os.path.abspath(args[0] or "."))
        elif event in _OUTSIDE:
            self._outside = True

    def depends_on(self) -> tuple[str, ...]:
        """Return the absolute paths of the files of the DAG folder, but the DAG file, that were imported or opened."""
        own = {_source_of(path) for path in self._absolute() if self._is_own(path)}
        return tuple(sorted(own - {self._path}))

    def looked_outside(self) -> bool:
        """Return whether something else was looked at: other files, a listing of a folder, a network, a command."""
        if self._outside:
            return True
        if any(not _is_constant(f"{path}/") for path in self._listed):
            return True
        return any(not (self._is_own(path) or _is_constant(path)) for path in self._absolute())

    def _absolute(self) -> set[str]:
        return {os.path.abspath(path) for path in self._opened}

    def _is_own(self, path: str) -> bool:
        return path.startswith(self._folder) or os.path.realpath(path).startswith(self._real_folder)


def _source_of(path: str) -> str:
    """Return the source of a compiled module, any other path as it is."""
    if not path.endswith(".pyc"):
        return path
    try:
        return importlib.util.source_from_cache(path)
    except ValueError:  # not in a __pycache__ folder: there is no source
        return path


def _is_constant(path: str) -> bool:
    if path.startswith(_CONSTANT) or path in _CONSTANT_FILES:
        return True
    return os.path.realpath(path).startswith(_CONSTANT)
