"""What tests need that work on runs as an operator does: commands, versions, and tasks that end as a script says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from msgspec import structs
from sqlalchemy import func, insert, select

from tests.engine.world import is_over
from tests.support.waiting import wait_until
from tradewind.metadata import inbox
from tradewind.metadata.database import Database
from tradewind.metadata.models import DagVersion, RunInbox
from tradewind.model.commands import Command, Selection
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome
from tradewind.model.spec import DagSpec, MappingSpec, OutputLength, encode_spec, version_hash

GOOD, BAD = Outcome.SUCCESS, Outcome.FAILED
OVER_X: Final = MappingSpec((OutputLength("x"),))


def say(db: Database, run_pk: int, *commands: Command) -> None:
    """Send commands to a run."""
    with db.write() as tx:
        messages = [inbox.command_message(run_pk, uuid4(), command) for command in commands]
        inbox.send(tx, messages, datetime.now(UTC))


def add_version(db: Database, spec: DagSpec) -> int:
    """Store one more version of a DAG, and return its id."""
    with db.write() as tx:
        first = tx.execute(select(DagVersion).where(DagVersion.dag_id == spec.dag_id)).mappings().first()
        assert first is not None
        count = tx.execute(select(func.count()).where(DagVersion.dag_id == spec.dag_id)).scalar_one()
        row = {column.name: first[column] for column in DagVersion.__table__.columns if column.name != "id"}
        row |= {"number": count + 1, "hash": version_hash(spec, str(count).encode())}
        row |= {"spec": encode_spec(spec).decode()}
        found: int = tx.execute(insert(DagVersion).values(row).returning(DagVersion.id)).scalar_one()
    return found


def is_folded(db: Database) -> bool:
    """Nothing waits in any inbox."""
    with db.read() as tx:
        return tx.execute(select(func.count()).select_from(RunInbox)).scalar_one() == 0


def settle(db: Database, *pks: int) -> None:
    """Wait until everything said was heard, and the runs have ended."""
    wait_until(lambda: is_folded(db) and is_over(db, *pks)(), what="the end of the runs")


def only(*task_ids: str, **fields: Any) -> Selection:
    """Some tasks."""
    return structs.replace(Selection(task_ids), **fields)


def tries(orders: Sequence[AttemptOrder]) -> Counter[str]:
    """How often each task was started."""
    return Counter(order.task_id for order in orders)


class Script:
    """What becomes of tasks: a list of outcomes for each, the last of which stays; success for those without."""

    def __init__(self, **outcomes: Sequence[Outcome | tuple[Outcome, Aftermath] | None]) -> None:
        self.outcomes = {task_id: list(told) for task_id, told in outcomes.items()}

    def __call__(self, order: AttemptOrder) -> Outcome | tuple[Outcome, Aftermath] | None:
        told = self.outcomes.get(order.task_id)
        if not told:
            return Outcome.SUCCESS
        return told.pop(0) if len(told) > 1 else told[0]


def gives(length: int) -> tuple[Outcome, Aftermath]:
    """Success, with a value of so many parts."""
    return GOOD, Aftermath(length=length)
