"""``tradewind dags test``, ``tasks test``, ``tasks render``: user code runs in the command itself.

Real processes: the commands import DAG files, install the import layer and set up logging.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import tradewind

TASKS = """
from datetime import datetime
from airflow.sdk import DAG, task, Variable, get_current_context
from airflow.providers.standard.operators.bash import BashOperator

with DAG("trial", schedule=None, params={"n": 1}):

    @task
    def double(n):
        return int(n) * 2

    @task
    def fails():
        raise ValueError("on purpose")

    @task
    def asks():
        return Variable.get("region")

    @task
    def pulls(**context):
        return context["ti"].xcom_pull(task_ids="double")

    @task
    def stops():
        breakpoint()
        return "went on"

    double("{{ params.n }}")
    BashOperator(task_id="shell", bash_command="echo {{ ds }} {{ params.n }} {{ run_id }}",
                 env={"A": "{{ dag.dag_id }}"})
    asks(), pulls(), stops(), fails()
"""


@pytest.fixture
def trial(home):
    path = home / "dags" / "sub" / "trial.py"
    path.parent.mkdir()
    path.write_text(TASKS)
    return path


def test_a_dag_runs_without_a_metadata_db(etl, home):
    done = tradewind("dags", "test", "etl", "2026-01-31", "-c", '{"n": 5}')
    assert done.returncode == 0, done.stderr
    assert "loaded 5" in done.stdout
    assert [line.split()[:2] for line in done.stdout.splitlines()[-2:]] == [["extract", "success"], ["load", "success"]]
    assert "Run manual__" in done.stderr
    assert "metadata DB" not in done.stderr, "no task asked for what is stored"
    assert sorted(path.name for path in home.iterdir()) == ["dags"]


def test_a_file_outside_of_the_dag_folder_can_be_named(etl, tmp_path):
    other = tmp_path / "elsewhere.py"
    other.write_text(etl.read_text().replace('"etl"', '"other"'))
    assert tradewind("dags", "test", "other", "-f", str(other)).returncode == 0
    wrong = tradewind("dags", "test", "othr", "-f", str(other))
    assert (wrong.returncode, "Did you mean 'other'?" in wrong.stderr) == (1, True)


def test_a_run_that_fails_ends_with_exit_code_1(trial):
    done = tradewind("dags", "test", "trial", "--mark-success-pattern", "asks|stops")
    assert done.returncode == 1
    assert "ValueError: on purpose" in done.stderr
    table = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert table["task_id"] == ["state", "duration", "reason"]
    assert table["fails"][0] == "failed"
    assert "ValueError:" in table["fails"]
    assert table["asks"][0] == "success"


def test_breakpoints_work(trial):
    done = tradewind("tasks", "test", "trial", "stops", input="p 6 * 7\nc\n")
    assert done.returncode == 0, done.stderr
    assert "(Pdb) 42" in done.stdout
    assert '"went on"' in done.stdout


def test_one_task_runs_and_prints_what_it_returned(trial):
    done = tradewind("tasks", "test", "trial", "double", "2026-01-31", "-t", '{"n": 21}')
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    assert "Going on without a metadata DB" in done.stderr


def test_one_task_that_fails_ends_with_exit_code_1(trial):
    done = tradewind("tasks", "test", "trial", "fails")
    assert done.returncode == 1
    assert "ValueError: on purpose" in done.stderr


def test_a_trial_reads_what_is_stored_and_writes_nothing(trial, migrated, ok):
    ok("variables", "set", "region", "north")
    done = tradewind("tasks", "test", "trial", "asks")
    assert (done.returncode, done.stdout) == (0, '"north"\n'), done.stderr
    assert json.loads(ok("dags", "list", "-o", "json")) == []


STORED = """
from tradewind import DAG, BaseHook, Variable, task

with DAG("reader", schedule=None) as dag:

    @task
    def read():
        print("port", BaseHook.get_connection("ship").port)
        return Variable.get("region")

    @task
    def change(region):
        Variable.set("region", region + "-east")
        Variable.delete("doomed")

    @task
    def read_again():
        print("now", Variable.get("region"), Variable.get("doomed", default="gone"))

    change(read()) >> read_again()

if __name__ == "__main__":
    dag.test()
"""


@pytest.fixture
def reader(home):
    path = home / "dags" / "reader.py"
    path.write_text(STORED)
    return path


@pytest.mark.parametrize("way", ["dags test", "dag.test()"])
def test_a_whole_dag_on_trial_reads_what_is_stored_and_writes_nothing(reader, migrated, ok, way):
    ok("variables", "set", "region", "north")
    ok("variables", "set", "doomed", "still here")
    ok("connections", "add", "ship", "--conn-uri", "http://harbour:8021")
    if way == "dags test":
        done = tradewind("dags", "test", "reader")
    else:
        done = subprocess.run([sys.executable, str(reader)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "port 8021" in done.stdout, done.stderr
    assert "now north-east gone" in done.stdout
    assert ok("variables", "get", "region") == "north\n"
    assert ok("variables", "get", "doomed") == "still here\n"
    assert json.loads(ok("dags", "list", "-o", "json")) == []


def test_a_file_on_trial_may_ask_at_its_top(home, migrated, ok):
    path = home / "dags" / "top.py"
    path.write_text(
        "from airflow.hooks.base import BaseHook\n"
        "from airflow.models import Variable\n"
        "from airflow.sdk import DAG, task\n"
        "region, port = Variable.get('region', 'the default'), BaseHook.get_connection('ship').port\n"
        "with DAG('top'):\n"
        "    @task\n"
        "    def tell():\n"
        "        print('in the', region, port)\n"
        "    tell()\n"
    )
    ok("variables", "set", "region", "north")
    ok("connections", "add", "ship", "--conn-uri", "http://harbour:8021")
    for words in (("dags", "test", "top"), ("tasks", "test", "top", "tell")):
        done = tradewind(*words)
        assert done.returncode == 0, done.stderr
        assert "in the north 8021" in done.stdout + done.stderr


def test_what_is_stored_nowhere_is_told_with_the_reason(reader):
    done = tradewind("dags", "test", "reader")
    assert done.returncode == 1
    assert "Going on without a metadata DB: There is no metadata DB at" in done.stderr
    states = [line.split()[:2] for line in done.stdout.splitlines()[-3:]]
    assert states == [["read", "failed"], ["change", "upstream_failed"], ["read_again", "upstream_failed"]]


def test_a_trial_in_a_stored_run_has_its_dates_and_conf(trial, migrated_sqlite, ok):
    ok("dags", "reserialize")
    ok("dags", "trigger", "trial", "-r", "mine", "-l", "2026-03-01", "-c", '{"n": 8}')
    assert tradewind("tasks", "test", "trial", "double", "mine").stdout == "16\n"
    done = tradewind("tasks", "render", "trial", "shell", "mine")
    assert "echo 2026-03-01 8 mine" in done.stdout
    missing = tradewind("tasks", "render", "trial", "shell", "not-a-run")
    assert (missing.returncode, "Give a date, or the id of a run" in missing.stderr) == (1, True)


def test_render_prints_template_fields_and_runs_nothing(trial):
    done = tradewind("tasks", "render", "trial", "shell", "2026-01-31", "-o", "json")
    assert done.returncode == 0, done.stderr
    fields = json.loads(done.stdout)
    assert fields["bash_command"].startswith("echo 2026-01-31 1 manual__")
    assert fields["env"] == {"A": "trial"}
    assert "# bash_command\necho 2026-01-31 1" in tradewind("tasks", "render", "trial", "shell", "2026-01-31").stdout


def test_environment_variables_reach_the_dag_file(home):
    (home / "dags" / "env.py").write_text(
        "import os\nfrom airflow.sdk import DAG, task\nwith DAG('env'):\n"
        "    AT_IMPORT = os.environ['FLAVOUR']\n    @task\n    def say():\n        return AT_IMPORT\n    say()\n"
    )
    done = tradewind("tasks", "test", "env", "say", "--env-vars", '{"FLAVOUR": "lemon"}')
    assert (done.returncode, done.stdout) == (0, '"lemon"\n'), done.stderr


def test_a_broken_file_does_not_hide_a_good_one(etl, home):
    (home / "dags" / "a_broken.py").write_text("from airflow import DAG\n'etl'\n1 / 0\n")
    assert tradewind("dags", "test", "etl").returncode == 0
    done = tradewind("dags", "test", "nowhere")
    assert done.returncode == 1
    assert "a_broken.py cannot be imported" in done.stderr
    assert 'a_broken.py", line 3' in done.stderr
    named = tradewind("dags", "test", "etl", "-f", str(home / "dags" / "a_broken.py"))
    assert (named.returncode, 'a_broken.py", line 3' in named.stderr) == (1, True)
    assert "Error: " in named.stderr.splitlines()[-1]
    assert "ZeroDivisionError" in named.stderr.splitlines()[-1]


def test_an_unknown_task_is_answered_with_the_nearest(trial):
    for words in (("test",), ("render",)):
        done = tradewind("tasks", *words, "trial", "doubel")
        assert (done.returncode, "Did you mean 'double'?" in done.stderr) == (1, True), done.stderr


MAPPED = """
from airflow.sdk import DAG, task
from airflow.providers.standard.operators.bash import BashOperator

with DAG("maps", schedule=None):

    @task
    def pair(x, y):
        return [x, y]

    pair.expand(x=[1, 2], y=["a", "b"])
    BashOperator.partial(task_id="shell").expand(bash_command=["echo {{ ti.map_index }}", "echo {{ dag.dag_id }}"])
"""


def test_an_index_of_a_mapped_task_is_tried_out_alone(home, trial):
    (home / "dags" / "maps.py").write_text(MAPPED)

    assert tradewind("tasks", "test", "maps", "pair", "--map-index", "2").stdout == '[2,"a"]\n'
    rendered = tradewind("tasks", "render", "maps", "shell", "--map-index", "1", "-o", "json")
    assert json.loads(rendered.stdout)["bash_command"] == "echo maps"
    whole = tradewind("tasks", "test", "maps", "pair")
    assert (whole.returncode, "Add --map-index 0" in whole.stderr) == (2, True), whole.stderr
    single = tradewind("tasks", "render", "trial", "shell", "--map-index", "0")
    assert (single.returncode, "is not mapped. Leave out --map-index" in single.stderr) == (2, True), single.stderr


def test_a_run_of_mapped_tasks_shows_its_indexes(home):
    (home / "dags" / "maps.py").write_text(MAPPED)

    done = tradewind("dags", "test", "maps")

    assert done.returncode == 0, done.stderr
    shown = [line.split()[:2] for line in done.stdout.splitlines() if "success" in line]
    assert shown == [[name, "success"] for name in ("pair[0]", "pair[1]", "pair[2]", "pair[3]", "shell[0]", "shell[1]")]
