"""Where does a real S3-compatible server come from on a bare machine? From a wheel: moto's server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import wait_until

BUCKET = "logs"
_PROGRAM = """
from executors.runner.linux import die_with_parent
die_with_parent({parent})
from moto.server import main
main(["-H", "127.0.0.1", "-p", "{port}"])
"""


@dataclass
class S3Server:
    """A server that forgets everything when it ends. ``environ`` is how its clients find it."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": "secret of the tester",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """Start it, with an empty bucket."""
        with (self.folder / "s3.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM.format(parent=os.getpid(), port=self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_until(self._make_bucket, 60, what="the S3 server", every=0.1)

    def _make_bucket(self) -> bool:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{BUCKET}", method="PUT")
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request")
        with suppress(OSError), urllib.request.urlopen(request, timeout=5):
            return True
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = S3Server(probe.getsockname()[1], folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
