"""What comes of a DAG file, good or bad? Read by a real parse server in processes of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

GOOD = """
    from tradewind import DAG
    from tradewind.sdk.operators.empty import EmptyOperator

    with DAG("etl", schedule="0 2 * * *", tags=["x"]):
        EmptyOperator(task_id="extract") >> EmptyOperator(task_id="load")
"""


def lines(parsed):
    return [(error.message, error.line) for error in parsed.errors]


def only_error(parsed):
    assert len(parsed.errors) == 1, parsed.errors
    return parsed.errors[0]


def test_a_good_file_gives_its_dags(read):
    parsed = read(GOOD)

    assert parsed.errors == ()
    assert [spec.dag_id for spec in parsed.specs] == ["etl"]
    assert [(task.task_id, task.upstream) for task in parsed.specs[0].tasks] == [
        ("extract", ()),
        ("load", ("extract",)),
    ]
    assert parsed.path == "it.py"
    assert parsed.seconds > 0
    assert (parsed.depends_on, parsed.looks_outside, parsed.timed_out) == ((), False, False)


def test_a_classic_airflow_file_gives_its_dags(read):
    parsed = read("""
        from datetime import datetime
        from airflow import DAG
        from airflow.operators.python import PythonOperator

        with DAG("classic", schedule="0 2 * * *", start_date=datetime(2026, 1, 1), catchup=False) as dag:
            extract = PythonOperator(task_id="extract", python_callable=lambda: 1)
            load = PythonOperator(task_id="load", python_callable=lambda: 2)
            extract >> load
    """)

    assert parsed.errors == ()
    assert parsed.specs[0].dag_id == "classic"
    assert not parsed.looks_outside


def test_two_parses_give_the_same_bytes(read):
    assert read(GOOD).specs == read(GOOD).specs


def test_a_file_without_dags_is_no_error(read):
    parsed = read("x = 1\n")

    assert (parsed.specs, parsed.errors) == ((), ())


def test_a_syntax_error_is_told_with_its_line(read):
    error = only_error(read("from tradewind import DAG\n\nwith DAG('x'\n    pass\n", name="sub/broken.py"))

    assert error.line == 3
    assert error.message == "SyntaxError: '(' was never closed (sub/broken.py, line 3)"
    assert "with DAG('x'" in error.traceback


def test_an_import_error_names_the_module_and_where_to_put_it(read, folder):
    error = only_error(read("from tradewind import DAG\nimport no_such_module\n"))

    assert error.line == 2
    assert "ModuleNotFoundError: No module named 'no_such_module'" in error.message
    assert f"looked for in {folder}" in error.message


def test_a_traceback_shows_the_users_frames_only(read, folder):
    (folder / "helper.py").write_text("def work(x):\n    return int(x)\n")

    error = only_error(read("import json\nfrom helper import work\nwork('nine')\njson.loads('x')\n"))

    assert error.line == 3
    assert error.message == "ValueError: invalid literal for int() with base 10: 'nine'"
    assert f'File "{folder}/it.py", line 3' in error.traceback
    assert f'File "{folder}/helper.py", line 2' in error.traceback
    assert "tradewind" not in error.traceback.replace(str(folder), "")
    assert error.traceback.endswith("ValueError: invalid literal for int() with base 10: 'nine'")

    library = only_error(read("import json\njson.loads('x')\n"))
    assert "decoder.py" not in library.traceback
    assert library.line == 2


def test_the_cause_of_an_error_is_shown_too(read):
    error = only_error(read("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('so') from e\n"))

    assert error.message == "ValueError: so"
    assert error.line == 4
    assert error.traceback.index("ZeroDivisionError") < error.traceback.index("ValueError: so")


def test_an_unknown_argument_is_answered_with_the_nearest_one(read):
    error = only_error(read("from tradewind import DAG\nDAG('x', schedulee='@daily')\n"))

    assert error.line == 2
    assert "schedulee" in error.message
    assert "Did you mean 'schedule'?" in error.message


@pytest.mark.parametrize(
    ("call", "word"),
    [
        ("DAG('x', schedule='61 * * * *')", "61 * * * *"),
        ("DAG('x', schedule='@dayly')", "@daily"),
        ("DAG('x', start_date=__import__('pendulum').datetime(2026, 1, 1, tz='Europe/Brelin'))", "Brelin"),
    ],
)
def test_a_bad_schedule_or_time_zone_is_told(read, call, word):
    error = only_error(read(f"from tradewind import DAG\ndag = {call}\n"))

    assert word in error.message


def test_a_cycle_names_its_tasks_and_leaves_the_other_dag_of_the_file(read):
    parsed = read("""
        from tradewind import DAG
        from tradewind.sdk.operators.empty import EmptyOperator

        with DAG("good"):
            EmptyOperator(task_id="a")
        with DAG("ring"):
            one, two = EmptyOperator(task_id="one"), EmptyOperator(task_id="two")
            one >> two >> one
    """)

    assert [spec.dag_id for spec in parsed.specs] == ["good"]
    error = only_error(parsed)
    assert "'ring'" in error.message
    assert "one" in error.message
    assert "two" in error.message


def test_a_dag_id_twice_in_one_file_is_an_error(read):
    parsed = read("""
        from tradewind import DAG
        a = DAG("same")
        b = DAG("same")
        c = DAG("other")
    """)

    assert [spec.dag_id for spec in parsed.specs] == ["other"]
    assert "'same' is defined 2 times" in only_error(parsed).message


def test_a_task_id_twice_is_an_error_with_its_line(read):
    error = only_error(
        read("""
        from tradewind import DAG
        from tradewind.sdk.operators.empty import EmptyOperator
        with DAG("x"):
            EmptyOperator(task_id="a")
            EmptyOperator(task_id="a")
    """)
    )

    assert "'a'" in error.message
    assert error.line == 5


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("def f(): f()\nf()\n", "RecursionError"),
        ("import os\nos._exit(5)\n", "exit code 5"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "signal 9 (SIGKILL)"),
        ("import ctypes\nctypes.string_at(0)\n", "signal 11 (SIGSEGV)"),
        ("raise ValueError('x' * 100_000)\n", "ValueError: xxx"),
    ],
)
def test_a_file_that_ends_its_process_costs_only_itself(read, source, word):
    error = only_error(read(source))

    assert word in error.message
    assert len(error.message) < 3000
    assert read(GOOD).errors == ()


def test_what_a_dying_process_wrote_last_is_kept(read):
    error = only_error(read("import os, sys\nprint('almost there', flush=True)\nos._exit(1)\n"))

    assert error.traceback.endswith("almost there")


def test_an_import_that_never_ends_is_interrupted_where_it_is(read, hasty_client):
    parsed = read("# dag\nwhile True:\n    pass\n", by=hasty_client)

    assert parsed.timed_out
    error = only_error(parsed)
    assert error.line in (2, 3)
    assert "did not end within 1 s" in error.message
    assert "dagbag_import_timeout" in error.message


def test_an_import_that_catches_everything_is_interrupted_again(read, hasty_client):
    parsed = read(
        """
        import time
        try:
            time.sleep(60)
        except BaseException:
            pass
        time.sleep(60)
    """,
        by=hasty_client,
    )

    assert parsed.timed_out
    assert only_error(parsed).line == 6


def test_an_import_that_cannot_be_interrupted_is_killed(read, hasty_client):
    parsed = read(
        """
        import signal, time
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(60)
    """,
        by=hasty_client,
    )

    assert parsed.timed_out
    assert "was killed after 3 s" in only_error(parsed).message
    assert "dag_file_processor_timeout" in only_error(parsed).message


def test_an_import_that_eats_memory_is_stopped(read):
    error = only_error(read("# dag\nx = []\nwhile True:\n    x.append(bytearray(1 << 20))\n"))

    assert error.line == 4
    assert "more than 256 MiB" in error.message
    assert "parse_memory_limit_mb" in error.message


def test_the_garbage_collector_works_while_a_file_is_imported(read):
    parsed = read("""
        from tradewind import DAG
        class Ring:
            pass
        for _ in range(5_000):
            ring = Ring()
            ring.self, ring.load = ring, bytearray(200_000)
        dag = DAG("x")
    """)

    assert parsed.errors == ()


def test_what_a_file_prints_does_no_harm(read):
    parsed = read(
        "import sys\nprint('x' * 300_000)\nsys.stderr.write('y' * 300_000)\n"
        + "from tradewind import DAG\ndag = DAG('x')\n"
    )

    assert parsed.errors == ()
    assert parsed.specs[0].dag_id == "x"


def test_reading_from_the_terminal_gives_nothing(read):
    assert "EOFError" in only_error(read("input()\n")).message


def test_processes_and_threads_that_a_file_starts_end_with_it(read, folder):
    parsed = read(f"""
        import subprocess, threading, time
        from tradewind import DAG
        process = subprocess.Popen(["sleep", "600"])
        open({str(folder / "pid")!r}, "w").write(str(process.pid))
        threading.Thread(target=time.sleep, args=(600,)).start()
        dag = DAG("x")
    """)

    assert parsed.errors == ()
    assert parsed.looks_outside
    pid = int((folder / "pid").read_text())
    wait_until(lambda: not _runs(pid), what="the end of the process that the file started")


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (b"# dag\nx = '\xff'\n", "byte 0xff in line 2"),
        (b"# dag\n\0\n", "NUL byte"),
        (b"# coding: klingon\n", "klingon"),
    ],
)
def test_a_file_that_is_not_text_is_told_where(read, source, word):
    assert word in only_error(read(source)).message


def test_a_file_in_another_encoding_is_read(read):
    parsed = read(
        "# -*- coding: latin-1 -*-\nfrom tradewind import DAG\ndag = DAG('x', description='gr\xfc\xdfe')\n".encode(
            "latin-1"
        )
    )

    assert parsed.errors == ()
    assert parsed.specs[0].description == "grüße"


def test_local_modules_and_data_files_are_dependencies(read, folder):
    (folder / "shared").mkdir()
    (folder / "shared/__init__.py").touch()
    (folder / "shared/names.py").write_text("NAME = 'x'\n")
    (folder / "conf.json").write_text("{}")

    for _ in range(2):  # the second time from compiled modules
        parsed = read("""
            import json, pathlib
            from shared.names import NAME
            from tradewind import DAG
            json.loads((pathlib.Path(__file__).parent / "conf.json").read_text())
            dag = DAG(NAME)
        """)
        assert parsed.errors == ()
        assert parsed.depends_on == tuple(
            str(folder / name) for name in ("conf.json", "shared/__init__.py", "shared/names.py")
        )
        assert not parsed.looks_outside


@pytest.mark.parametrize(
    "line",
    [
        "open('/etc/hostname').read()",
        "import os; os.listdir('/etc')",
        "import glob; glob.glob('/etc/*')",
        "import pathlib; list(pathlib.Path(__file__).parent.iterdir())",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import sqlite3; sqlite3.connect(':memory:')",
        "import socket; socket.socket().connect_ex(('127.0.0.1', 1))",
    ],
)
def test_a_file_that_looks_elsewhere_is_noticed(read, line):
    parsed = read(f"{line}\n")

    assert parsed.errors == ()
    assert parsed.looks_outside


@pytest.mark.parametrize(
    "line",
    [
        "import zoneinfo; zoneinfo.ZoneInfo('Asia/Tokyo')",
        "import pendulum; pendulum.datetime(2026, 1, 1, tz='Asia/Tokyo')",
        "import xml.dom.minidom, sqlite3, decimal",
        "import email.mime.text, asyncio",
    ],
)
def test_what_comes_with_python_is_not_elsewhere(read, line):
    parsed = read(f"{line}\n")

    assert (parsed.errors, parsed.looks_outside) == ((), False)


def test_a_parse_finds_nothing_of_an_earlier_one(read):
    read("import sys, os\nsys.leaked = 1\nos.environ['LEAKED'] = '1'\n")

    assert read("import sys, os\nassert not hasattr(sys, 'leaked') and 'LEAKED' not in os.environ\n").errors == ()


def test_files_see_the_environment_that_was_given_and_nothing_else(read, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SCHEDULER", "1")

    assert (
        read(
            "import os\nassert os.environ['HARMLESS'] == 'seen'\nassert 'SECRET_OF_THE_SCHEDULER' not in os.environ\n"
        ).errors
        == ()
    )


def test_files_have_no_descriptor_of_the_scheduler(read):
    """Standard streams, the pipe for the answer, and one socket, for asking the parse server."""
    parsed = read("""
        import os, stat
        there = [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]
        kinds = {fd: os.fstat(int(fd)).st_mode for fd in there}
        assert len([fd for fd, mode in kinds.items() if stat.S_ISSOCK(mode)]) == 1, kinds
    """)

    assert parsed.errors == ()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
