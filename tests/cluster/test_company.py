"""Do the members of a company live and die as they should? With small programs in place of servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until
from tradewind.console.cluster import private_postgres, private_redis
from tradewind.console.cluster.company import Company, Member
from tradewind.errors import UsageError

Lines = list[tuple[str, str]]


@pytest.fixture
def company() -> Iterator[tuple[Company, Lines]]:
    lines: Lines = []
    made = Company(lambda name, line: lines.append((name, line)))
    yield made, lines
    made.end()


def member(name: str, script: str, **fields: object) -> Member:
    return Member(name, ["/bin/sh", "-c", script], dict(os.environ), **fields)  # type: ignore[arg-type]


def step_until(company: Company, done: Callable[[], object]) -> None:
    def look() -> object:
        company.step(0.01)
        return done()

    wait_until(look, 20)


def test_lines_are_told_with_names_and_the_last_one_without_an_end_too(company: tuple[Company, Lines]):
    made, lines = company
    made.start(member("a", "echo one; printf two; exec sleep 100"), member("b", "printf last"), stage=0)

    step_until(made, lambda: {("a", "one"), ("b", "last")} <= set(lines))
    made.end()

    assert ("a", "two") in lines


def test_what_ends_is_started_again(company: tuple[Company, Lines]):
    made, lines = company
    made.start(member("a", "echo $$; exec sleep 100"), stage=0)
    step_until(made, lambda: len(lines) == 1)

    made.send("a", signal.SIGKILL)
    step_until(made, lambda: len(lines) == 3)

    assert lines[1] == ("a", "ended (killed by signal 9); starting it again")
    assert lines[0] != lines[2]


def test_what_can_not_live_ends_the_company(company: tuple[Company, Lines]):
    made, lines = company
    made.start(member("a", "echo no use; exit 3"), stage=0)

    made.run(threading.Event())

    assert made.error is not None and made.error.startswith("a ended 3 times at once (exit code 3)")
    assert lines.count(("a", "no use")) == 3


def test_later_stages_end_first_and_what_does_not_end_is_killed(company: tuple[Company, Lines]):
    made, lines = company
    made.start(member("server", "trap 'echo bye; exit' TERM; echo here; while :; do sleep 0.05; done"), stage=0)
    made.start(member("deaf", "trap '' TERM; echo here; while :; do sleep 0.05; done", stop_seconds=0.3), stage=1)
    step_until(made, lambda: {("server", "here"), ("deaf", "here")} <= set(lines))

    made.end()

    assert lines[-2:] == [("deaf", "did not end within 0.3 s: killed"), ("server", "bye")]
    assert made.pid("deaf") is None and made.pid("server") is None


def test_no_member_outlives_a_company_that_is_killed():
    script = textwrap.dedent("""
        import os, threading
        from tradewind.console.cluster.company import Company, Member
        company = Company(lambda name, line: print(line, flush=True))
        company.start(Member("a", ["/bin/sh", "-c", "echo $$; exec sleep 100"], dict(os.environ)), stage=0)
        company.run(threading.Event())
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    child = psutil.Process(pid)

    process.kill()
    process.wait()
    process.stdout.close()

    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10, what="its end")


@pytest.mark.parametrize(
    ("find", "name"), [(private_postgres.find_programs, "PostgreSQL"), (private_redis.find_program, "Redis")]
)
def test_a_missing_server_is_said_with_the_mend(find: Callable[[], Path], name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(f"{find.__module__}.find_spec", lambda _name: None)

    with pytest.raises(
        UsageError, match=rf"no {name} server to start.*pip install 'tradewind\[cluster\]'.*airflow.cfg"
    ):
        find()
