"""Who ends the servers that tests started? This process: it outlives any test, and ends with the one it serves.

``python -m tests.support.keeper KIND FOLDER PID`` starts a server in FOLDER, writes its address to ``FOLDER/address``
once it answers, waits for the process PID to end, by whatever cause, ends the server and removes FOLDER. So all workers
of one test run share one server, and a killed test run leaves none behind.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import redis

from tests.support import postgres, redis_server
from tests.support.waiting import wait_until


def main(kind: str, folder: Path, pid: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the test run, which may still need the server
    start, answers = STARTERS[kind]
    server: subprocess.Popen[bytes] | None = None
    try:
        server, address = start(folder)
        wait_until(lambda: answers(address) or _died(server), 30, what=f"{kind} in {folder}")
        ready = folder / "address.new"
        ready.write_text(address)
        ready.rename(folder / "address")
        psutil.Process(pid).wait()
    except psutil.NoSuchProcess:
        pass  # the test run ended before its server was up
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # PostgreSQL: fast shutdown; Redis: stop
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        _remove(kind, folder)


def _remove(kind: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for left in (f"{kind}.log", f"{kind}.lock"):
        (folder.parent / left).unlink(missing_ok=True)
    with suppress(OSError):  # another server still lives there
        folder.parent.rmdir()


def _died(server: subprocess.Popen[bytes]) -> bool:
    if server.poll() is not None:
        raise SystemExit(f"the server ended with exit code {server.returncode}")
    return False


def _postgres_answers(address: str) -> bool:
    try:
        psycopg.connect(address.replace("+psycopg", ""), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_answers(address: str) -> bool:
    client = redis.Redis.from_url(address)
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()


STARTERS = {"postgres": (postgres.start, _postgres_answers), "redis": (redis_server.start, _redis_answers)}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
