"""``tradewind scheduler`` and ``standalone``: they start, work, stop in order, and say what is in the way."""

from __future__ import annotations

import os
import re
import signal
import socket
import urllib.request
from contextlib import closing

import psutil
import pytest

from tests.cli.conftest import tradewind


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_until(process, pattern: str) -> re.Match[str]:
    """Read what a process says up to a line that matches; pytest's time limit ends a wait in vain."""
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(pattern, line)
        if found:
            return found
    raise AssertionError(f"the process ended without saying {pattern!r}:\n{said}")


def test_a_scheduler_runs_what_is_triggered_and_stops_when_told(started, ok, migrated, etl, wait_until):
    process = started("scheduler")
    read_until(process, "scheduler .* on ")
    wait_until(lambda: "etl" in ok("dags", "list"), timeout=30)
    ok("dags", "trigger", "etl", "-r", "mine")
    wait_until(lambda: ok("dags", "state", "etl", "mine") == "success\n", timeout=30)
    assert "it succeeded" in ok("why", "etl", "mine", "load")
    assert ok("tasks", "state", "etl", "load", "mine") == "success\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    ok("db", "verify")


def test_a_second_scheduler_on_sqlite_is_refused(started, migrated_sqlite):
    first = started("scheduler")
    read_until(first, "scheduler .* on ")
    second = tradewind("scheduler")
    assert second.returncode == 1
    assert "A scheduler already runs" in second.stderr


@pytest.mark.parametrize("service", ["scheduler", "webserver"])
def test_a_service_without_a_metadata_db_says_what_to_run(service):
    done = tradewind(service)
    assert done.returncode == 1
    assert "tradewind db migrate" in done.stderr


def test_a_taken_port_is_said_before_anything_is_started(home, etl):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = tradewind("standalone", "--port", port)
    assert done.returncode == 2
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in done.stderr
    assert sorted(path.name for path in home.iterdir()) == ["dags"]


def children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_standalone_goes_from_nothing_to_a_page_and_stops_with_ctrl_c(started, ok, home, etl, wait_until):
    port = free_port()
    process = started("standalone", "--port", str(port), start_new_session=True)
    url = read_until(process, r"Web UI\s+(http://localhost:\d+)")[1]
    assert url == f"http://localhost:{port}"
    assert read_until(process, r"Login\s+(\w+)")[1] == "admin"
    assert len(read_until(process, r"Password\s+(\w+)")[1]) >= 20
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
        assert answer.status == 200
    wait_until(lambda: "etl" in ok("dags", "list"), timeout=30)
    ok("dags", "trigger", "etl", "-r", "mine")
    wait_until(lambda: ok("dags", "state", "etl", "mine") == "success\n", timeout=30)
    family = children(process.pid)
    assert family
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
    rest = process.stdout.read()
    assert process.wait(timeout=40) == 0, rest
    assert "Stopped." in rest
    assert "Traceback" not in rest
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_a_second_start_keeps_the_first_login(started, home):
    for expected in (r"Password\s+\w+", r"Login\s+as before"):
        process = started("standalone", "--port", "0")
        read_until(process, expected)
        read_until(process, "Stop")
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(timeout=40) == 0


def test_nothing_outlives_a_standalone_that_was_killed(started, home):
    process = started("standalone", "--port", "0")
    read_until(process, "Stop")
    family = children(process.pid)
    assert family
    process.kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_a_web_server_that_dies_is_started_again(started, home, wait_until):
    port = free_port()
    process = started("standalone", "--port", str(port))
    read_until(process, "Stop")

    def server() -> psutil.Process:
        return next(child for child in psutil.Process(process.pid).children() if "webserver" in child.cmdline())

    server().kill()
    read_until(process, "starting it again")

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_until(answers, timeout=30)
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    assert process.wait(timeout=40) == 0
