"""Are commands run below a task as they are, however long, and does nothing of them stay?"""

from __future__ import annotations

import os
import threading
from typing import Any

from tests.authoring.support import Rehearsal
from tests.support.waiting import wait_until
from tradewind.sdk.dag import DAG
from tradewind.sdk.hooks.subprocess import SubprocessHook
from tradewind.sdk.operators.bash import BashOperator


def bash(command: str, **settings: Any) -> tuple[Any, Any]:
    dag = DAG("shell")
    BashOperator(task_id="t", dag=dag, bash_command=command, **settings)
    rehearsal = Rehearsal(dag)
    result = rehearsal.attempt("t")
    return result, rehearsal.xcoms("t").get("return_value")


def test_a_command_may_be_longer_than_the_system_takes_as_an_argument():
    result, output = bash(
        f"words='{'ü' * 150_000}'; printf %s \"$words\" | wc -m", append_env=True, env={"LC_ALL": "C.UTF-8"}
    )

    assert result.error is None
    assert output == "150000"


def test_the_last_line_and_the_exit_code_come_back(tmp_path, caplog):
    caplog.set_level("INFO")

    result = SubprocessHook().run_command(
        ["sh", "-c", "echo $COLOUR; pwd; echo last >&2; exit 3"], env={"COLOUR": "red", "PATH": os.environ["PATH"]},
        cwd=str(tmp_path),
    )  # fmt: skip

    assert result == (3, "last")
    assert [line for line in caplog.messages if line in ("red", str(tmp_path), "last")] == [
        "red",
        str(tmp_path),
        "last",
    ]


def test_without_a_folder_a_command_runs_in_one_that_goes_with_it():
    code, folder = SubprocessHook().run_command(["pwd"])

    assert code == 0
    assert not os.path.exists(folder)


def test_ending_a_command_ends_what_it_started():
    hook = SubprocessHook()
    results: list[Any] = []
    thread = threading.Thread(
        target=lambda: results.append(hook.run_command(["sh", "-c", "sleep 300 & echo $!; wait"]))
    )
    thread.start()
    wait_until(lambda: hook.sub_process is not None, timeout=20)

    hook.send_sigterm()
    thread.join(20)

    assert results[0].exit_code == -15
