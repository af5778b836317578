"""What becomes of waits in ``dag.test()`` and ``tasks test``, where there is no triggerer and maybe nobody to ask?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scheduler.dagtest import run_dag_in_process
from scheduler.stored import Stored
from tests.authoring.support import load
from tests.cli.conftest import tradewind
from tests.triggerer.test_end_to_end import ASKS, WAITS
from tradewind import compat
from tradewind.sdk.dag import DAG


@pytest.fixture
def dags(tmp_path: Path):
    compat.install()
    yield lambda text: {dag.dag_id: dag for dag in load(tmp_path, text)}
    compat.uninstall()


def tried(dag: DAG) -> dict[str, str]:
    with Stored() as stored:
        done = run_dag_in_process(dag, stored=stored)
    return {name: state.value for name, state in done.states.items()}


def test_triggers_run_in_the_same_process(dags) -> None:
    with Stored() as stored:
        done = run_dag_in_process(dags(WAITS)["waits"], stored=stored)
    states = {name: state.value for name, state in done.states.items()}
    assert states == {"chain": "success", "after": "success", "late": "failed", "bad": "success"}
    assert json.loads(done.xcom("after") or "") == [[True], 2, 1]
    assert "TaskDeferralTimeout" in done.reasons["late"]


def test_without_a_terminal_the_defaults_answer(dags) -> None:
    made = dags(ASKS)
    assert tried(made["late"]) == {"default": "success", "none": "failed"}
    assert tried(made["asks"])["form"] == "failed"  # nobody is here, and it would wait for ever


def test_one_task_is_tried_through_its_waits(home: Path) -> None:
    (home / "dags" / "waits.py").write_text(WAITS)
    done = tradewind("tasks", "test", "waits", "chain")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[True], 2, 1]
