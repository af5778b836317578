"""Do the points at which tests kill processes work as their page says?"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tradewind.faults import KILL_AT, KILL_ONCE

SCRIPT = """
from tradewind.faults import crash_point
for number in range(3):
    print(number, flush=True)
    crash_point("here")
"""


@pytest.mark.parametrize(
    ("at", "printed"), [("here", "0"), ("here:2", "0 1"), ("here:9", "0 1 2"), ("elsewhere", "0 1 2"), (None, "0 1 2")]
)
def test_a_process_dies_at_the_pass_that_is_named(at, printed):
    done = run({KILL_AT: at} if at else {})

    assert done.stdout.split() == printed.split()
    assert done.returncode == (0 if printed == "0 1 2" else -signal.SIGKILL)


def test_with_once_only_the_first_process_dies(tmp_path):
    environment = {KILL_AT: "here", KILL_ONCE: str(tmp_path / "once")}

    assert [run(environment).returncode for _ in range(3)] == [-signal.SIGKILL, 0, 0]


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
