"""Are plugins and policies files like DAG files: errors shown, changes seen, what depends on them read again?"""

from __future__ import annotations

import time
from functools import partial

import pytest

from tests.dagfiles.place import Place, source
from tests.support import waiting
from tradewind.metadata import dags
from tradewind.metadata.dag_files import list_warnings
from tradewind.metadata.database import Database

wait_until = partial(waiting.wait_until, timeout=30.0)

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
TEAM = "{team}"
class P(AirflowPlugin):
    name = "p"
    flask_blueprints = [1]
"""


@pytest.fixture
def place(home, sqlite_url):
    database = Database(sqlite_url)
    place = Place(home, database)
    (home / "plugins").mkdir()
    yield place
    place.stop()
    database.close()


def test_a_plugin_that_breaks_is_an_import_error_and_one_that_changes_is_read_with_all_dag_files(place):
    plugin = place.put("../plugins/team.py", PLUGIN.format(team="red"))
    place.put("a.py", "from airflow import DAG\nfrom team import TEAM\ndag = DAG('a', description=TEAM)\n")
    place.put("b.py", source("b"))
    place.started()
    assert place.errors() == {}
    assert place.description("a") == "red"
    with place.database.read() as tx:
        (warning,) = list_warnings(tx, path=str(plugin.resolve()))
    assert "flask_blueprints has no effect" in warning.message

    place.put("../plugins/team.py", PLUGIN.format(team="blue"))
    wait_until(lambda: place.description("a") == "blue", what="the plugin's change in the DAG that uses it")
    assert place.versions("b") == 1, "what does not depend on it keeps its version"

    place.put("../plugins/team.py", "import nothing_of_the_kind\n")
    wait_until(lambda: set(place.errors()) == {str(plugin.resolve()), "a.py"}, what="the errors")
    assert "nothing_of_the_kind" in place.errors()[str(plugin.resolve())]
    assert place.is_active("a"), "its last good version stays"


def test_a_violated_policy_is_an_error_of_the_file_and_ends_with_the_policy(place):
    place.put(
        "../config/airflow_local_settings.py",
        "from airflow.exceptions import AirflowClusterPolicyViolation\n"
        "def dag_policy(dag):\n"
        "    if not dag.description:\n"
        "        raise AirflowClusterPolicyViolation('say what it is for')\n",
    )
    place.put("a.py", "from airflow import DAG\na, b = DAG('a'), DAG('b', description='all is well')\n")
    place.started()
    assert place.errors() == {"a.py": "DAG 'a': AirflowClusterPolicyViolation: say what it is for"}
    assert list(place.active()) == ["b"]

    place.put("../config/airflow_local_settings.py", "")
    wait_until(lambda: place.is_active("a"), what="the DAG that is refused no more")
    assert place.errors() == {}


def test_plugins_do_not_make_a_dag_file_look_outside(place):
    place.put("../plugins/reader.py", "import os, socket\nsocket.getaddrinfo('localhost', 1)\nos.listdir('/tmp')\n")
    place.put("a.py", source("a"))
    made = place.manager()

    made.sync_once()

    # A file that looks at nothing else is read again at a twelfth of the rate.
    entry, seconds = made._sync.catalogue.get("a.py"), made._sync._config.dag_processor.refresh_interval
    assert entry is not None
    assert entry.refresh_at > time.monotonic() + 2 * seconds
    with place.database.read() as tx:
        assert {row.path.rpartition("/")[2] for row in dags.list_files(tx)} == {"a.py", "reader.py"}
