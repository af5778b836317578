"""Which DAG file does a task run from, and in what kind of process?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import psutil
import pytest

from executors.runner import keepers
from tests.executors.stores import put_version
from tests.executors.workbench import Workbench
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.model.orders import AttemptEnded, Outcome

PARENT = """
    import os

    @task
    def parent():
        return os.getppid()

    parent()
"""
THREAD = "import threading\n_over = threading.Event()\nthreading.Thread(target=_over.wait, daemon=True).start()\n"


def value_of(ended: AttemptEnded) -> str:
    assert ended.outcome == Outcome.SUCCESS, ended.error
    return str(ended.xcoms[0].value)


def test_tasks_of_one_file_are_forked_from_one_process_that_has_imported_it(bench):
    bench.write_dag(PARENT)
    path = bench.config.core.dags_folder / "file.py"
    path.write_text("open(__file__ + '.imports', 'a').write('x')\n" + path.read_text())

    parents = {value_of(bench.run_task("parent")) for _ in range(3)}

    assert len(parents) == 1
    assert path.with_name("file.py.imports").read_text() == "x"


def test_a_task_leaves_nothing_behind_for_the_next(bench):
    bench.write_dag(
        """
        seen = []

        @task
        def adds():
            os.environ["LEFT"] = "behind"
            seen.append(1)
            return [len(seen), random.random()]

        import os, random
        adds()
        """
    )

    first, second = (value_of(bench.run_task("adds")) for _ in range(2))

    assert first.startswith("[1,")
    assert second.startswith("[1,")
    assert first != second  # the generators of two forks are not the same


def test_a_file_that_fails_to_import_fails_its_task_with_the_traceback_in_the_log(bench):
    bench.write("x = 1\nraise RuntimeError('no such luck')\n")
    order = bench.order("any")

    (ended,) = bench.run(order)

    assert (ended.outcome, ended.error) == (Outcome.FAILED, "RuntimeError: no such luck")
    log = bench.log_of(order)
    assert re.search(r'File "\S+/file.py", line 2', log)
    assert "no such luck" in log
    assert "loading.py" not in log


def test_a_file_with_a_syntax_error_fails_its_task(bench):
    bench.write("def broken(:\n")

    ended = bench.run_task("any")

    assert ended.outcome == Outcome.FAILED
    assert ended.error.startswith("SyntaxError")


def test_a_file_that_kills_its_process_while_it_is_imported_fails_its_task(bench):
    bench.write("import os\nos._exit(7)\n")

    ended = bench.run_task("any")

    assert (ended.outcome, ended.exit_code) == (Outcome.FAILED, 7)


def test_an_import_that_never_ends_is_ended(make_bench):
    bench = make_bench(CORE__DAGBAG_IMPORT_TIMEOUT="0.3")
    bench.write("import time\nwhile True:\n    try:\n        time.sleep(1)\n    except Exception:\n        pass\n")

    ended = bench.run_task("any")

    assert ended.outcome == Outcome.FAILED
    assert "took longer than 0.3 s ([core] dagbag_import_timeout)" in ended.error


def test_an_import_that_disarms_its_alarm_holds_up_nobody_for_ever(make_bench, monkeypatch):
    monkeypatch.setattr(keepers, "IMPORT_MARGIN_SECONDS", 0.1)
    bench = make_bench(CORE__DAGBAG_IMPORT_TIMEOUT="0.3")
    bench.write(
        """
        import signal, time
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        time.sleep(1.5)
        raise ValueError("late")
        """
    )

    ended = bench.run_task("any")

    assert (ended.outcome, ended.error) == (Outcome.FAILED, "ValueError: late")


def test_the_time_of_an_import_in_the_tasks_own_process_is_not_the_tasks_time(make_bench):
    bench = make_bench(WORKERS__CANCEL_GRACE_SECONDS="0.1", CORE__DAGBAG_IMPORT_TIMEOUT="20")
    bench.write_dag(PARENT)
    path = bench.config.core.dags_folder / "file.py"
    path.write_text(f"{THREAD}import time\ntime.sleep(0.4)\n{path.read_text()}")

    assert bench.run_task("parent", execution_timeout_seconds=0.1).outcome == Outcome.SUCCESS


def test_a_task_that_the_file_does_not_have_any_more_fails_and_says_so(bench):
    bench.write_dag(PARENT)

    assert "nobody" in bench.run_task("nobody").error
    ended = bench.run_task("parent", dag_id="e")
    assert ended.outcome == Outcome.FAILED
    assert "did not define DAG 'e'" in ended.error


def test_a_file_whose_import_starts_threads_is_imported_for_each_task_anew(bench):
    bench.write(THREAD)
    bench.write_dag(PARENT, "calm.py")
    calm = value_of(bench.run_task("parent", name="calm.py"))
    bench.write_dag(PARENT, "wild.py")
    path = bench.config.core.dags_folder / "wild.py"
    path.write_text(THREAD + "open(__file__ + '.imports', 'a').write('x')\n" + path.read_text())

    parents = {value_of(bench.run_task("parent", name="wild.py")) for _ in range(2)}

    assert len(parents) == 1
    assert parents != {calm}
    assert path.with_name("wild.py.imports").read_text() == "xxx"  # once to see that it starts threads, and per task


def test_a_run_keeps_the_text_it_started_with(make_bench, sqlite_url):
    bench = make_bench()
    bench.write_dag("@task\ndef which(): return 'old'\nwhich()")
    old = bench.order("which")
    path = bench.config.core.dags_folder / "file.py"
    database = Database(sqlite_url)
    put_version(database, 1, path.read_bytes())
    database.close()
    bench.write_dag("@task\ndef which(): return 'new'\nwhich()")

    ended_old, ended_new = bench.run(old, bench.order("which"))

    assert (value_of(ended_old), value_of(ended_new)) == ('"old"', '"new"')
    path.unlink()
    again = bench.order("which", source_digest=old.source_digest)
    assert value_of(bench.run(again)[0]) == '"old"'


def parent_of(bench: Workbench, name: str) -> int:
    return int(value_of(bench.run_task("parent", name=name)))


def test_where_no_more_warm_processes_may_be_a_file_gets_one_when_it_is_needed_again(make_bench):
    bench = make_bench(WORKERS__WARM_DAG_FILES="1")
    for name in ("kept.py", "passing.py"):
        bench.write_dag(PARENT, name)
    kept = parent_of(bench, "kept.py")

    base = parent_of(bench, "passing.py")

    assert "tradewind-base" in psutil.Process(base).name()
    assert parent_of(bench, "kept.py") == kept  # it was not let go for one task
    assert parent_of(bench, "passing.py") == base  # nor for a file that is needed less than it
    warm = parent_of(bench, "passing.py")  # but for one that is needed more
    assert warm not in (base, kept)
    wait_until(lambda: not os.path.exists(f"/proc/{kept}"), what="the end of the one used least recently")
    assert parent_of(bench, "passing.py") == warm


def test_tasks_of_a_file_that_come_together_share_one_import_however_many_files_there_are(make_bench):
    bench = make_bench(WORKERS__WARM_DAG_FILES="1")
    for name in ("kept.py", "many.py"):
        bench.write_dag(PARENT, name)
    parent_of(bench, "kept.py")

    ended = bench.run(*(bench.order("parent", name="many.py") for _ in range(4)))

    assert len({value_of(one) for one in ended}) == 1


def test_the_base_process_is_there_before_the_first_attempt(bench):
    def names() -> list[str]:
        return [child.name() for child in psutil.Process().children()]

    wait_until(lambda: "tradewind-base" in names(), what="the base process")


def test_idle_warm_processes_are_let_go_and_come_back(make_bench, monkeypatch):
    monkeypatch.setattr(keepers, "IDLE_SECONDS", 0.05)
    bench = make_bench()
    bench.write_dag(PARENT)
    warm = int(value_of(bench.run_task("parent")))

    wait_until(lambda: not os.path.exists(f"/proc/{warm}"), what="the end of the warm process")
    assert bench.run_task("parent").outcome == Outcome.SUCCESS


def test_files_written_for_airflow_run(bench):
    bench.write(
        """
        from airflow import DAG
        from airflow.operators.python import PythonOperator

        with DAG("d", schedule="0 2 * * *") as dag:
            PythonOperator(task_id="classic", python_callable=lambda ds: ds)
        """
    )

    assert value_of(bench.run_task("classic")) == '"2026-01-05"'


def test_a_module_beside_the_file_can_be_imported(bench):
    bench.write("ANSWER = 42\n", "beside.py")
    bench.write_dag("import beside\n@task\ndef asks(): return beside.ANSWER\nasks()")

    assert value_of(bench.run_task("asks")) == "42"


def test_a_changed_module_is_imported_anew_and_running_tasks_are_left_alone(bench):
    folder = bench.config.core.dags_folder
    bench.write("ANSWER = 'old'\n", "beside.py")
    bench.write_dag(
        """
        import beside, os, pathlib, time

        @task
        def asks():
            return beside.ANSWER

        @task
        def waits():
            pathlib.Path(__file__).with_name("waiting").touch()
            while not pathlib.Path(__file__).with_name("go").exists():
                time.sleep(0.01)
            return beside.ANSWER

        asks(); waits()
        """
    )
    assert value_of(bench.run_task("asks")) == '"old"'
    waiting = bench.order("waits")
    bench.executor.submit([waiting])
    wait_until((folder / "waiting").exists)

    bench.write("ANSWER = 'brand new'\n", "beside.py")

    assert value_of(bench.run_task("asks")) == '"brand new"'
    (folder / "go").touch()
    assert value_of(bench.end_of(waiting)) == '"old"'


def test_a_file_that_became_another_dag_with_the_same_text_is_imported_anew(bench):
    rows = bench.config.core.dags_folder / "rows.txt"
    rows.write_text("one")
    bench.write(
        """
        import pathlib
        from tradewind import DAG
        from tradewind.sdk.operators.python import PythonOperator

        with DAG("d"):
            for name in pathlib.Path(__file__).with_name("rows.txt").read_text().split():
                PythonOperator(task_id=name, python_callable=lambda: 1)
        """
    )
    assert bench.run_task("one").outcome == Outcome.SUCCESS
    rows.write_text("one two")

    assert bench.run_task("two", version_id=1).outcome == Outcome.FAILED
    assert bench.run_task("two", version_id=2).outcome == Outcome.SUCCESS
    assert bench.run_task("one", version_id=1).outcome == Outcome.SUCCESS


def test_a_warm_process_is_renewed_at_the_interval_of_parsing(make_bench):
    bench = make_bench(DAG_PROCESSOR__REFRESH_INTERVAL="1")
    bench.write_dag(PARENT)
    first = value_of(bench.run_task("parent"))

    wait_until(lambda: value_of(bench.run_task("parent")) != first, what="another warm process", every=0.1)
    wait_until(lambda: not os.path.exists(f"/proc/{first}"), what="the end of the first")


def test_a_task_imports_nothing_that_its_warm_process_has_not(make_bench):
    bench = make_bench()
    bench.write_dag(
        """
        import sys
        before = set(sys.modules)

        @task
        def tells():
            return sorted(set(sys.modules) - before)

        tells()
        """
    )

    assert value_of(bench.run_task("tells")) == "[]"


@pytest.fixture
def small(make_bench: Callable[..., Workbench]) -> Workbench:
    return make_bench(WORKERS__TASK_MEMORY_LIMIT_MB="200")


def test_a_task_beyond_its_memory_limit_fails(small):
    small.write_dag("@task\ndef eats(): return len(bytearray(400 * 2**20))\neats()")

    ended = small.run_task("eats")

    assert ended.outcome == Outcome.FAILED
    assert ended.error.startswith("MemoryError")
