"""Does ``tradewind check --airflow`` find what will not work, name file, line and mend, and leave the rest alone?"""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tradewind.cli import main
from tradewind.compat.inspection import Finding, inspect_source

FILE = """
from datetime import datetime

from airflow import DAG
from airflow.operators.bash import BashOperator
"""


@pytest.fixture(autouse=True)
def _own_home(home: Path) -> None:
    """Each test has a home folder of its own."""


def findings(text: str) -> list[Finding]:
    return inspect_source(dedent(text).encode(), "file.py")


def check(*words: str) -> Result:
    return CliRunner().invoke(main, ["check", *words], prog_name="tradewind")


def test_a_file_that_works_has_nothing_to_say():
    assert (
        findings(
            """
            from __future__ import annotations
            from airflow.sdk import DAG, Asset, TaskGroup, chain, dag, task, Variable
            from airflow.models import DagModel, TaskInstance
            from airflow.providers.standard.operators.bash import BashOperator
            from airflow.utils.session import NEW_SESSION

            def typed(model: DagModel, ti: TaskInstance = NEW_SESSION) -> DagModel:
                return Variable.get("x")

            with DAG("d", schedule="@daily", default_args={"retries": 1}) as dag:
                @task
                def f(task, params): return task.params
                chain(f(1, 2), BashOperator(task_id="b", bash_command="echo {{ ds }} {{ dag_run.conf }}"))
            """
        )
        == []
    )


@pytest.mark.parametrize(
    ("line", "kind", "says", "mend"),
    [
        ("import airflow.nonsense", "import", "airflow.nonsense does not exist", "Remove the import"),
        ("from airflow.sdk import Nonsense", "import", "airflow.sdk has no name 'Nonsense'", "not supported"),
        ("from airflow.operators.subdag import SubDagOperator", "import", "does not exist", "Use TaskGroup"),
        (
            "from airflow.executors.base_executor import BaseExecutor",
            "import",
            "does not exist",
            "executors of its own",
        ),
        (
            "from airflow.providers.ftp.hooks.ftp import FTPHook",
            "provider",
            "is not installed",
            "pip install --no-deps",
        ),
        ("import airflow.models as m; m.DagModel.get_current('d')", "metadata-db", "reaches for", "REST API"),
        ("from airflow import settings; s = settings.Session()", "metadata-db", "airflow.settings.Session", "REST API"),
        ("import airflow.settings; s = airflow.settings.Session()", "metadata-db", "reaches for", "REST API"),
        ("from airflow.models import DagRun; DagRun.find(dag_id='d')", "metadata-db", "DagRun.find", "REST API"),
        ("from airflow.models import TaskInstance as T; T.query()", "metadata-db", "TaskInstance.query", "REST API"),
        (
            "from airflow.utils.session import provide_session as p\n@p\ndef f(session=None): pass",
            "metadata-db",
            "provide_session",
            "REST API",
        ),
        (
            "from airflow.configuration import conf; conf.get('database', 'sql_alchemy_conn')",
            "metadata-db",
            "[database] sql_alchemy_conn",
            "connection",
        ),
        ("DAG('d', default_view='grid')", "argument", "DAG has no argument 'default_view'", ""),
        ("DAG('d', access_control={'a': 1})", "argument", "DAG: access_control has no effect", "Remove it"),
        ("BashOperator(task_id='b', retires=2)", "argument", "no argument 'retires'", "Did you mean 'retries'"),
        ("BashOperator(task_id='b', run_as_user='x')", "argument", "run_as_user is not supported", "Remove it"),
        ("BashOperator(task_id='b', executor_config={})", "argument", "executor_config has no effect", "pool"),
        (
            "BashOperator(task_id='b', bash_command='{{ execution_date }}')",
            "template",
            "gone since Airflow 3",
            "logical",
        ),
        ("def f(**context): return context['next_ds']", "template", "no 'next_ds'", "data_interval_end"),
        ("from airflow.sdk import task\n@task.nonsense\ndef f(): pass", "provider", "@task.nonsense is not there", ""),
        ("from airflow.sdk import Variable; Variable.nonsense('x')", "attribute", "Variable has no 'nonsense'", ""),
        ("if x", "syntax", "no Python", "Correct"),
    ],
)
def test_what_will_not_work_is_found_with_its_line_and_mend(line, kind, says, mend):
    found = findings(f"{FILE}{line}\n")

    assert [one.kind for one in found] == [kind], found
    assert says in found[0].what and mend in found[0].mend
    assert found[0].line >= 6


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    from airflow.nonsense import X\nexcept ImportError:\n    from airflow.nothing import X",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from airflow.nonsense import X",
        "from airflow.operators.dummy import DummyOperator",  # taken with a warning
        "DAG('d', schedule_interval=None, sla_miss_callback=print)",  # Airflow 3 ignores the latter as well
        "BashOperator(task_id='b', executor_config=None)",
        "def f(dag, BashOperator): return dag.nonsense, BashOperator(nonsense=1)",  # parameters of the same names
        "import pandas, nonsense",  # not Airflow's
        "from . import airflow",
    ],
)
def test_what_works_or_may_fail_is_left_alone(text):
    assert findings(f"{FILE}{text}\n") == []


def test_folders_are_walked_as_the_dag_folder_is(tmp_path):
    (tmp_path / ".airflowignore").write_text("left_out*\n")
    for name, text in {
        "good.py": FILE,
        "bad.py": "# a dag\nimport airflow.nonsense\n",
        "left_out.py": "# a dag\nimport airflow.nonsense\n",
        "other.py": "import nonsense\n",
    }.items():
        (tmp_path / name).write_text(text)

    done = check("--airflow", str(tmp_path), "-o", "json")

    assert done.exit_code == 1
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert [(row["file"], row["line"], row["kind"]) for row in rows] == [(str(tmp_path / "bad.py"), 2, "import")]
    assert "1 unsupported use in 1 of 3 files." in done.stderr


def test_nothing_found_is_success(tmp_path):
    file = tmp_path / "good.py"
    file.write_text(FILE)

    done = check("--airflow", str(file))

    assert done.exit_code == 0 and "1 file read, nothing unsupported found." in done.stderr


@pytest.mark.parametrize(("output", "expected"), [("table", "airflow.nonsense"), ("plain", "bad.py")])
def test_people_get_a_table(tmp_path, output, expected):
    (tmp_path / "bad.py").write_text("# a dag\nimport airflow.nonsense\n")

    done = check("--airflow", str(tmp_path), "--output", output)

    assert done.exit_code == 1 and expected in done.stdout


def test_a_path_that_is_not_there_is_misuse(tmp_path):
    done = check("--airflow", str(tmp_path / "nowhere"))

    assert done.exit_code == 2 and "There is no file or folder" in done.stderr


def test_nothing_of_a_file_is_run(tmp_path):
    (tmp_path / "dag.py").write_text(f"# airflow dag\nopen({str(tmp_path / 'ran')!r}, 'w')\n")

    assert check("--airflow", str(tmp_path)).exit_code == 0
    assert not (tmp_path / "ran").exists()


def test_our_own_examples_are_clean():
    assert check("--airflow", str(Path(__file__).parents[2] / "dags")).exit_code == 0
