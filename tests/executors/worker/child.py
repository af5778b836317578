"""A worker as a process of its own, for tests that kill it. It hears of attempts on its input, an id in each line."""

from __future__ import annotations

import os
import sys
from uuid import UUID

from executors.worker.host import WorkerHost
from executors.worker.sql_link import SqlLink
from tradewind.config import load_config, with_secrets
from tradewind.metadata.database import Database


def main() -> None:
    """Work until the input ends."""
    config = with_secrets(load_config(os.environ))
    link = SqlLink(Database(config.database.sql_alchemy_conn), config)
    host = WorkerHost(config, link, executor="CeleryExecutor", queues=["default"], slots=8)
    host.start()
    for line in sys.stdin:
        host.offer([UUID(line.strip())])
    host.stop(1)


if __name__ == "__main__":
    main()
