"""The web server as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def running_server(home: Path, workers: int = 1) -> Iterator[Server]:
    """Run the server over a fresh home with the showcase in it, and end it."""
    (home / "dags").mkdir(parents=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = [sys.executable, "-m", "tests.webui.browser.serve_seeded", str(home), str(port), str(workers)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TRADEWIND", "AIRFLOW"))}
    process = subprocess.Popen(words, cwd=ROOT, env=environ)
    try:
        wait_until(lambda: answers(url) or process.poll() is not None, timeout=60, what="the web server answers")
        assert process.poll() is None, "the web server did not start"
        yield Server(url, process)
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
