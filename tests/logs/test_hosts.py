"""Are logs shipped from where tasks run, live and whole, also when everything there is killed?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from executors.logs.reading import LogFiles
from executors.logs.store import LogStore, open_store
from executors.runner.log_paths import attempt_log_path
from tests.executors.workbench import Workbench
from tests.support.s3_server import S3Server
from tests.support.waiting import wait_until
from tradewind.errors import UsageError
from tradewind.model.orders import AttemptOrder, Outcome

TASKS = """
    import os, sys, time
    from datetime import datetime, timedelta, UTC
    from airflow.exceptions import AirflowRescheduleException

    @task
    def talks():
        print("first words", flush=True)
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.02)
        print("last words")

    @task
    def pokes():
        print("looks")
        raise AirflowRescheduleException(datetime.now(UTC) + timedelta(hours=1))

    @task
    def large():
        for number in range(20_000):
            print(f"line {number} of a long log")

    talks(); pokes(); large()
"""
PATIENCE = 30.0


def read(store: LogStore, order: AttemptOrder, folder: Path) -> str:
    """What somebody on another machine reads of the log of an attempt."""
    files = LogFiles(folder, lambda: store)
    try:
        path = attempt_log_path(Path(), order.dag_id, order.run_id, order.task_id, order.try_number, order.map_index)
        found = files.find(path)
        assert not found.trouble
        return found.path.read_text() if found.path.exists() else ""
    finally:
        files.close()


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file on which tasks wait."""
    monkeypatch.setenv("GO", str(tmp_path / "go"))
    return tmp_path / "go"


def make(make_bench, store_url: str, **options: str) -> Workbench:
    bench: Workbench = make_bench(LOGGING__REMOTE_BASE_LOG_FOLDER=store_url, **options)
    bench.write_dag(TASKS)
    return bench


def test_a_log_is_in_the_store_while_the_task_runs_and_whole_at_its_end(make_bench, store_url, store, go, tmp_path):
    bench = make(make_bench, store_url, LOGGING__DELETE_LOCAL_LOGS="True")
    order = bench.order("talks")
    bench.executor.submit([order])
    wait_until(lambda: "first words" in read(store, order, tmp_path / "x"), PATIENCE, every=0.1)
    assert "last words" not in read(store, order, tmp_path / "x")
    go.touch()
    bench.end_of(order)
    wait_until(lambda: not bench.log_path(order).exists(), PATIENCE, what="the log is removed here")
    assert "last words" in read(store, order, tmp_path / "x")

    large = bench.order("large")
    bench.run(large)
    wait_until(lambda: not bench.log_path(large).exists(), PATIENCE)
    assert read(store, large, tmp_path / "x").count("of a long log\n") == 20_000
    folder = bench.log_path(large).parent.relative_to(bench.config.logging.base_log_folder)
    assert list(store.sizes(str(folder))) == ["attempt=1.log"]


def test_the_parts_of_a_try_on_several_machines_read_as_one(make_bench, home, tmp_path, go):
    url = str(tmp_path / "store")
    bench = make(make_bench, url)
    first = bench.order("pokes", part=0)
    assert [end.outcome for end in bench.run(first)] == [Outcome.RESCHEDULED]
    bench.run(bench.order("pokes", part=1))
    bench.executor.stop(1)
    elsewhere = make(make_bench, url, LOGGING__BASE_LOG_FOLDER=str(tmp_path / "elsewhere"))
    elsewhere.run(elsewhere.order("pokes", part=2))
    elsewhere.run(elsewhere.order("pokes", part=3))
    elsewhere.executor.stop(1)

    folder = Path(url) / bench.log_path(first).parent.relative_to(home / "logs")
    assert sorted(path.name for path in folder.iterdir()) == ["attempt=1.log", "attempt=1.log.2"]
    assert read(open_store(url), first, tmp_path / "x").count(" - looks\n") == 4


def start_host(home: Path, url: str, task_id: str, sqlite_url: str) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": sqlite_url,
        "TRADEWIND__LOGGING__REMOTE_BASE_LOG_FOLDER": url,
    }
    return subprocess.Popen([sys.executable, "-m", "tests.logs.host", str(home), task_id], env=environ)


def shippers(home: Path) -> list[psutil.Process]:
    """The shippers of hosts whose home this is."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "tw-shipper":
            try:
                if process.environ().get("TRADEWIND_HOME") == str(home):
                    found.append(process)
            except psutil.Error:
                continue
    return found


@pytest.mark.parametrize("with_shipper", [False, True], ids=["host", "host-and-shipper"])
def test_a_killed_worker_leaves_no_word_behind(make_bench, home, sqlite_url, tmp_path, go, wait_until, with_shipper):
    url = str(tmp_path / "store")
    bench = make(make_bench, "", LOGGING__BASE_LOG_FOLDER=str(tmp_path / "other"))  # only to write orders
    order = bench.order("talks")
    host = start_host(home, url, "talks", sqlite_url)
    log = attempt_log_path(home / "logs", order.dag_id, order.run_id, order.task_id, 1)
    store = open_store(url)
    wait_until(lambda: "first words" in read(store, order, tmp_path / "x"), PATIENCE)
    (shipper,) = shippers(home)
    os.kill(host.pid, signal.SIGSTOP)
    if with_shipper:
        shipper.send_signal(signal.SIGSTOP)
    go.touch()
    wait_until(lambda: "last words" in log.read_text(), PATIENCE)
    said = log.read_text()
    if with_shipper:
        shipper.kill()
    host.kill()
    host.wait()
    if with_shipper:
        assert read(store, order, tmp_path / "x") != said
        next_host = make_bench(LOGGING__REMOTE_BASE_LOG_FOLDER=url)  # the next one to be started on this machine
        wait_until(lambda: read(store, order, tmp_path / "x") == said, PATIENCE, what="the tail")
        next_host.executor.stop(1)
    else:
        wait_until(lambda: read(store, order, tmp_path / "x") == said, PATIENCE, what="the tail")
    wait_until(lambda: not list((home / "logs" / ".outgoing").iterdir()), PATIENCE, what="nothing is left behind")
    wait_until(lambda: not shippers(home), PATIENCE, what="no process is left")


def test_a_shipper_knows_no_secrets_of_its_host(make_bench, home, tmp_path, go, monkeypatch):
    monkeypatch.setenv("TRADEWIND__WORKERS__TOKEN", "token-of-all-the-workers-0123456789abcdef")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "postgres://someone:password@somewhere")
    go.touch()
    bench = make(make_bench, str(tmp_path / "store"))
    bench.run(bench.order("talks"))
    (shipper,) = wait_until(lambda: shippers(home), PATIENCE)
    told = " ".join([*shipper.cmdline(), *shipper.environ(), *shipper.environ().values()])
    assert "token" not in told.lower() and "password" not in told
    wait_until(lambda: Path(f"/proc/{shipper.pid}/mem").stat().st_uid == 0, PATIENCE, what="it hides its memory")


def test_a_shipper_that_is_killed_is_started_again(make_bench, home, tmp_path, go):
    url = str(tmp_path / "store")
    bench = make(make_bench, url)
    order = bench.order("talks")
    bench.executor.submit([order])
    wait_until(lambda: "first words" in read(open_store(url), order, tmp_path / "x"), PATIENCE)
    shippers(home)[0].kill()
    go.touch()
    bench.end_of(order)
    wait_until(lambda: "last words" in read(open_store(url), order, tmp_path / "x"), PATIENCE)


def test_a_store_that_is_away_holds_up_no_task_and_gets_it_all_later(make_bench, tmp_path, monkeypatch, go):
    server = S3Server(port_of_nobody(), tmp_path)
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    go.touch()
    bench = make(make_bench, "s3://logs/here")
    order = bench.order("talks")
    assert bench.run(order)[0].outcome is Outcome.SUCCESS
    server.start()
    try:
        wait_until(
            lambda: "last words" in read(open_store("s3://logs/here"), order, tmp_path / "x"), PATIENCE, every=0.2
        )
    finally:
        bench.executor.stop(1)
        server.stop()


def port_of_nobody() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_credentials_come_from_a_connection(make_bench, s3_server, s3_url, tmp_path, monkeypatch, go):
    for name in s3_server.environ:
        monkeypatch.delenv(name, raising=False)
    go.touch()
    options = {"LOGGING__REMOTE_LOG_CONN_ID": "my_s3"}
    bench = make(make_bench, s3_url, **options)
    with pytest.raises(AssertionError):
        read(open_store(s3_url), bench.order("talks"), tmp_path / "x")  # nobody says where S3 is
    monkeypatch.setenv(
        "AIRFLOW_CONN_MY_S3",
        '{"conn_type": "aws", "login": "tester", "password": "secret", "extra": {"region_name": "eu-central-1", '
        f'"endpoint_url": "{s3_server.environ["AWS_ENDPOINT_URL"]}"}}}}',
    )
    order = bench.order("talks")
    bench.run(order)
    from executors.logs.credentials import configured_store, connections_of
    from executors.runner.desk import ControlPlaneDesk

    store = configured_store(bench.config, connections_of(ControlPlaneDesk(None, tmp_path), os.environ))  # type: ignore[arg-type]
    assert store is not None
    wait_until(lambda: "last words" in read(store, order, tmp_path / "x"), PATIENCE, every=0.2)


def test_a_store_that_cannot_be_used_is_said_at_the_start(make_bench):
    with pytest.raises(UsageError, match="nobody knows nfs://"):
        make_bench(LOGGING__REMOTE_BASE_LOG_FOLDER="nfs://host/logs")
