"""What stands in the log of an attempt? Everything it says, as it comes, masked; and nothing it says can end it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from executors.runner.log_paths import attempt_log_path
from tests.executors.stores import put_connection, put_variable
from tests.executors.workbench import Workbench
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.model.orders import Outcome

LINE = re.compile(r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00\] (?P<level>[A-Z]+) (?P<name>\S+) - (?P<text>.*)")

TASKS = """
    import logging, os, subprocess, sys, time
    from tradewind import Variable
    from tradewind.sdk.connection import Connection
    from tradewind.sdk.operators.bash import BashOperator

    @task
    def speaks():
        print("plain words")
        print("no line end", end="")
        print()
        print("to stderr", file=sys.stderr)
        logging.getLogger("my.module").warning("a %s", "warning")
        sys.stdout.buffer.write("bytes ü\\n".encode())
        sys.stdout.write("10%\\r20%\\r")
        subprocess.run(["echo", "from a child process"])
        print("the last words", end="")

    @task
    def fails():
        raise ValueError("no rows\\nat all")

    @task
    def chatters():
        for number in range(100):
            print("line", number)

    @task
    def waits():
        print("is there already")
        time.sleep(600)

    @task
    def tells_secrets():
        print("password:", Connection.get("warehouse").password)
        print("extra:", Connection.get("warehouse").extra_dejson["token"])
        print("variable:", Variable.get("api_key"))
        print("harmless:", Variable.get("region"))
        raise ValueError(Variable.get("api_key"))

    speaks(); fails(); chatters(); waits(); tells_secrets()
    BashOperator(task_id="bash", bash_command="echo out; echo err >&2")
"""


@pytest.fixture
def bench(make_bench: Callable[..., Workbench]) -> Workbench:
    made = make_bench()
    made.write_dag(TASKS)
    return made


def lines(text: str) -> list[tuple[str, str, str]]:
    return [(m["level"], m["name"], m["text"]) for m in map(LINE.fullmatch, text.splitlines()) if m]


def test_all_that_a_task_says_is_a_line_with_time_level_and_origin(bench):
    order = bench.order("speaks")
    bench.run(order)

    text = bench.log_of(order)
    told = lines(text)
    assert told[:5] == [
        ("INFO", "task.stdout", "plain words"),
        ("INFO", "task.stdout", "no line end"),
        ("ERROR", "task.stderr", "to stderr"),
        ("WARNING", "my.module", "a warning"),
        ("INFO", "task.stdout", "bytes ü"),
    ]
    assert ("INFO", "task.stdout", "10%") in told
    assert ("INFO", "task.stdout", "20%") in told
    assert "from a child process\n" in text
    assert ("INFO", "task.stdout", "the last words") in told


def test_a_failure_shows_the_traceback_of_the_users_frames(bench):
    order = bench.order("fails")
    bench.run(order)

    text = bench.log_of(order)
    assert f'File "{bench.config.core.dags_folder}/file.py", line' in text
    assert "ValueError: no rows" in text
    assert "task_process" not in text


def test_the_output_of_a_bash_command_is_in_the_log(bench):
    order = bench.order("bash")
    assert bench.run(order)[0].outcome == Outcome.SUCCESS

    told = [text for _level, _name, text in lines(bench.log_of(order))]
    assert "out" in told
    assert "err" in told


def test_the_log_can_be_read_while_the_task_runs(bench):
    order = bench.order("waits")
    bench.executor.submit([order])

    wait_until(lambda: bench.log_path(order).exists() and "is there already" in bench.log_of(order))

    assert bench.ends_of(order) == []


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (("d", "r", "t", 1, -1), "dag_id=d/run_id=r/task_id=t/attempt=1.log"),
        (("d", "r", "g.t", 2, 7), "dag_id=d/run_id=r/task_id=g.t/map_index=7/attempt=2.log"),
        (("d", "../../r", "t", 1, -1), "dag_id=d/run_id=..%2F..%2Fr/task_id=t/attempt=1.log"),
        (("..", "/", "\0", 1, -1), "dag_id=../run_id=%2F/task_id=%00/attempt=1.log"),
    ],
)
def test_logs_are_laid_out_as_airflow_does_and_no_id_leads_out(ids, expected):
    dag_id, run_id, task_id, try_number, map_index = ids

    path = attempt_log_path(Path("/logs"), dag_id, run_id, task_id, try_number, map_index)

    assert str(path) == f"/logs/{expected}"
    assert os.path.normpath(path) == str(path)


def test_a_full_disk_costs_the_output_and_not_the_task(bench, caplog):
    order = bench.order("chatters")
    path = bench.log_path(order)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")  # each write to it finds the disk full

    (ended,) = bench.run(order)

    assert ended.outcome == Outcome.SUCCESS
    (said,) = [record.message for record in caplog.records if "were lost" in record.message]
    assert re.match(r"\d{4} bytes of output of d.chatters of run scheduled__.*, try 1 were lost", said)


def test_a_log_folder_that_cannot_be_made_costs_the_output_and_not_the_task(bench, caplog):
    order = bench.order("chatters")
    base = bench.config.logging.base_log_folder
    base.parent.mkdir(exist_ok=True)
    base.write_text("a file, where a folder is wanted")

    (ended,) = bench.run(order)

    assert ended.outcome == Outcome.SUCCESS
    assert "were lost" in caplog.text


def test_secrets_are_masked_in_logs_and_errors(bench, sqlite_url):
    database = Database(sqlite_url)
    put_variable(database, bench.config, "api_key", "k3y+of/mine")
    put_variable(database, bench.config, "region", "eu-north")
    put_connection(database, bench.config, "warehouse", password="pa55 word", extra='{"token": "t0ken-t0ken"}')
    database.close()
    order = bench.order("tells_secrets")

    (ended,) = bench.run(order)

    text = bench.log_of(order)
    told = [line for _level, name, line in lines(text) if name == "task.stdout"]
    assert told == ["password: ***", "extra: ***", "variable: ***", "harmless: eu-north"]
    assert ended.error == "ValueError: ***"
    assert "k3y" not in text
