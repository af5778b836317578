"""The short story: two schedulers and two Celery workers, and each kind of fault that needs no rights of root."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.chaos import faults, story
from tests.chaos.evidence import Evidence, collect
from tests.chaos.ground import Ground
from tests.chaos.outside import Outside
from tests.support.databases import PostgresTemplates
from tradewind.console.cluster.members import Size

ORDER = (
    "kill_task",
    "pause_worker",
    "flush_redis",
    "kill_scheduler",
    "repeat_messages",
    "restart_postgres",
    "kill_worker",
    "restart_redis",
    "kill_triggerer",
    "crash_postgres",
    "kill_supervisor",
    "cut_connections",
)
TAMPER = "UPDATE task_instance SET state = 'failed' WHERE run_pk = (SELECT min(id) FROM dag_run)"


@dataclass(frozen=True, slots=True)
class Told:
    """A story that was told, and the evidence after somebody tampered with what is stored."""

    outcome: story.Outcome
    tampered: Evidence


@pytest.fixture(scope="package")
def told(postgres_templates: PostgresTemplates) -> Iterator[Told]:
    with (
        tempfile.TemporaryDirectory(prefix="chaos-", dir="/tmp", ignore_cleanup_errors=True) as name,
        postgres_templates.empty() as url,
    ):
        Path(name).chmod(0o755)  # PostgreSQL does not run as root
        outside = Outside(url.replace("+psycopg", ""))
        meant = {kind: fault for kind, fault in {**faults.EVERYWHERE, **faults.ON_REDIS}.items() if kind in ORDER}
        plot = story.Plot(20, 7, meant, steps=4, pauses=(0.1, 0.3), order=ORDER, backlog=16)
        with Ground(Path(name), outside, size=Size(web_servers=0)) as ground:
            outcome = story.tell(ground, plot)
            with ground.db.write() as tx:
                tx.execute(text(TAMPER))
            tampered = collect(ground.db, outcome.evidence.wanted, outside.read(), story.LIMITS)
        outside.close()
        yield Told(outcome, tampered)
