"""Does the meter of the benchmarks see what processes cost, the dead and the orphaned included?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import meter, report
from benchmarks.workloads import Sizes

BURN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_a_dead_orphan_is_counted(tmp_path: Path, wait_until: Callable):
    orphan = f"import os\nif os.fork() == 0:\n    os.setsid()\n    exec({BURN!r})\n    open('burnt', 'w').close()\n"
    alive = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {orphan!r}])\nsys.stdin.read()"
    stage = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stage", sys.executable, "-c", alive], cwd=tmp_path, stdin=subprocess.PIPE
    )
    wait_until(lambda: (tmp_path / "burnt").exists(), 20)
    wait_until(lambda: meter.process_count(stage.pid) == 1, 10, what="the orphan to be reaped")

    assert meter.cpu_seconds(stage.pid) >= 0.3
    assert meter.pss_bytes(stage.pid) > 2**20
    stage.communicate()
    assert stage.returncode == 0


def test_the_table_shows_the_median_and_the_range_and_leaves_out_what_was_not_measured():
    results = {"A": [{"hop_p50_ms": 10.0}, {"hop_p50_ms": 30.0}, {"hop_p50_ms": 12.0}], "B": [{"chain_seconds": 1.0}]}

    assert report.table(results, Sizes()).splitlines()[2:] == [
        "| end of a task to start of the next, median | 12.0 ms (10.0–30.0) | – |",
        "| chain of 100, first start to last end | – | 1.00 s |",
    ]


def test_what_was_written_by_hand_outlives_a_new_measurement():
    by_hand = f"\n{report.APART}\n\nA table.\n"
    page = report.page({"A": [{"chain_seconds": 1.0}]}, Sizes(), ["A"], [])

    assert report.written_by_hand(page) == ""
    assert report.written_by_hand(page + by_hand) == by_hand
