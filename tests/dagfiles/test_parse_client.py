"""Does reading files survive the loss of the parse server, many files at once, and files that hang?"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from scheduler.dagfiles.parse_client import FileJob, ParseClient
from scheduler.dagfiles.rehearsal import rehearse
from tests.dagfiles.conftest import SETUP, read_one, setup_with
from tests.support.waiting import wait_until
from tradewind.model.parsed import ParsedFile

ENVIRONMENT = {"PATH": os.environ["PATH"]}
GOOD = b"from tradewind import DAG\ndag = DAG('x')\n"


@pytest.fixture
def own_client():
    """A parse client that a test may treat badly."""
    client = ParseClient(SETUP, ENVIRONMENT, parallel=4)
    yield client
    client.close()


def job(folder: Path, source: bytes = GOOD, name: str = "a.py") -> FileJob:
    return FileJob(name, str(folder / name), str(folder), source)


def collect(client: ParseClient, count: int) -> list[ParsedFile]:
    parsed: list[ParsedFile] = []
    while len(parsed) < count:
        parsed += client.wait(30)
    return parsed


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_many_files_are_read_at_once_and_a_hanging_one_holds_up_none(folder):
    own_client = ParseClient(setup_with(import_seconds=8.0), ENVIRONMENT, parallel=4)
    own_client.submit(job(folder, b"import time\ntime.sleep(60)\n", "hang.py"))
    for number in range(30):
        while own_client.free < 1:
            assert "hang.py" not in [parsed.path for parsed in own_client.wait(30)]
        own_client.submit(job(folder, name=f"{number}.py"))
    wait_until(lambda: own_client.wait(0.1) is not None and own_client.names() == ["hang.py"])

    [hanging] = collect(own_client, 1)
    assert hanging.timed_out
    assert not own_client.is_busy
    own_client.close()


def test_a_large_file_and_a_large_answer_pass(own_client, folder):
    source = GOOD + b"# " + b"x" * 3_000_000 + b"\nfor i in range(3000):\n    globals()[f'd{i}'] = DAG(f'd{i}')\n"

    parsed = read_one(own_client, job(folder, source))

    assert parsed.errors == ()
    assert len(parsed.specs) == 3001
    assert parsed.source == source


def test_a_lost_server_is_replaced_and_its_files_are_read_again(own_client, folder):
    own_client.submit(job(folder, b"import time\ntime.sleep(0.5)\n" + GOOD, "a.py"))
    first = own_client.server_pid
    [child] = wait_until(lambda: children(first))
    os.kill(first, signal.SIGKILL)

    [parsed] = collect(own_client, 1)

    assert parsed.errors == ()
    assert parsed.specs[0].dag_id == "x"
    assert own_client.server_pid != first
    wait_until(lambda: not Path(f"/proc/{child}").exists(), what="the end of the orphan")


def test_a_file_with_which_the_server_ends_twice_is_told(own_client, folder):
    parsed = read_one(
        own_client, job(folder, b"import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(9)\n")
    )

    assert "ended 2 times while it read this one" in parsed.errors[0].message
    assert read_one(own_client, job(folder)).errors == ()


def test_closing_ends_the_server_and_all_below_it(folder):
    client = ParseClient(SETUP, ENVIRONMENT, parallel=2)
    source = b"import subprocess, time\np = subprocess.Popen(['setsid', 'sleep', '600'])\n"
    source += f"open({str(folder / 'pid')!r}, 'w').write(str(p.pid))\ntime.sleep(600)\n".encode()
    client.submit(job(folder, source))
    pid = int(wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text()))
    server = client.server_pid

    client.close()

    assert not Path(f"/proc/{server}").exists()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="the end of what the file started")


def test_a_server_that_rests_is_started_again(own_client, folder):
    assert own_client.server_pid is None
    read_one(own_client, job(folder))
    first = own_client.server_pid
    own_client.rest()
    assert own_client.server_pid is None
    assert not Path(f"/proc/{first}").exists()

    assert read_one(own_client, job(folder)).errors == ()


def test_waking_ends_a_wait(own_client):
    own_client.wake()

    assert own_client.wait(None) == []
    assert own_client.wait(0) == []


def test_configured_defaults_reach_the_dags(folder):
    setup = setup_with(defaults=SETUP.defaults | {"max_active_runs": 3, "owner": "zoe", "retries": 2})
    client = ParseClient(setup, ENVIRONMENT, parallel=1)
    source = b"from tradewind import DAG\nfrom tradewind.sdk.operators.bash import BashOperator\n"
    source += b"with DAG('x'):\n    BashOperator(task_id='a', bash_command='true')\n"

    [spec] = read_one(client, job(folder, source)).specs

    assert (spec.max_active_runs, spec.tasks[0].owner, spec.tasks[0].retries) == (3, "zoe", 2)
    client.close()


def test_the_rehearsal_is_a_good_file():
    """What every parse process has imported must not fail in silence."""
    assert [spec.dag_id for spec in rehearse(with_airflow_names=False)] == ["rehearsal", "in_utc"]
