"""What do tests of operating do again and again? Runs that have ended, behaviours that fail, wishes that are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import insert, select, update

from scheduler.operating.requests import Person, Preview, Wish, send
from tests.engine.world import Behaviour, add_run, is_over, running_scheduler
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.models import Dag, DagVersion
from tradewind.metadata.run_choice import RunChoice
from tradewind.model.orders import AttemptOrder, Outcome
from tradewind.model.spec import DagSpec, encode_spec, version_hash

ADA = Person("ada", "cli")
EVERY = RunChoice(dag_ids=["etl"])
"""All runs of the DAG of these tests."""


def well(_order: AttemptOrder) -> Outcome:
    """Every task succeeds."""
    return Outcome.SUCCESS


def fails(*task_ids: str) -> Callable[[AttemptOrder], Outcome]:
    """These tasks fail."""
    return lambda order: Outcome.FAILED if order.task_id in task_ids else Outcome.SUCCESS


def ended(db: Database, version: int, *numbers: int, behave: Behaviour = well, **fields: Any) -> list[int]:
    """Runs that have ended."""
    pks = [add_run(db, version, "etl", number, **fields) for number in numbers]
    with running_scheduler(db, behave):
        wait_until(is_over(db, *pks), timeout=60, what="the end of the runs")
    return pks


def listed(found: Preview) -> dict[str, list[tuple[str, int]]]:
    """The instances that a preview lists, by run id."""
    return {effect.run.run_id: [one.key for one in effect.tasks] for effect in found.first}


def ask(db: Database, wish: Wish, **fields: Any) -> list[int]:
    """Send a wish; return the runs it was sent to."""
    return send(db, wish, ADA, **fields).pks


def add_version(db: Database, spec: DagSpec, number: int) -> int:
    """Give a stored DAG its next version, and return the version's id."""
    with db.write() as tx:
        old = tx.execute(select(DagVersion).where(DagVersion.dag_id == spec.dag_id)).first()
        assert old is not None
        values = {
            "dag_id": spec.dag_id, "number": number, "hash": version_hash(spec, b"2"),
            "spec": encode_spec(spec).decode(), "source_digest": old.source_digest, "file_path": old.file_path,
            "created_at": old.created_at,
        }  # fmt: skip
        version_id: int = tx.execute(insert(DagVersion).values(**values).returning(DagVersion.id)).scalar_one()
        tx.execute(update(Dag).where(Dag.dag_id == spec.dag_id).values(version_id=version_id))
    return version_id
