"""How does a process wake the scheduler of an SQLite database on the same machine? A datagram on a Unix socket.

A bell carries nothing and may be lost: the scheduler looks at the metadata DB anyway, and polls slowly.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import tempfile
from pathlib import Path

_MAX_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 elsewhere


def bell_path(database_path: Path) -> Path:
    """Return where the scheduler of this database listens: beside it, or in the temporary folder for a long path."""
    beside = Path(f"{database_path}.bell")
    if len(os.fsencode(beside)) <= _MAX_SOCKET_PATH:
        return beside
    name = hashlib.sha256(os.fsencode(database_path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tradewind-{os.getuid()}-{name}.bell"


def ring_socket(path: Path, what: str = "") -> None:
    """Ring. Does nothing when nobody listens, or when the bell is ringing already. ``what``: a short hint."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        bell.sendto(what.encode() or b"!", str(path))


def listen_socket(path: Path) -> socket.socket:
    """Return a bound socket to wait on. The file of a listener that died is taken over."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.bind(str(path))
    path.chmod(0o600)
    return bell
