"""Which DAGs are run? The same files for every contender, with Airflow's imports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

HEAD = """
from datetime import datetime, timedelta
from airflow.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator

def nothing():
    pass
"""

TRIGGERED = """
with DAG({dag_id!r}, schedule=None, is_paused_upon_creation=False, max_active_tasks=16):
    tasks = [PythonOperator(task_id=f"t{{n:03d}}", python_callable=nothing) for n in range({size})]
    {wiring}
"""

MAPPED = """
from airflow.sdk import task

with DAG({dag_id!r}, schedule=None, is_paused_upon_creation=False, max_active_tasks=16):

    @task
    def first():
        return list(range({size}))

    @task
    def one(value):
        return value

    @task
    def last(values):
        return sum(values)

    last(one.expand(value=first()))
"""

WAITING = """
with DAG({dag_id!r}, schedule="0 3 1 1 *", start_date=datetime({year}, {month}, {day}), catchup=False,
         is_paused_upon_creation=False):
    PythonOperator(task_id="only", python_callable=nothing)
"""

DUE = """
with DAG({dag_id!r}, schedule="{minute} {hour} * * *", start_date=datetime({year}, {month}, {day}), catchup=False,
         is_paused_upon_creation=False):
    PythonOperator(task_id="only", python_callable=nothing)
"""

ONCE = """
with DAG({dag_id!r}, schedule="@once", start_date=datetime(2024, 1, 1), catchup=False, is_paused_upon_creation=False):
    # Tried again: on a busy machine Airflow starts the task before its own API server answers.
    PythonOperator(task_id="only", python_callable=nothing, retries=3, retry_delay=timedelta(seconds=1))
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is run.

    Attributes:
        waiting: DAGs that only wait for their next date, watched for ``idle_seconds``.
        due: DAGs that are all due in the same minute, at least ``due_in_seconds`` after their files are written.
    """

    chain: int = 100
    parallel: int = 500
    mapped: int = 1000
    waiting: int = 97
    due: int = 100
    due_in_seconds: float = 90.0
    settle_seconds: float = 15.0
    idle_seconds: float = 45.0

    @property
    def dags(self) -> int:
        """How many DAGs there are in all, each scheduled or ready to be triggered."""
        return self.waiting + 3


QUICK = Sizes(
    chain=20, parallel=60, mapped=50, waiting=17, due=20, due_in_seconds=60, settle_seconds=5, idle_seconds=10
)


def write_dags(folder: Path, sizes: Sizes) -> None:
    """Write the files of the main part: ``chain``, ``parallel``, ``mapped``, and those that only wait for a date."""
    now = datetime.now(UTC)
    today = {"year": now.year, "month": now.month, "day": now.day}
    chain = "for one, two in zip(tasks, tasks[1:]): one >> two"
    _write(folder, "chain", TRIGGERED.format(dag_id="chain", size=sizes.chain, wiring=chain))
    _write(folder, "parallel", TRIGGERED.format(dag_id="parallel", size=sizes.parallel, wiring=""))
    _write(folder, "mapped", MAPPED.format(dag_id="mapped", size=sizes.mapped))
    for number in range(sizes.waiting):
        _write(folder, f"waiting_{number:03d}", WAITING.format(dag_id=f"waiting_{number:03d}", **today))


def write_due(folder: Path, sizes: Sizes) -> datetime:
    """Write the files of the part in which many DAGs are due at once; return that instant."""
    at = (datetime.now(UTC) + timedelta(seconds=sizes.due_in_seconds + 60)).replace(second=0, microsecond=0)
    # One day earlier would be a date to catch up with; today is not, as long as the minute is still to come.
    day = at.date()
    parts = {"minute": at.minute, "hour": at.hour, "year": day.year, "month": day.month, "day": day.day}
    for number in range(sizes.due):
        _write(folder, f"due_{number:03d}", DUE.format(dag_id=f"due_{number:03d}", **parts))
    return at


def write_saved(folder: Path, number: int) -> str:
    """Save a file once more, with a DAG of a new name in the place of the old one; return the name."""
    dag_id = f"saved_{number}"
    _write(folder, "waiting_000", TRIGGERED.format(dag_id=dag_id, size=1, wiring=""))
    return dag_id


def write_once(folder: Path) -> None:
    """Write the file of the cold start: one DAG that is due as soon as it is known."""
    _write(folder, "once", ONCE.format(dag_id="once"))


def _write(folder: Path, name: str, parts: str | Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(HEAD + "".join(parts))
