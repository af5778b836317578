"""What happens when a process dies? No attempt is left without an end, and no process is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.executors.workbench import Workbench
from tests.support.waiting import wait_until
from tradewind.faults import KILL_AT, KILL_ONCE
from tradewind.model.orders import Outcome

TASKS = """
    import ctypes, os, pathlib, signal, subprocess, time
    here = pathlib.Path(__file__).parent

    def note(name, *pids):
        draft = here / (name + ".new")
        draft.write_text(" ".join(map(str, pids)))
        draft.rename(here / name)

    @task
    def good():
        return os.getppid()

    @task
    def killed():
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def exits():
        os._exit(3)

    @task
    def crashes():
        ctypes.string_at(0)

    @task
    def leaves_a_child():
        note("child", subprocess.Popen(["sleep", "600"]).pid)

    @task
    def has_family():
        near = subprocess.Popen(["sleep", "600"])
        far = subprocess.Popen(["sleep", "600"], start_new_session=True)
        note("family", os.getpid(), near.pid, far.pid, os.getppid())
        time.sleep(600)

    @task
    def cleans_up():
        try:
            note("ready", os.getpid())
            time.sleep(600)
        finally:
            note("cleaned", os.getpid())

    @task
    def deaf():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGALRM})
        note("ready", os.getpid())
        time.sleep(600)

    @task
    def deaf_family():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        near = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
        far = subprocess.Popen(["sleep", "600"], start_new_session=True)
        note("family", os.getpid(), near.pid, int(near.stdout.readline()), far.pid)
        time.sleep(600)

    @task
    def closes_everything():
        os.closerange(3, 100)
        time.sleep(600)

    good(); killed(); exits(); crashes(); leaves_a_child(); has_family(); deaf_family(); cleans_up(); deaf()
    closes_everything()
"""


@pytest.fixture
def bench(make_bench: Callable[..., Workbench]) -> Workbench:
    made = make_bench(WORKERS__CANCEL_GRACE_SECONDS="0.3")
    made.write_dag(TASKS)
    return made


def noted(bench: Workbench, name: str) -> list[int]:
    """Wait for the process ids that a task writes down."""
    path = bench.config.core.dags_folder / name
    wait_until(path.exists, what=f"the note {name}")
    return [int(part) for part in path.read_text().split()]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_killed_task_says_by_what_and_how_much_memory_it_had(bench):
    ended = bench.run_task("killed")

    assert (ended.outcome, ended.signal, ended.exit_code, ended.may_retry) == (Outcome.FAILED, 9, None, True)
    assert "killed by signal 9 (SIGKILL); peak memory" in ended.error
    assert "perhaps out of memory" in ended.error


def test_a_task_that_leaves_by_itself_says_its_exit_code(bench):
    ended = bench.run_task("exits")

    assert (ended.outcome, ended.exit_code) == (Outcome.FAILED, 3)
    assert "exit code 3" in ended.error


def test_a_crash_of_native_code_leaves_a_traceback_in_the_log(bench):
    order = bench.order("crashes")
    (ended,) = bench.run(order)

    assert (ended.outcome, ended.signal) == (Outcome.FAILED, signal.SIGSEGV)
    assert "in crashes" in bench.log_of(order)


def test_a_bystander_does_not_notice_the_death_of_another_task(bench):
    killed, good = bench.run(bench.order("killed"), bench.order("good"))

    assert (killed.outcome, good.outcome) == (Outcome.FAILED, Outcome.SUCCESS)


def test_what_a_task_leaves_running_ends_with_it(bench):
    assert bench.run_task("leaves_a_child").outcome == Outcome.SUCCESS

    (child,) = noted(bench, "child")
    wait_until(lambda: is_gone(child), what="the end of the child")


def test_cancel_lets_a_task_clean_up(bench):
    order = bench.order("cleans_up")
    bench.executor.submit([order])
    noted(bench, "ready")

    bench.executor.cancel([order.attempt_id])

    assert bench.end_of(order).outcome == Outcome.FAILED
    assert noted(bench, "cleaned")


@pytest.mark.parametrize("task_id", ["has_family", "deaf_family"])
def test_cancel_ends_all_that_a_task_has_started_sessions_of_their_own_too(bench, task_id):
    order = bench.order(task_id)
    bench.executor.submit([order])
    family = noted(bench, "family")
    family = family[:3] if task_id == "has_family" else family  # the last of it is the keeper

    bench.executor.cancel([order.attempt_id])

    assert bench.end_of(order).outcome == Outcome.FAILED
    wait_until(lambda: all(is_gone(pid) for pid in family), what="the end of the whole family")


def test_cancel_kills_a_task_that_does_not_listen(bench):
    order = bench.order("deaf")
    bench.executor.submit([order])
    noted(bench, "ready")

    bench.executor.cancel([order.attempt_id])

    ended = bench.end_of(order)
    assert (ended.outcome, ended.signal) == (Outcome.FAILED, signal.SIGKILL)
    assert ended.error.startswith("cancelled: killed by signal 9")
    assert "memory" not in ended.error.partition("MiB")[2]


def test_a_task_past_its_time_is_ended_from_inside(bench):
    ended = bench.run_task("cleans_up", execution_timeout_seconds=0.2)

    assert ended.outcome == Outcome.FAILED
    assert ended.error.startswith("AirflowTaskTimeout")
    assert noted(bench, "cleaned")


def test_a_task_past_its_time_that_hears_no_alarm_is_killed(bench):
    ended = bench.run_task("deaf", execution_timeout_seconds=0.2)

    assert (ended.outcome, ended.signal) == (Outcome.FAILED, signal.SIGKILL)
    assert "execution_timeout of 0.2 s" in ended.error


def test_a_task_that_closes_its_channel_is_ended_and_told_why(bench, monkeypatch):
    monkeypatch.setattr("executors.runner.attempts.EXIT_SECONDS", 0.1)

    ended = bench.run_task("closes_everything")

    assert ended.outcome == Outcome.FAILED
    assert "closed its channel" in ended.error


@pytest.mark.parametrize(
    ("point", "task_id", "outcome"),
    [
        ("task-before-run", "good", Outcome.FAILED),
        ("task-before-result", "good", Outcome.FAILED),
        ("task-after-result", "good", Outcome.SUCCESS),  # it had said so
        ("keeper-after-fork", "cleans_up", Outcome.LOST),
    ],
)
def test_a_kill_at_a_named_point_gives_one_end_and_hinders_nobody(make_bench, tmp_path, point, task_id, outcome):
    bench = make_bench(environ={KILL_AT: point, KILL_ONCE: str(tmp_path / "once")})
    bench.write_dag(TASKS)
    order = bench.order(task_id)

    (ended,) = bench.run(order)

    assert ended.outcome == outcome
    assert bench.run_task("good").outcome == Outcome.SUCCESS
    assert len(bench.ends_of(order)) == 1


def test_the_death_of_a_warm_process_loses_its_attempts_and_all_their_children(bench):
    order = bench.order("has_family")
    bench.executor.submit([order])
    task, near, _far, warm = noted(bench, "family")

    os.kill(warm, signal.SIGKILL)

    ended = bench.end_of(order)
    assert ended.outcome == Outcome.LOST
    wait_until(lambda: is_gone(task) and is_gone(near), what="the end of the task and its child")
    assert bench.run_task("good").outcome == Outcome.SUCCESS


def test_the_death_of_the_base_process_loses_its_attempts_and_everything_below(bench):
    order = bench.order("has_family")
    bench.executor.submit([order])
    family = noted(bench, "family")
    base = psutil.Process(family[-1]).ppid()
    assert base != os.getpid()

    os.kill(base, signal.SIGKILL)

    assert bench.end_of(order).outcome == Outcome.LOST
    wait_until(lambda: all(is_gone(pid) for pid in [*family, base]), what="the end of the whole family")
    assert bench.run_task("good").outcome == Outcome.SUCCESS


def test_stop_leaves_no_process_behind(bench):
    order = bench.order("has_family")
    bench.executor.submit([order])
    family = noted(bench, "family")
    base = psutil.Process(family[-1]).ppid()

    bench.executor.stop(5)

    wait_until(lambda: all(is_gone(pid) for pid in [*family, base]), what="the end of the whole family")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_the_host_ends_everything_below(make_config, number):
    config = make_config()
    folder = config.core.dags_folder
    bench = Workbench(config, executor=None)  # type: ignore[arg-type]  # only to write the file
    bench.write_dag(TASKS)
    command = [sys.executable, "-m", "tests.executors.host", str(config.home), "file.py", "has_family"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL) as host:
        family = noted(bench, "family")
        base = psutil.Process(family[-1]).ppid()
        host.send_signal(number)
        host.wait(10)

    wait_until(lambda: all(is_gone(pid) for pid in [*family, base]), what="the end of the whole family")
    assert (folder / "family").exists()


@pytest.mark.parametrize(
    ("point", "task_id"), [("supervisor-after-run", "has_family"), ("supervisor-after-result", "good")]
)
def test_a_host_killed_at_a_named_point_leaves_no_process_behind(make_config, point, task_id):
    config = make_config()
    bench = Workbench(config, executor=None)  # type: ignore[arg-type]  # only to write the file
    bench.write_dag(TASKS)
    command = [sys.executable, "-m", "tests.executors.host", str(config.home), "file.py", task_id]
    mark = str(config.home / "mark")

    code = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, KILL_AT: point, "TEST_MARK": mark},
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
    ).returncode

    assert code == -signal.SIGKILL
    wait_until(lambda: not marked(mark), what="the end of everything below the host")


def marked(mark: str) -> list[int]:
    """Return the processes that have inherited this from the environment of their host."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
