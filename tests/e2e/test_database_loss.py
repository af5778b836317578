"""What becomes of work when the metadata DB goes away under it? Every connection is cut, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.e2e.stack import EFFECTS, Stack
from tests.support.waiting import wait_until

DAG = f"""
import time
from datetime import timedelta
from airflow import DAG
from airflow.operators.python import PythonOperator
{EFFECTS}
def work(**context):
    effect(**context)
    time.sleep(0.05)
with DAG("work", schedule=None, max_active_tasks=4) as dag:
    first = PythonOperator(task_id="first", python_callable=work)
    for n in range(30):
        first >> PythonOperator(task_id=f"t{{n}}", python_callable=work)
"""
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def on_postgres(postgres_url: str, home: Path) -> Iterator[Stack]:
    stack = Stack(home, postgres_url)
    yield stack
    stack.tell()
    stack.stop()


@pytest.mark.timeout(120)
def test_cut_connections_lose_nothing_and_start_nothing_twice(on_postgres: Stack) -> None:
    stack = on_postgres
    stack.write_dag("work.py", DAG)
    stack.start()
    stack.wait_dag("work")
    run = stack.trigger("work")

    with psycopg.connect(stack.url.replace("+psycopg", ""), autocommit=True) as surgeon:
        for number in range(5):
            wait_until(lambda enough=number * 4: len(stack.lines()) > enough, timeout=30)  # type: ignore[misc]
            surgeon.execute(CUT)
    stack.wait_over(run)

    assert stack.process is not None
    assert stack.process.poll() is None, "the scheduler lived through it"
    assert stack.run_state(run) == "success"
    stack.assert_sound()
