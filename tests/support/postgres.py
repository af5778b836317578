"""Where does a real PostgreSQL come from on a bare machine? From a wheel, as that of ``tradewind cluster`` does."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tradewind.console.cluster.private_postgres import prepare

THROWN_AWAY: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    # The data is thrown away with the server, so nothing needs to survive a power cut; what a client sees is the same.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}
DURABLE: Final[Mapping[str, str]] = {"listen_addresses": "127.0.0.1"}
"""PostgreSQL as it comes, reached by TCP: for benchmarks."""


def start(
    folder: Path, settings: Mapping[str, str] = THROWN_AWAY, port: int = 5432
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a private server whose data and socket live in ``folder``.

    Args:
        settings: of the server. With an empty ``listen_addresses`` it is reached by its Unix socket alone.

    Returns:
        The server process and its address (database ``postgres``); it may take a moment until it answers.
    """
    made = prepare(folder, port=port, settings=settings, has_socket=True, sync=False)
    user, group = made.user or (None, None)
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            made.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=made.environ, cwd=folder,
            start_new_session=True, user=user, group=group, extra_groups=None if user is None else [],
        )  # fmt: skip
    if settings.get("listen_addresses"):
        return server, f"postgresql+psycopg://tradewind@127.0.0.1:{port}/postgres"
    return server, f"postgresql+psycopg://tradewind@/postgres?host={folder}"
