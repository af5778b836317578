"""What do plugins, listeners and policies change, who runs them, and what happens when they are broken?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.authoring.support import Rehearsal, load, only
from tradewind import compat
from tradewind.model.orders import Outcome
from tradewind.plugins import entry_points, listeners, policies
from tradewind.plugins import load as loading
from tradewind.plugins.load import ensure_loaded
from tradewind.sdk import defaults, macros
from tradewind.sdk.serialize import to_spec


class Installation:
    """A plugins folder, and the DAG files that are read with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugins = folder / "plugins"
        self.plugins.mkdir()

    def plugin(self, text: str, name: str = "mine.py") -> Path:
        path = self.plugins / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def dags(self, text: str):
        return load(self.folder, text)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An installation in this process, forgotten afterwards."""
    compat.install()
    made = Installation(tmp_path)
    monkeypatch.setattr(defaults, "_current", defaults.Defaults(plugins_folder=str(made.plugins)))
    monkeypatch.setattr(sys, "path", [*sys.path])
    known, names = set(sys.modules), set(vars(macros))
    loading.forget()
    policies.forget()
    yield made
    loading.forget()
    policies.forget()
    entry_points._mentions.cache_clear()
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    for name in set(vars(macros)) - names:
        delattr(macros, name)


DAG = """
from airflow.sdk import DAG, Asset
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator
from airflow.exceptions import AirflowSkipException

def skips():
    raise AirflowSkipException("not today")

with DAG("d", tags=["a"]) as dag:
    BashOperator(task_id="echo", bash_command="echo {{ macros.mine.double(21) }} $AIRFLOW_CTX_TEAM", retries=1)
    PythonOperator(task_id="fails", python_callable=lambda: 1 / 0, retries=1)
    PythonOperator(task_id="skips", python_callable=skips)
    BashOperator(task_id="makes", bash_command="true", outlets=[Asset("s3://bucket/orders")])
"""

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
from airflow.listeners import hookimpl
import helper

heard = []

def double(x):
    return 2 * x

class Ear:
    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        heard.append(("running", task_instance.task_id, previous_state))
    @hookimpl
    def on_task_instance_success(self, task_instance):
        heard.append(("success", task_instance.task_id, task_instance.state))
    @hookimpl
    def on_task_instance_failed(self, previous_state, task_instance, error):
        heard.append(("failed", task_instance.task_id, type(error).__name__))
        raise RuntimeError("a listener that fails changes nothing")
    @hookimpl
    def on_task_instance_skipped(self, previous_state, task_instance):
        heard.append(("skipped", task_instance.task_id, previous_state))
    @hookimpl
    def on_asset_changed(self, asset):
        heard.append(("changed", asset.uri, None))
    @hookimpl
    def on_asset_event_emitted(self, asset_event):
        heard.append(("emitted", asset_event.source_task_id, asset_event.extra))
    @hookimpl
    def on_dag_run_failed(self, dag_run, msg): ...
    @hookimpl
    def on_asset_created(self, asset): ...
    def on_dag_run_success(self, dag_run, msg): "not marked, so not called"

class Mine(AirflowPlugin):
    name = "mine"
    macros = [double]
    listeners = [Ear()]
    appbuilder_views = [{"name": "a page"}]
"""


def test_macros_and_listeners_of_a_plugin_work_in_task_processes(here: Installation):
    here.plugin("", "helper.py")
    here.plugin(PLUGIN)
    run = Rehearsal(only(here.dags(DAG)))

    results = {name: run.attempt(name).outcome for name in ("echo", "fails", "skips", "makes")}

    heard = sys.modules["mine"].heard
    assert run.xcoms("echo")["return_value"] == "42"
    assert results == {
        "echo": Outcome.SUCCESS, "fails": Outcome.FAILED, "skips": Outcome.SKIPPED, "makes": Outcome.SUCCESS
    }  # fmt: skip
    assert heard == [
        ("running", "echo", "queued"),
        ("success", "echo", "success"),
        ("running", "fails", "queued"),
        ("failed", "fails", "ZeroDivisionError"),
        ("running", "skips", "queued"),
        ("skipped", "skips", "running"),
        ("running", "makes", "queued"),
        ("success", "makes", "success"),
        ("changed", "s3://bucket/orders", None),
        ("emitted", "makes", {}),
    ]


def test_the_spec_says_what_the_scheduler_must_have_told(here: Installation):
    here.plugin("", "helper.py")
    here.plugin(PLUGIN)

    spec = to_spec(only(here.dags(DAG)))

    assert spec.listens == ("on_dag_run_failed",)
    assert {task.task_id: task.calls_back for task in spec.tasks}["echo"] == ("failure", "retry")


def test_what_means_nothing_here_is_noted_with_its_reason(here: Installation):
    here.plugin("", "helper.py")
    path = here.plugin(PLUGIN)

    loaded = ensure_loaded()

    notes = {note.message for note in [*loaded.notes, *listeners.notes(loaded)] if note.place == str(path)}
    assert {text.partition(":")[0] for text in notes} == {"Plugin 'mine'"}
    assert any("appbuilder_views has no effect: the web server runs no code of others" in text for text in notes)
    assert any("on_asset_created is never called: assets are made known by the scheduler" in text for text in notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_of_the_kind", "No module named 'nothing_of_the_kind'"),
        ("def f(:", "invalid syntax"),
        ("from airflow.plugins_manager import AirflowPlugin\nclass P(AirflowPlugin): ...", "Plugin P has no name"),
        ("raise SystemExit(3)", "3"),
        (
            "from airflow.plugins_manager import AirflowPlugin\n"
            "class P(AirflowPlugin):\n    name = 'p'\n"
            "    @classmethod\n    def on_load(cls): raise ValueError('on load')",
            "on load",
        ),
        (
            "from airflow.plugins_manager import AirflowPlugin\n"
            "class P(AirflowPlugin):\n    name = 'good'\nclass Q(AirflowPlugin):\n    name = 'good'",
            "another plugin 'good'",
        ),
    ],
)
def test_a_broken_plugin_costs_that_plugin(here: Installation, text, says):
    path = here.plugin(text, "broken.py")
    here.plugin(
        "from airflow.plugins_manager import AirflowPlugin\nclass G(AirflowPlugin):\n    name = 'whole'", "whole.py"
    )

    loaded = ensure_loaded()

    assert "whole" in [plugin.name for plugin in loaded.plugins]
    assert list(loaded.errors) == [str(path)]
    assert says in str(loaded.errors[str(path)])
    assert only(here.dags("from tradewind import DAG\ndag = DAG('d')")).dag_id == "d"


def test_a_plugin_named_like_a_module_of_python_does_not_take_its_place(here: Installation):
    import json

    here.plugin("x = 1", "json.py")
    here.plugin("from airflow.plugins_manager import AirflowPlugin\nclass P(AirflowPlugin): name = 'deep'", "a/deep.py")

    loaded = ensure_loaded()

    assert sys.modules["json"] is json
    assert [str(plugin.source) for plugin in loaded.plugins] == ["$PLUGINS_FOLDER/a/deep.py"]


def package(folder: Path, name: str, code: str, points: str) -> None:
    """Install a package by hand: its module and its metadata."""
    (folder / f"{name}.py").write_text(dedent(code))
    info = folder / f"{name}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(dedent(points))


def test_installed_packages_bring_plugins_and_policies(here: Installation):
    site = here.folder / "site"
    site.mkdir()
    package(
        site,
        "fromafar",
        """
        from airflow.plugins_manager import AirflowPlugin
        from airflow.policies import hookimpl
        class P(AirflowPlugin):
            name = "afar"
        @hookimpl
        def task_policy(task):
            task.queue = "far"
        """,
        "[airflow.plugins]\nafar = fromafar:P\n[airflow.policy]\n_ = fromafar\n",
    )
    sys.path.append(str(site))

    spec = to_spec(only(here.dags(DAG.replace("macros.mine.double(21)", "1"))))

    assert [str(plugin.source) for plugin in ensure_loaded().plugins] == ["fromafar==1.5: afar"]
    assert {task.queue for task in spec.tasks} == {"far"}


SETTINGS = """
from airflow.exceptions import AirflowClusterPolicyViolation, AirflowClusterPolicySkipDag

def dag_policy(dag):
    if dag.dag_id == "secret":
        raise AirflowClusterPolicySkipDag("nobody need know")
    if not dag.tags:
        raise AirflowClusterPolicyViolation(f"DAG {dag.dag_id} has no tags")
    dag.tags = {*dag.tags, "seen"}

def task_policy(any_name):
    any_name.retries = 5

def get_airflow_context_vars(context):
    return {"team": "blue"}

def task_instance_mutation_hook(task_instance, dag_run=None):
    if task_instance.task_id == "echo" and task_instance.try_number == 0 and task_instance.map_index < 0:
        task_instance.queue, task_instance.priority_weight = "mutated", 77

def pod_mutation_hook(pod): ...
"""


def test_policies_change_dags_where_they_are_parsed_and_where_they_run(here: Installation):
    here.plugin(SETTINGS, "airflow_local_settings.py")
    dag = only(here.dags(DAG.replace("{{ macros.mine.double(21) }}", "-")))

    spec = to_spec(dag)
    run = Rehearsal(dag)
    run.attempt("echo")

    assert spec.tags == ("a", "seen")
    assert {task.retries for task in spec.tasks} == {5}
    assert run.order("echo").max_tries == 6
    assert run.xcoms("echo")["return_value"] == "- blue"
    (note,) = policies.notes(ensure_loaded())
    assert "pod_mutation_hook is never called: tasks run in no pods" in note.message


def test_a_hook_for_instances_is_asked_once_for_each_task(here: Installation):
    here.plugin(SETTINGS, "airflow_local_settings.py")
    dag = only(here.dags(DAG.replace("{{ macros.mine.double(21) }}", "-")))

    found = {task.task_id: (task.queue, task.priority) for task in to_spec(dag).tasks}

    assert found["echo"] == ("mutated", 77)
    assert all(queue == "default" for name, (queue, _) in found.items() if name != "echo")


def test_a_policy_refuses_one_dag_and_leaves_out_another(here: Installation):
    here.plugin(SETTINGS, "airflow_local_settings.py")
    dags = here.dags(
        "from tradewind import DAG\ngood, bad, gone = DAG('good', tags=['t']), DAG('bad'), DAG('secret', tags=['t'])"
    )

    by_id = {dag.dag_id: dag for dag in dags}

    assert sorted(by_id) == ["bad", "good"]
    assert to_spec(by_id["good"]).tags == ("seen", "t")
    with pytest.raises(policies.AirflowClusterPolicyViolation, match="DAG bad has no tags"):
        to_spec(by_id["bad"])


def test_broken_policies_refuse_every_dag(here: Installation):
    here.plugin("import nothing_of_the_kind", "airflow_local_settings.py")

    dag = only(here.dags("from tradewind import DAG\ndag = DAG('d')"))

    with pytest.raises(Exception, match="The policies of this installation cannot be imported"):
        to_spec(dag)


def test_without_plugins_nothing_is_looked_up_twice(here: Installation):
    assert ensure_loaded() is ensure_loaded()
    assert ensure_loaded().plugins == []
    assert listeners.wanted() == ()
