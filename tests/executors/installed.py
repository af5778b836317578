"""How does a test start the processes of an installation that executors are tried in? Each until the end of a block."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from executors.conformance import Installation
from tests.support.waiting import wait_until
from tradewind.metadata import processes


@contextmanager
def a_celery_worker(
    installation: Installation, environ: Mapping[str, str] | None = None, *words: str, stop_seconds: float = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of an installation, until the end of the block; it is there when the block begins.

    Args:
        environ: its environment; None: that of the installation.
        words: more of its command line.
    """
    with (installation.home / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tradewind.cli", "celery", "worker", *words],
            env={**(environ or installation.environ), "TRADEWIND__CELERY__WORKER_STOP_SECONDS": str(stop_seconds)},
            stdout=log,
            stderr=log,
        )

    def is_there() -> bool:
        if worker.poll() is not None:
            raise RuntimeError(f"The worker ended: {(installation.home / 'worker.log').read_text()}")
        with installation.database.read() as tx:
            alive = processes.list_processes(tx, kind="worker", alive_at=installation.database.now())
        return worker.pid in {process.pid for process in alive}

    try:
        wait_until(is_there, 30, what="a worker with a lease")
        yield worker
    finally:
        worker.terminate()
        try:
            worker.wait(30)
        finally:
            worker.kill()
            worker.wait()
        print((installation.home / "worker.log").read_text()[-4000:])  # shown when a test failed


@contextmanager
def a_web_server(installation: Installation) -> Iterator[None]:
    """A web server of an installation, until the end of the block."""
    with (installation.home / "web.log").open("ab") as log:
        words = [sys.executable, "-m", "tradewind.cli", "webserver"]
        server = subprocess.Popen(words, env=installation.environ, stdout=log, stderr=log)
    try:
        yield
    finally:
        server.terminate()
        try:
            server.wait(30)
        finally:
            server.kill()
            server.wait()
        print((installation.home / "web.log").read_text()[-4000:])
