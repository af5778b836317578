"""What did the import of a DAG file look at? Files of the DAG folder by name; of everything else, only that it did.

A file that looked at nothing else can only change when one of these files does, and need not be read again so often.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Collection
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
            f"{os.path.realpath(root)}/"
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
        }
    )
)
"""Where the interpreter, the packages and the time zones live: what changes there asks for a restart anyway."""

_CONSTANT_FILES: Final = frozenset({"/etc/localtime", "/etc/timezone", "/etc/mime.types"})


class Watch:
    """Listens to what this process does from :meth:`start` on. Once per process: Python keeps the listener."""

    def __init__(self, folder: str, path: str) -> None:
        self._folder, self._path = f"{os.path.realpath(folder)}/", path
        self._opened: set[str] = set()
        self._listed: set[str] = set()
        self._outside = False
        self._before: Collection[str] = ()
        self._on = False

    def start(self) -> None:
        """Begin to listen."""
        self._before = frozenset(sys.modules)
        self._on = True
        sys.addaudithook(self._hear)

    def stop(self) -> None:
        """Listen no more."""
        self._on = False

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            if isinstance(args[0], str):
                self._opened.add(args[0])
        elif event == "os.listdir":
            self._listed.add(str(args[0] or "."))
        elif event in _OUTSIDE:
            self._outside = True

    def depends_on(self) -> tuple[str, ...]:
        """Return the absolute paths of the files of the DAG folder, but the DAG file, that were imported or opened."""
        files = self._module_files() | {os.path.abspath(path) for path in self._opened}
        own = (path for path in files if self._is_own(path) and not path.endswith((".pyc", ".pyo")))
        return tuple(sorted(path for path in own if os.path.realpath(path) != os.path.realpath(self._path)))

    def looked_outside(self) -> bool:
        """Return whether something else was looked at: other files, a listing of a folder, a network, a command."""
        if self._outside:
            return True
        searched = {os.path.realpath(entry) for entry in sys.path} | {
            os.path.dirname(os.path.realpath(file)) for file in self._module_files()
        }
        # The import system lists the folders that it searches; a listing of any other was asked for.
        listed = (os.path.realpath(path) for path in self._listed)
        if any(path not in searched and not f"{path}/".startswith(_CONSTANT) for path in listed):
            return True
        opened = (os.path.realpath(path) for path in self._opened)
        return any(not (path in _CONSTANT_FILES or path.startswith((self._folder, *_CONSTANT))) for path in opened)

    def _module_files(self) -> set[str]:
        fresh = [module for name, module in list(sys.modules.items()) if name not in self._before]
        files = (getattr(module, "__file__", None) for module in fresh)
        return {os.path.abspath(file) for file in files if isinstance(file, str)}

    def _is_own(self, path: str) -> bool:
        return os.path.realpath(path).startswith(self._folder)
