"""Do functions run by another Python get their arguments, give back what they return, and say what went wrong?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.authoring.support import Rehearsal, load, only
from tradewind.model.orders import Outcome
from tradewind.sdk.environments import Recipe, kept_environment, passing_environment
from tradewind.sdk.exceptions import AirflowException, DagArgumentError
from tradewind.sdk.hooks.package_index import PackageIndexHook
from tradewind.sdk.operators.other_python import plain_source

BEGIN = f"""
from tradewind import DAG, task
from tradewind.sdk.operators.external_python import ExternalPythonOperator

PYTHON = {sys.executable!r}
dag = DAG("etl")
"""


def rehearse(folder: Path, body: str) -> Rehearsal:
    return Rehearsal(only(load(folder, BEGIN + body)))


def test_arguments_go_there_and_the_result_comes_back(tmp_path):
    rehearsal = rehearse(
        tmp_path,
        """
with dag:
    @task.external_python(python=PYTHON, env_vars={"COLOUR": "red"}, string_args=["a", 2], task_id="t")
    def other(x, ds, ts_nodash, params, *, y=1, **context):
        import os, sys
        return {
            "x": x, "y": y, "ds": ds, "pid": os.getpid(), "colour": os.environ["COLOUR"], "params": params,
            "texts": virtualenv_string_args, "run": context["run_id"], "date": context["logical_date"].isoformat(),
            "names": sorted(context), "module": __name__,
        }

    other([1, {"k": (3,)}], y={"b"})
dag.params.declare("p", 5)
""",
    )

    result = rehearsal.attempt("t")

    assert result.error is None
    found = rehearsal.xcoms("t")["return_value"]
    assert (found["x"], found["y"]) == ([1, {"k": (3,)}], {"b"})
    assert (found["ds"], found["date"], found["run"]) == ("2024-03-05", "2024-03-05T02:00:00+00:00", "manual__1")
    assert (found["colour"], found["texts"], found["params"]) == ("red", ["a", "2"], {"p": 5})
    assert found["pid"] != os.getpid()
    assert found["module"] == "__main__"
    assert not {"ti", "task", "dag", "conn", "var"} & set(found["names"])


def test_the_source_is_that_of_the_version_that_runs(tmp_path):
    """A run keeps the code that it started with, whatever the file says by now."""
    body = """
def f():
    return "old"

with dag:
    ExternalPythonOperator(task_id="t", python=PYTHON, python_callable=f)
"""
    rehearsal = rehearse(tmp_path, body)
    (tmp_path / "dag.py").write_text((BEGIN + body).replace("old", "new"))

    rehearsal.attempt("t")

    assert rehearsal.xcoms("t")["return_value"] == "old"


def test_modules_beside_the_dag_file_can_be_imported(tmp_path):
    (tmp_path / "beside.py").write_text("VALUE = 7\n")
    rehearsal = rehearse(
        tmp_path,
        """
with dag:
    @task.external_python(python=PYTHON)
    def t():
        import beside
        return beside.VALUE
    t()
""",
    )

    rehearsal.attempt("t")

    assert rehearsal.xcoms("t")["return_value"] == 7


@pytest.mark.parametrize(
    ("head", "body", "outcome", "error"),
    [
        ("", "raise ValueError('no rows')", Outcome.FAILED, "ended with exit code 1: ValueError: no rows"),
        ("skip_on_exit_code=7", "import sys; sys.exit(7)", Outcome.SKIPPED, "exited with code 7"),
        ("", "import sys; sys.exit(7)", Outcome.FAILED, "ended with exit code 7: its output is in the log above"),
        ("", "return lambda: 1", Outcome.FAILED, "PicklingError|Can't pickle|exit code 1"),
        ("", "import threading; return None", Outcome.SUCCESS, None),
        ("serializer='dill'", "return 1", Outcome.FAILED, "serializer='dill', which is not installed here"),
    ],
)
def test_how_it_ends(tmp_path, head, body, outcome, error):
    rehearsal = rehearse(
        tmp_path,
        f"""
with dag:
    @task.external_python(python=PYTHON, {head})
    def t():
        {body}
    t()
""",
    )

    result = rehearsal.attempt("t")

    assert result.outcome is outcome
    if error is None:
        assert result.error is None
    else:
        assert any(part in (result.error or "") for part in error.split("|"))


@pytest.mark.parametrize(
    ("parameters", "call", "message"),
    [
        ("ti", "", "asks for 'ti', which cannot be handed to another Python"),
        ("x", "open('/dev/null')", "the argument 0 (TextIOWrapper) cannot be handed to another Python"),
        ("*, x", "x=open('/dev/null')", "the argument 'x' (TextIOWrapper) cannot be handed"),
    ],
)
def test_what_cannot_be_handed_over_is_named(tmp_path, parameters, call, message):
    rehearsal = rehearse(
        tmp_path,
        f"""
with dag:
    @task.external_python(python=PYTHON)
    def t({parameters}):
        pass
    t({call})
""",
    )

    assert message in (rehearsal.attempt("t").error or "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("python=PYTHON, python_callable=lambda: 1", "a function made by def"),
        ("python=PYTHON, python_callable=print", "a function made by def"),
        ("python='', python_callable=f", "python is empty"),
        ("python=PYTHON, python_callable=f, serializer='json'", "serializer 'json' does not exist"),
        ("python=PYTHON, python_callable=g", "is a generator or a coroutine"),
    ],
)
def test_what_can_never_run_is_refused_when_the_file_is_read(tmp_path, arguments, message):
    with pytest.raises(DagArgumentError) as caught:
        rehearse(
            tmp_path, f"def f(): pass\ndef g(): yield\nExternalPythonOperator(task_id='t', dag=dag, {arguments})\n"
        )

    assert message in str(caught.value)


def test_an_interpreter_that_is_not_there_is_named(tmp_path):
    rehearsal = rehearse(
        tmp_path,
        "def f(): pass\nExternalPythonOperator(task_id='t', dag=dag, python='/no/python', python_callable=f)\n",
    )

    assert "python='/no/python' is no file that exists" in (rehearsal.attempt("t").error or "")


def test_a_branch_may_be_decided_elsewhere(tmp_path):
    rehearsal = rehearse(
        tmp_path,
        """
with dag:
    @task.branch_external_python(python=PYTHON)
    def choose():
        return "left"

    @task
    def left(): pass
    @task
    def right(): pass

    choose() >> [left(), right()]
""",
    )

    result = rehearsal.attempt("choose")

    assert result.outcome is Outcome.SUCCESS
    assert result.then is not None
    assert list(result.then.skip) == ["right"]


def test_decorators_do_not_go_along():
    def decorate(function):
        return function

    @decorate
    @decorate
    def inner():
        return 1

    assert plain_source(inner) == "def inner():\n    return 1"


# --- environments ------------------------------------------------------------------------------------------------


def wheel(folder: Path, name: str = "tradewind_test_toy", value: int = 1) -> Path:
    """A package that needs no network and no build."""
    path = folder / f"{name}-1.{value}-py3-none-any.whl"
    info = f"{name}-1.{value}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"VALUE = {value}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.{value}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_an_environment_has_its_packages_and_is_kept(tmp_path):
    toy, cache = wheel(tmp_path), tmp_path / "venvs"
    rehearsal = rehearse(
        tmp_path,
        f"""
with dag:
    @task.virtualenv(requirements=[{str(toy)!r}], index_urls=[], venv_cache_path={str(cache)!r})
    def t():
        import sys, tradewind_test_toy, msgspec
        return [tradewind_test_toy.VALUE, sys.prefix, sys.executable]
    t()
""",
    )

    first = rehearsal.attempt("t")
    assert first.error is None
    value, prefix, python = rehearsal.xcoms("t")["return_value"]
    marks = {path: path.stat().st_mtime_ns for path in cache.glob("*/tradewind-environment.json")}
    rehearsal.attempt("t", try_number=2)

    assert value == 1
    assert Path(prefix).parent == cache
    assert python.startswith(prefix)
    assert len(marks) == 1
    assert rehearsal.xcoms("t")["return_value"] == [1, prefix, python]
    assert {path: path.stat().st_mtime_ns for path in cache.glob("*/tradewind-environment.json")} == marks


def test_an_environment_of_its_own_goes_with_the_try(tmp_path):
    rehearsal = rehearse(
        tmp_path,
        """
with dag:
    @task.virtualenv(system_site_packages=False)
    def t():
        import sys, importlib.util
        return [sys.prefix, importlib.util.find_spec("msgspec") is None, sys.version_info[:2]]
    t()
""",
    )

    assert rehearsal.attempt("t").error is None

    prefix, is_bare, version = rehearsal.xcoms("t")["return_value"]
    assert is_bare
    assert version == sys.version_info[:2]
    assert not Path(prefix).exists()


def run_quietly(command: Sequence[str], env: Mapping[str, str]) -> int:
    return subprocess.run(command, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def test_an_environment_is_built_once_by_many(tmp_path):
    built: list[str] = []

    def run(command: Sequence[str], env: Mapping[str, str]) -> int:
        built.append(command[-1])
        return run_quietly(command, env)

    recipe = Recipe(system_site_packages=False)
    threads = [threading.Thread(target=kept_environment, args=(recipe, tmp_path, run)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(built) == 1


def test_what_was_built_by_halves_is_built_anew(tmp_path):
    """As when the machine went down, or the task was killed, in the middle of it."""
    recipe = Recipe(system_site_packages=False)
    place = tmp_path / f"venv-{recipe.digest}"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").touch()

    python = kept_environment(recipe, tmp_path, run_quietly)

    assert subprocess.run([python, "-c", "pass"]).returncode == 0


def test_an_environment_that_cannot_be_built_leaves_nothing(tmp_path):
    recipe = Recipe(requirements=("tradewind-no-such-package==99",), index_urls=())

    def run(command: Sequence[str], env: Mapping[str, str]) -> int:
        """Make the environment, without what takes time; pip finds nothing."""
        if "venv" in command:
            Path(command[-1]).mkdir()
        return int("install" in command)

    with pytest.raises(AirflowException, match=r"could not be installed: tradewind-no-such-package==99"):
        kept_environment(recipe, tmp_path, run)

    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_python_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    with pytest.raises(AirflowException, match=r"There is no python3\.99 on the PATH"):
        with passing_environment(Recipe(python_version="3.99"), run_quietly):
            pass


def test_everything_that_counts_makes_another_environment():
    recipes = [
        Recipe(), Recipe(requirements=("a",)), Recipe(python_version="3.12"), Recipe(system_site_packages=False),
        Recipe(pip_install_options=("--pre",)), Recipe(index_urls=("https://x",)), Recipe(index_urls=()),
        Recipe(key="2"),
    ]  # fmt: skip

    assert len({recipe.digest for recipe in recipes}) == len(recipes)
    assert Recipe(requirements=("a",)).digest == Recipe(requirements=("a",)).digest


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("package-index://https://me:p%40ss@pypi.example.org%2Fsimple", "https://me:p%40ss@pypi.example.org/simple"),
        ("package-index://https://pypi.example.org", "https://pypi.example.org"),
    ],
)
def test_the_address_of_a_package_index_has_the_login_in_it(monkeypatch, uri, expected):
    monkeypatch.setenv("AIRFLOW_CONN_PIP", uri)

    assert PackageIndexHook("pip").get_connection_url() == expected


def test_an_index_without_an_address_is_named(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PIP", "package-index://pypi")

    with pytest.raises(AirflowException, match="Connection 'pip': the host must be an address"):
        PackageIndexHook("pip").get_connection_url()
