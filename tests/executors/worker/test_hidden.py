"""Can a task of the same account read the secrets that its worker has in its memory and environment?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PARENT_AND_CHILD = """
import ctypes, os, sys
from executors.runner.linux import hide_from_others

if os.getuid() == 0:  # root may read everything
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # readable for its account, as every program is that was just started
if sys.argv[1] == "hidden":
    hide_from_others()
if os.fork():
    os.wait()
    sys.exit()
for name in ("environ", "mem"):
    try:
        with open(f"/proc/{os.getppid()}/{name}", "rb") as file:
            print(name, b"TOKEN=secret" in file.read() if name == "environ" else "opened")
    except PermissionError:
        print(name, "refused")
"""


@pytest.mark.parametrize(
    ("how", "told"), [("open", "environ True\nmem opened\n"), ("hidden", "environ refused\nmem refused\n")]
)
def test_a_child_of_the_same_account_reads_its_parent_only_when_that_does_not_hide(how, told):
    said = subprocess.run(
        [sys.executable, "-c", PARENT_AND_CHILD, how],
        env={"TOKEN": "secret", "PATH": os.environ["PATH"]}, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert (said.stdout, said.stderr) == (told, "")
