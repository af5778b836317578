"""Do operators, sensors, hooks and triggers of Airflow's provider packages work, against real servers?

Real packages from PyPI, a real scheduler with real task processes and a triggerer. The packages stand in a folder of
their own, on the module search path of the scheduler only.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from textwrap import dedent
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.compat import packages
from tests.e2e.stack import Stack
from tests.support.databases import SqliteTemplates
from tradewind.metadata import connections
from tradewind.metadata.crypto import make_fernet
from tradewind.sdk.connection import Connection

pytestmark = [pytest.mark.xdist_group("provider packages"), pytest.mark.slow]

HTTP = """
from datetime import datetime
import json
from airflow.sdk import DAG
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor

with DAG("http", start_date=datetime(2026, 1, 1), schedule=None):
    seen = HttpSensor(task_id="seen", http_conn_id="web", endpoint="state", poke_interval=0.1,
                      response_check=lambda response: response.json()["ready"])
    read = HttpOperator(task_id="read", http_conn_id="web", endpoint="{{ 'sta' }}te", method="GET",
                        response_filter=lambda response: response.json()["answer"])
    told = HttpOperator(task_id="told", http_conn_id="web", endpoint="tell", method="POST", data=json.dumps({"a": 1}),
                        headers={"Content-Type": "application/json"})
    later = HttpOperator(task_id="later", http_conn_id="web", endpoint="state", method="GET", deferrable=True)
    refused = HttpOperator(task_id="refused", http_conn_id="web", endpoint="missing", method="GET")
    seen >> read >> told >> [later, refused]
"""

SQL = """
from datetime import datetime
from airflow.sdk import DAG, BaseHook, task
from airflow.providers.common.sql.operators.sql import (
    BranchSQLOperator, SQLCheckOperator, SQLColumnCheckOperator, SQLExecuteQueryOperator,
)
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.operators.empty import EmptyOperator

with DAG("sql_CONN", start_date=datetime(2026, 1, 1), schedule=None):
    made = SQLExecuteQueryOperator(task_id="made", conn_id="CONN", autocommit=True,
                                   sql=["create table t (id integer primary key, name text)",
                                        "insert into t values (1, '{{ dag.dag_id }}'), (2, 'b')"])
    seen = SqlSensor(task_id="seen", conn_id="CONN", sql="select count(*) from t", poke_interval=0.1)
    read = SQLExecuteQueryOperator(task_id="read", conn_id="CONN", sql="select id, name from t order by id")
    checked = SQLCheckOperator(task_id="checked", conn_id="CONN", sql="select count(*) = 2 from t")
    columns = SQLColumnCheckOperator(task_id="columns", conn_id="CONN", table="t",
                                     column_mapping={"id": {"null_check": {"equal_to": 0}}})
    branch = BranchSQLOperator(task_id="branch", conn_id="CONN", sql="select 0", follow_task_ids_if_true="yes",
                               follow_task_ids_if_false="no")

    @task
    def hooked():
        hook = BaseHook.get_hook("CONN")
        hook.insert_rows("t", [(3, "c")], target_fields=["id", "name"])
        if hasattr(hook, "copy_expert"):
            with open("rows.csv", "w") as file:
                file.write("4,d\\n")
            hook.copy_expert("copy t from stdin with csv", "rows.csv")
        return [type(hook).__name__, *(row[1] for row in hook.get_records("select * from t order by id"))]

    made >> seen >> read >> [checked, columns] >> branch >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]
    read >> hooked()
"""

MAIL = """
from datetime import datetime
from airflow.sdk import DAG, task
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.providers.smtp.notifications.smtp import SmtpNotifier

with DAG("mail", start_date=datetime(2026, 1, 1), schedule=None):
    sent = EmailOperator(task_id="sent", conn_id="mail", to="to@example.org", from_email="from@example.org",
                         subject="of {{ dag.dag_id }}", html_content="<b>here</b>")

    @task(on_success_callback=SmtpNotifier(to="to@example.org", from_email="from@example.org", html_content="x",
                                           subject="{{ ti.task_id }} is done", smtp_conn_id="mail"))
    def notified():
        return 1

    sent >> notified()
"""

MAIL_SERVER = """
import asyncio, sys
from aiosmtpd.smtp import SMTP
class Sink:
    async def handle_DATA(self, server, session, envelope):
        print(repr(envelope.content.decode()), flush=True)
        return "250 OK"
async def main():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Sink()), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


class Web(BaseHTTPRequestHandler):
    """Answers, and remembers what it was told."""

    told: list[str] = []  # noqa: RUF012  one list for all requests is what is meant

    def do_GET(self) -> None:
        self._answer(404 if "missing" in self.path else 200, {"ready": True, "answer": 42})

    def do_POST(self) -> None:
        self.told.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer(200, {})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates) -> Iterator[Stack]:
    """A scheduler that finds the provider packages; DAG files for all the tests below."""
    home = tmp_path_factory.mktemp("providers")
    (home / "dags").mkdir()
    made = Stack(
        home,
        sqlite_templates.make(home),
        lease_seconds=30,
        settings={
            "PYTHONPATH": str(packages.folder()),
            "TRADEWIND_HOME": str(home),
            "TRADEWIND__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        },
    )
    made.write_dag("web_dag.py", dedent(HTTP))
    made.write_dag("mail_dag.py", dedent(MAIL))
    for conn_id in ("lite", "post"):
        made.write_dag(f"{conn_id}_dag.py", dedent(SQL).replace("CONN", conn_id))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def connect(stack: Stack) -> Callable[..., None]:
    """``connect("web", uri=...)``: put a connection into the metadata DB."""

    def put(conn_id: str, **parts: Any) -> None:
        found = Connection(conn_id, **parts)
        row = connections.ConnectionRow(
            conn_id=conn_id, conn_type=found.conn_type or "", host=found.host, login=found.login,
            password=found.password, schema=found.schema, port=found.port, extra=found.extra,
        )  # fmt: skip
        with stack.db.write() as tx:
            fernet = make_fernet(stack.config.core.fernet_key)
            connections.set_connection(tx, connections.encrypt_connection(fernet, row))

    return put


def states(stack: Stack, dag_id: str) -> dict[str, str]:
    """Run a DAG once, and return how its tasks ended."""
    stack.wait_dag(dag_id)
    run = stack.trigger(dag_id)
    stack.wait_over(run)
    return {task_id: task.state.value for task_id, task in stack.tasks(run).items()}


def log(stack: Stack, dag_id: str, task_id: str) -> str:
    base = stack.config.logging.base_log_folder
    return (base / f"dag_id={dag_id}" / "run_id=run1" / f"task_id={task_id}" / "attempt=1.log").read_text()


def test_http_operators_sensors_and_triggers(stack, connect, web):
    connect("web", uri=web)

    assert states(stack, "http") == {
        "seen": "success", "read": "success", "told": "success", "later": "success", "refused": "failed"
    }  # fmt: skip
    assert Web.told == ['{"a": 1}']
    assert "404" in log(stack, "http", "refused")


def test_sql_operators_on_sqlite(stack, connect, tmp_path):
    connect("lite", conn_type="sqlite", host=str(tmp_path / "data.db"))

    found = states(stack, "sql_lite")

    assert found == {**dict.fromkeys(found, "success"), "yes": "skipped"}
    assert "['SqliteHook', 'sql_lite', 'b', 'c']" in log(stack, "sql_lite", "hooked")


def test_sql_operators_on_postgres(stack, connect, empty_postgres_url):
    connect("post", **parts_of(empty_postgres_url))

    found = states(stack, "sql_post")

    assert found == {**dict.fromkeys(found, "success"), "yes": "skipped"}
    assert "['PostgresHook', 'sql_post', 'b', 'c', 'd']" in log(stack, "sql_post", "hooked")


def parts_of(url: str) -> dict[str, Any]:
    """The parts of a connection to the database at an SQLAlchemy URL."""
    from sqlalchemy.engine import make_url

    made = make_url(url)
    host = made.host or made.query.get("host")
    return {
        "conn_type": "postgres", "host": host, "login": made.username, "password": made.password,
        "schema": made.database, "port": made.port or int(str(made.query.get("port") or 5432)),
    }  # fmt: skip


def test_mail_by_operator_and_notifier(stack, connect):
    server = subprocess.Popen(
        [sys.executable, "-c", MAIL_SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(packages.folder())},
    )
    assert server.stdin is not None and server.stdout is not None
    with server:
        port = int(server.stdout.readline())
        connect("mail", conn_type="smtp", host="127.0.0.1", port=port, extra={"disable_ssl": True, "disable_tls": True})

        assert states(stack, "mail") == {"sent": "success", "notified": "success"}
        first, second = server.stdout.readline(), server.stdout.readline()
        server.stdin.close()
    assert "Subject: of mail" in first and "Subject: notified is done" in second


def test_hooks_are_found_by_the_type_of_their_connection(tmp_path):
    code = (
        "from tradewind.compat import install; install()\n"
        "from airflow.sdk import BaseHook, Connection, task\n"
        "from airflow.providers_manager import ProvidersManager\n"
        "print(type(Connection(conn_id='x', conn_type='sqlite', host='x').get_hook()).__name__, end=' ')\n"
        "print(sorted(ProvidersManager().hooks), end=' ')\n"
        "try: Connection(conn_id='x', conn_type='ftp').get_hook()\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(packages.folder()), "TRADEWIND_HOME": str(tmp_path)},
        check=True,
    )

    assert done.stdout.startswith("SqliteHook ['")
    assert "'http'" in done.stdout and "'postgres'" in done.stdout
    assert "pip install --no-deps apache-airflow-providers-ftp" in done.stdout


def test_check_knows_which_packages_are_installed(tmp_path):
    (tmp_path / "dag.py").write_text("from airflow.providers.http.triggers.http import HttpTrigger  # dag\n")
    command = [sys.executable, "-m", "tradewind.cli", "check", "--airflow", str(tmp_path)]
    environ = {"TRADEWIND_HOME": str(tmp_path)}

    without = subprocess.run(command, capture_output=True, text=True, env=environ)
    found = subprocess.run(
        command, capture_output=True, text=True, env={**environ, "PYTHONPATH": str(packages.folder())}
    )

    assert (without.returncode, found.returncode) == (1, 0), found.stdout + found.stderr
    assert "pip install --no-deps apache-airflow-providers-http" in without.stdout
