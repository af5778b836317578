"""What does a DAG file pay for its imports, and do the public names lead somewhere?"""

from __future__ import annotations

import subprocess
import sys

import tradewind

HEAVY = [
    "alembic", "asyncio", "celery", "click", "croniter", "flask", "jinja2", "jsonschema", "msgspec", "networkx",
    "pendulum", "pydantic", "rich", "sqlalchemy", "subprocess",
]  # fmt: skip


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules)\n{statement}\nprint('\\n'.join(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_tradewind_loads_nothing_of_its_own():
    assert not {name for name in loaded_after("import tradewind") if name.startswith("tradewind.")}


def test_a_dag_file_with_tasks_loads_nothing_heavy():
    used = loaded_after(
        "from tradewind import DAG, BashOperator, EmptyOperator, PythonOperator, TaskGroup, chain, task\n"
        "with DAG('d', params={'n': 3}) as d:\n"
        "    @task\n"
        "    def f(x=1): return x\n"
        "    f(f()) >> BashOperator(task_id='b', bash_command='true')\n"
    )

    assert used & set(HEAVY) == set()
    assert not {name for name in used if name.startswith(("scheduler", "executors", "webui", "tradewind.metadata"))}


def test_every_public_name_leads_somewhere():
    assert {name for name in tradewind.__all__ if getattr(tradewind, name, None) is None} == set()


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(tradewind, "Dag")
