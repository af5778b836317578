"""Do files that name operators of provider packages get our own ones, as long as the package is not installed?"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tradewind.compat.tables.built_in import BUILT_IN, HOOKS
from tradewind.sdk.connection import Connection

FILE = """
from airflow.hooks.subprocess import SubprocessHook
from airflow.operators.python import ExternalPythonOperator, PythonVirtualenvOperator
from airflow.providers.common.sql.hooks.sql import DbApiHook, fetch_all_handler
from airflow.providers.common.sql.operators.sql import BranchSQLOperator, SQLCheckOperator, SQLExecuteQueryOperator
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.providers.smtp.notifications.smtp import SmtpNotifier, send_smtp_notification
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.providers.standard.operators.python import BranchExternalPythonOperator, BranchPythonVirtualenvOperator
from airflow.sdk import DAG

with DAG("all") as dag:
    HttpOperator(task_id="http", endpoint="a") >> EmailOperator(task_id="mail", to="ann@example.org")
    SQLExecuteQueryOperator(task_id="sql", conn_id="db", sql="SELECT 1") >> DockerOperator(task_id="box", image="x")
"""


def test_a_file_with_names_of_provider_packages_is_read(tmp_path):
    """In a process of its own, where nothing else has been imported."""
    (tmp_path / "dag.py").write_text(FILE)
    code = (
        "import sys; from tradewind import compat; compat.install(); from tradewind.sdk.loader import load_dag_file; "
        "from tradewind.sdk.serialize import to_spec; (dag,) = load_dag_file('dag.py'); "
        "print([t.operator for t in to_spec(dag).tasks], [m for m in ('sqlalchemy', 'pandas') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['DockerOperator', 'HttpOperator', 'EmailOperator', 'SQLExecuteQueryOperator'] []"


@pytest.mark.parametrize("kind", sorted(HOOKS))
def test_a_connection_gives_its_hook(monkeypatch, kind):
    monkeypatch.setenv("AIRFLOW_CONN_IT", f'{{"conn_type": "{kind}", "host": "https://x.example.org"}}')

    hook = Connection.get("it").get_hook()

    assert type(hook).__name__ == HOOKS[kind].rpartition(".")[2]
    assert hook.conn_type == kind


def test_every_name_is_there():
    from tradewind.compat.names import names_of

    for module in BUILT_IN:
        for name, place in names_of(module).items():
            found = getattr(__import__(place.module, fromlist=[place.attribute]), place.attribute)
            assert callable(found), f"{module}.{name}"
