"""How does a test kill a host with its shipper? ``python -m tests.logs.host HOME TASK`` is one to kill."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from uuid import uuid4

from executors.control_plane import SqlControlPlane
from executors.local import LocalExecutor
from tests.executors.workbench import Workbench
from tradewind.config import load_config, with_secrets
from tradewind.metadata.database import Database


def main(home: str, task_id: str) -> None:
    config = with_secrets(load_config(os.environ, Path(home)))
    plane = SqlControlPlane(Database(config.database.sql_alchemy_conn), config)
    bench = Workbench(config, LocalExecutor(config, plane, uuid4())).start()
    bench.executor.submit([bench.order(task_id)])
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
