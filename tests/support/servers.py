"""How do all workers of one test run share one server? The first that needs it starts it; a keeper ends it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.support.waiting import wait_until

ROOT: Final = Path(__file__).parents[2]
SHARED_VARIABLE: Final = "TRADEWIND_TEST_SERVERS"
OWNER_VARIABLE: Final = "TRADEWIND_TEST_OWNER"


def share_between_workers() -> None:
    """Fix the place of the servers for this process and those that it starts. Called once, before any worker starts."""
    if SHARED_VARIABLE not in os.environ:
        # A short path: a Unix socket's address holds about 100 characters.
        os.environ[SHARED_VARIABLE] = tempfile.mkdtemp(prefix="twtest-", dir="/tmp")
        os.chmod(os.environ[SHARED_VARIABLE], 0o755)
        os.environ[OWNER_VARIABLE] = str(os.getpid())


def leave() -> None:
    """Remove the place of the servers when none was started; otherwise their keepers do it."""
    if os.environ.get(OWNER_VARIABLE) == str(os.getpid()):
        with suppress(OSError):
            Path(os.environ[SHARED_VARIABLE]).rmdir()


def address_of(kind: str) -> str:
    """Return the address of the test run's server of this kind (``postgres``, ``redis``), started when it is not."""
    folder = Path(os.environ[SHARED_VARIABLE]) / kind
    with (folder.parent / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir(mode=0o755)
            _start_keeper(kind, folder)
    return (folder / "address").read_text()


def _start_keeper(kind: str, folder: Path) -> None:
    log = folder.parent / f"{kind}.log"
    with log.open("wb") as out:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.keeper", kind, folder, os.environ[OWNER_VARIABLE]],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip

    def ready() -> bool:
        assert (folder / "address").exists() or keeper.poll() is not None
        return True

    wait_until(ready, 60, what=f"{kind} server")
    keeper.returncode = 0  # nobody waits for it: it ends after this process
    if not (folder / "address").exists():
        raise RuntimeError(f"No {kind} server could be started:\n{log.read_text()}")
