"""Does every attempt come to exactly one end, whoever is killed and whenever?"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from contextlib import suppress
from functools import partial

import psutil
import pytest

from tests.support.waiting import wait_until
from tradewind.model.orders import Outcome

TASKS = """
    import os, pathlib, time

    @task
    def works(ti):
        with open(pathlib.Path(__file__).with_name(f"runs-{ti.map_index}"), "a") as file:
            file.write("x")
        time.sleep(0.003 * (ti.map_index % 7))

    works()
"""


def victims(kind: str) -> list[psutil.Process]:
    """Return the processes below this one that call themselves so."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name() == f"tradewind-{kind}":
                found.append(process)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_random_kills_of_base_warm_and_task_processes(make_bench, seed):
    chance = random.Random(seed)
    bench = make_bench()
    bench.write_dag(TASKS)
    orders = [bench.order("works", map_index=index) for index in range(60)]
    folder = bench.config.core.dags_folder

    def has_moved(by: int) -> bool:
        return len(list(folder.glob("runs-*"))) + len(bench.facts) > by

    bench.executor.submit(orders)
    for round_number in range(6):
        wait_until(partial(has_moved, round_number * 4), every=0.001)
        targets = victims(chance.choice(["base", "warm", "task", "task"]))
        if targets:
            with suppress(psutil.NoSuchProcess):
                os.kill(chance.choice(targets).pid, signal.SIGKILL)
    ends = [bench.end_of(order) for order in orders]

    assert Counter(len(bench.ends_of(order)) for order in orders) == {1: 60}
    for order, ended in zip(orders, ends, strict=True):
        runs = folder / f"runs-{order.map_index}"
        times = len(runs.read_text()) if runs.exists() else 0
        assert times <= 1, "an attempt was started twice"
        assert times == 1 or ended.outcome != Outcome.SUCCESS
    assert bench.run_task("works", map_index=99).outcome == Outcome.SUCCESS
