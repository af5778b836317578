"""Run the real web server over a database that the showcase fills: what the browser tests look at.

``python -m tests.webui.browser.serve_seeded HOME PORT [WORKERS]``
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.webui.operated import operated
from tests.webui.seed import Seed, nested_tasks, showcase
from tradewind.config import load_config, with_secrets
from tradewind.metadata.database import Database
from tradewind.metadata.models import Base
from tradewind.metadata.users import create_user
from tradewind.model.states import RunState
from webui.auth.passwords import hash_password
from webui.server import serve

NAME, PASSWORD = "admin", "a browser password"
STATES = ("success", "failed", "running", "queued", "scheduled", "up_for_retry", "upstream_failed", "skipped", "none")


def fill(seed: Seed) -> None:
    """Write the showcase, a DAG with groups in groups, and a log of a hundred thousand lines."""
    showcase(seed)
    operated(seed)
    tasks, groups = nested_tasks()
    version = seed.dag("regional_sales", tasks, groups=groups)
    states = {task.task_id: STATES[number % len(STATES)] for number, task in enumerate(tasks)}
    run_id = seed.run("regional_sales", version, states, run_id="all states", state=RunState.RUNNING)
    line = "[2026-11-22T18:55:00.000+00:00] INFO big - a line that is as long as lines in logs are, number"
    seed.log("regional_sales", run_id, "start", "".join(f"{line} {number}\n" for number in range(1, 100_001)))


def main(home: Path, port: str, workers: str = "1") -> None:
    settings = {"TRADEWIND__API__PORT": port, "TRADEWIND__API__WORKERS": workers}
    config = with_secrets(load_config(settings, home))
    db = Database(config.database.sql_alchemy_conn)
    Base.metadata.create_all(db.engine)
    with db.write() as tx:
        create_user(tx, NAME, hash_password(PASSWORD), "admin", datetime.now(UTC))
    fill(Seed(db, config.logging.base_log_folder, datetime.now(UTC).replace(microsecond=0)))
    db.close()
    serve(config)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
