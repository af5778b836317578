"""Does a DAG file get the variables and connections that it asks for at its top, and does no secret leave with it?"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executors.stored_values import StoredValues
from scheduler.dagfiles.answers import answer_from
from scheduler.dagfiles.manager import DagFileManager
from scheduler.dagfiles.parse_client import FileJob, ParseClient
from scheduler.dagfiles.protocol import Answer, Question
from tests.dagfiles.conftest import read_one, setup_with
from tradewind.config import load_config, with_secrets
from tradewind.metadata import connections, dags, variables
from tradewind.metadata.crypto import encrypt, make_fernet
from tradewind.metadata.database import Database
from tradewind.model.parsed import ParsedFile
from tradewind.model.spec import encode_spec
from tradewind.sdk.channel import ConnectionData

SECRET = "s3cr3t/v4l"
VARIABLES = {"schedule": "0 3 * * *", "api_token": SECRET, "conf": '{"password": "in json", "n": 1}', "empty": ""}
CONNECTION = ConnectionData("db", "postgres", host="h", login="u", password=SECRET, extra='{"token": "t0ken"}')


def tell(question: Question) -> Answer:
    """Answer from the tables above."""
    connection = CONNECTION if question.name == "db" else None
    if question.kind == "connection":
        return Answer(question.job, question.number, question.name, connection=connection)
    return Answer(question.job, question.number, question.name, VARIABLES.get(question.name))


@pytest.fixture(scope="module")
def told_client() -> Iterator[ParseClient]:
    client = ParseClient(setup_with(sensitive_names=("conf_id",)), {"PATH": os.environ["PATH"]}, 2, tell)
    yield client
    client.close()


@pytest.fixture
def read_told(read: Callable[..., ParsedFile], told_client: ParseClient) -> Callable[..., ParsedFile]:
    """Write a DAG file and have it read by a process whose questions are answered."""
    return lambda source: read(source, by=told_client)


def texts(parsed: ParsedFile) -> str:
    """All that is stored of a file, but its source."""
    errors = [f"{error.message} {error.traceback}" for error in parsed.errors]
    return "\n".join([*errors, *map(str, parsed.warnings), *(encode_spec(spec).decode() for spec in parsed.specs)])


def test_a_file_gets_what_it_asks_for_at_its_top(read_told):
    parsed = read_told("""
        from airflow.hooks.base import BaseHook
        from airflow.models import Connection, Variable
        from airflow import DAG

        assert BaseHook.get_connection("db").get_uri().startswith("postgres://u:s3cr3t%2Fv4l@h")
        assert Variable.get("conf", deserialize_json=True)["n"] == 1
        assert Variable.get("empty") == ""
        assert Variable.get("none", default_var=None) is None
        assert Variable.get("none", default="x") == "x"
        dag = DAG("etl", schedule=Variable.get("schedule"))
    """)

    assert parsed.errors == ()
    assert parsed.specs[0].timetable.summary == "0 3 * * *"
    assert parsed.looks_outside


def test_a_file_that_asks_for_nothing_looks_nowhere(read_told):
    parsed = read_told("from tradewind import DAG, Variable\ndag = DAG('etl')\n")

    assert (parsed.errors, parsed.looks_outside) == ((), False)


def test_what_does_not_exist_is_an_import_error_that_says_how_to_make_it(read_told):
    variable = read_told("from tradewind import Variable\nVariable.get('none')\n")
    connection = read_told("from tradewind import Connection\nConnection.get('none')\n")

    assert "`tradewind variables set none VALUE`" in variable.errors[0].message
    assert "`tradewind connections add none --conn-uri URI`" in connection.errors[0].message
    assert (variable.errors[0].line, variable.looks_outside, connection.looks_outside) == (2, True, True)


def test_a_file_may_read_but_not_write(read_told):
    parsed = read_told("from tradewind import Variable\nVariable.set('a', 1)\n")

    assert "Call it inside a task" in parsed.errors[0].message


def test_threads_of_the_import_may_ask(read_told):
    parsed = read_told("""
        from concurrent.futures import ThreadPoolExecutor
        from tradewind import DAG, Variable
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda n: Variable.get(["schedule", "empty"][n % 2]), range(100)))
        assert found == ["0 3 * * *", ""] * 50
        dag = DAG("etl")
    """)

    assert parsed.errors == ()


def test_a_process_that_the_file_forked_may_not_ask(read_told):
    parsed = read_told("""
        import os
        from tradewind import Variable
        pid = os.fork()
        if pid == 0:
            try:
                Variable.get("schedule")
            except Exception as error:
                os._exit(7 if "Ask before the fork" in str(error) else 1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    """)

    assert parsed.errors == ()


def test_an_answer_that_does_not_come_is_an_import_error_within_its_time(folder):
    late: list[Question] = []
    replies = {"slow": "late", "quick": "in time"}

    def hold_back(question: Question) -> Answer:
        """Answer the first question only after the second: under the number of the first, which nobody waits for."""
        if question.name == "slow":
            late.append(question)
            return Answer(question.job, 0, question.name, "nonsense")
        return Answer(question.job, question.number, question.name, replies[question.name])

    path = folder / "it.py"
    source = (
        b"from tradewind import DAG, Variable\n"
        b"try:\n    Variable.get('slow', default='x')\n"
        b"except Exception as error:\n    said = str(error)\n"
        b"dag = DAG('etl', description=Variable.get('quick') + said)\n"
    )
    path.write_bytes(source)
    client = ParseClient(setup_with(answer_seconds=0.2), {"PATH": os.environ["PATH"]}, 1, hold_back)
    try:
        parsed = read_one(client, FileJob("it.py", str(path), str(folder), source))
    finally:
        client.close()

    assert parsed.errors == ()
    assert parsed.specs[0].description is not None
    assert parsed.specs[0].description.startswith(
        "in timeVariable 'slow' was asked for while the DAG file was read, and no"
    )
    assert len(late) == 1


def test_without_a_metadata_db_the_file_is_told_so(read):
    parsed = read("from tradewind import Variable\nVariable.get('a', default=1)\n")

    assert "Variable 'a' cannot be had while the DAG file is read: there is no metadata DB" in parsed.errors[0].message


@pytest.mark.parametrize(
    "source",
    [
        "raise ValueError(f'no {token} no')",
        "raise ValueError('x' * 1990 + token)",  # would be cut in the middle of the secret
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError(repr(token)) from ValueError(token)",
        "import urllib.parse, warnings\nwarnings.warn(urllib.parse.quote(token, safe=''))",
        "import os, sys\nprint('.' * 4090 + token + ' printed', flush=True)\nos._exit(3)",
        "import os\nprint('.' * 10 + token + '.' * 4090, flush=True)\nos._exit(3)",
        "dag = DAG('etl', description=token, doc_md=f'see {token}', dag_display_name=token)",
        "dag = DAG('etl')\nEmptyOperator(task_id='a', doc_md=token, dag=dag)",
        "dag = DAG('etl')\nEmptyOperator(task_id='a', owner=token, dag=dag)",
        "dag = DAG('etl', params={'a': token})",
        "dag = DAG('etl', params={token.replace('/', '%2F'): 1})",
        "dag = DAG('etl', params={'a': {'b': [f'x{token}x']}})",
        "dag = DAG('etl', tags=[token])",
        "dag = DAG('etl', schedule=token)",
        "dag = DAG(token)",
    ],
)
@pytest.mark.parametrize("asked", ["Variable.get('api_token')", "Connection.get('db').password"])
def test_no_secret_gets_into_what_is_stored(read_told, source, asked):
    parsed = read_told(f"from tradewind import DAG, Connection, EmptyOperator, Variable\ntoken = {asked}\n{source}\n")

    stored = texts(parsed)
    assert "s3cr3t" not in stored
    assert "v4l" not in stored
    assert "***" in stored or "has a secret in" in stored


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("DAG('etl', params={'a': token})", "params.a.default"),
        ("DAG('etl', params={'description': token})", "params.description.default"),
        ("DAG('etl', tags=['x', token])", "tags[0]"),
    ],
)
def test_a_dag_with_a_secret_that_cannot_be_masked_is_refused_with_its_place(read_told, source, place):
    parsed = read_told(
        f"from tradewind import DAG, Variable\ntoken = Variable.get('api_token')\ndag = {source}\ngood = DAG('good')\n"
    )

    assert f"DAG 'etl' has a secret in {place}" in parsed.errors[0].message
    assert [spec.dag_id for spec in parsed.specs] == ["good"]


def test_a_password_that_stands_in_the_file_anyway_does_not_cost_the_dag(read_told):
    parsed = read_told(f"""
        from tradewind import Connection, DAG, EmptyOperator
        password = Connection.get("db").password
        with DAG("etl", tags=[{SECRET!r}]):
            EmptyOperator(task_id="a")
    """)

    assert parsed.errors == ()


# --- with a manager and a metadata DB -------------------------------------------------------------------------------


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    return {"TRADEWIND_HOME": str(home), "TRADEWIND__CORE__LOAD_EXAMPLES": "False"}


def manager_of(database: Database, home: Path, environ: dict[str, str]) -> DagFileManager:
    return DagFileManager(load_config(environ, home), database, environ=environ)


def put(database: Database, home: Path, environ: dict[str, str]) -> None:
    fernet = make_fernet(with_secrets(load_config(environ, home)).core.fernet_key)
    row = connections.ConnectionRow("db", "postgres", host="stored", password="pw", extra='{"a": 1}')
    with database.write() as tx:
        variables.set_variable(tx, "when", encrypt(fernet, "30 * * * *"))
        variables.set_variable(tx, "both", encrypt(fernet, "stored"))
        connections.set_connection(tx, connections.encrypt_connection(fernet, row))


FILE = """
from tradewind import Connection, DAG, Variable
dag = DAG("etl", schedule=Variable.get("when"), description=Variable.get("both"), tags=[
    Connection.get("db").host, Connection.get("other").host, Connection.get("db").extra_dejson["a"] * "x"])
"""


def test_the_manager_answers_from_its_environment_and_the_metadata_db(database, home, environ):
    put(database, home, environ)
    environ |= {"AIRFLOW_CONN_OTHER": "http://given", "TRADEWIND_VAR_BOTH": "given"}
    (home / "dags" / "etl.py").write_text(FILE)
    manager = manager_of(database, home, environ)
    manager.sync_once()
    manager.stop()

    with database.read() as tx:
        assert dags.list_import_errors(tx) == []
        dag = dags.get_dag(tx, "etl")
    assert (dag.schedule_summary, dag.description, dag.tags) == ("30 * * * *", "given", ("given", "stored", "x"))


def test_a_changed_variable_is_seen_at_the_next_refresh(database, home, environ):
    put(database, home, environ)
    environ |= {"AIRFLOW_CONN_OTHER": "http://given", "TRADEWIND__DAG_PROCESSOR__REFRESH_INTERVAL": "1"}
    (home / "dags" / "etl.py").write_text(FILE)
    seen, wanted = threading.Event(), ["30 * * * *"]

    def look() -> None:
        with database.read() as tx:
            row = dags.find_dag(tx, "etl")
        if row is not None and row.schedule_summary == wanted[0]:
            seen.set()

    manager = DagFileManager(load_config(environ, home), database, look, environ=environ)
    manager.start()
    try:
        assert seen.wait(30)
        seen.clear()
        wanted[0] = "45 * * * *"
        fernet = make_fernet(with_secrets(load_config(environ, home)).core.fernet_key)
        with database.write() as tx:
            variables.set_variable(tx, "when", encrypt(fernet, "45 * * * *"))
        assert seen.wait(30)
    finally:
        manager.stop()


def test_a_value_that_cannot_be_decrypted_is_told_without_it(database, home, environ):
    with database.write() as tx:
        variables.set_variable(tx, "when", "nonsense")
    answer = answer_from(StoredValues(database, load_config(environ, home), environ))

    said = answer(Question(1, 2, "variable", "when"))

    assert (said.job, said.number, said.variable) == (1, 2, None)
    assert said.refused is not None and "cannot be decrypted" in said.refused and "nonsense" not in said.refused


def test_a_metadata_db_that_fails_costs_that_question_alone(database, home, environ, caplog):
    class Broken(StoredValues):
        def get_variable(self, key: str) -> str | None:
            raise OSError("gone")

    with caplog.at_level(logging.ERROR):
        said = answer_from(Broken(database, load_config(environ, home), environ))(Question(1, 2, "variable", "x"))

    assert said.refused == "the metadata DB could not be asked (OSError)"
    assert "dagfiles.not_answered" in caplog.text
