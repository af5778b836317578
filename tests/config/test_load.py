"""Is the configuration what defaults, file and environment say together?"""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from tradewind.config import Config, home_folder, load_config
from tradewind.errors import UsageError


def write(home: Path, text: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "airflow.cfg").write_text(text)


def test_without_anything_given_the_defaults_hold(tmp_path):
    config = load_config({}, tmp_path)

    assert config.core.parallelism == 32
    assert config.core.dags_folder == tmp_path / "dags"
    assert config.core.dags_are_paused_at_creation is True
    assert config.core.default_task_execution_timeout is None
    assert config.database.sql_alchemy_conn == f"sqlite:///{tmp_path}/tradewind.db"
    assert config.logging.base_log_folder == tmp_path / "logs"
    assert config.scheduler.lease_seconds == 30
    assert config.sources["core", "parallelism"].kind == "default"
    assert config.warnings == ()


def test_reading_the_configuration_writes_nothing(tmp_path):
    load_config({}, tmp_path / "nowhere")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TRADEWIND_HOME": "/t", "AIRFLOW_HOME": "/a", "HOME": "/h"}, "/t"),
        ({"AIRFLOW_HOME": "/a", "HOME": "/h"}, "/a"),
        ({"HOME": "/h"}, "/h/tradewind"),
        ({"TRADEWIND_HOME": "", "HOME": "/h"}, "/h/tradewind"),
        ({"TRADEWIND_HOME": "~/here", "HOME": "/h"}, "/h/here"),
    ],
)
def test_the_home_folder_is_tradewinds_then_airflows_then_a_default(environ, expected):
    assert home_folder(environ) == Path(expected)
    assert load_config(environ).home == Path(expected)


def test_the_environment_beats_the_file_and_tradewinds_name_beats_airflows(tmp_path):
    write(tmp_path, "[core]\nparallelism = 2\nmax_active_runs_per_dag = 3\nmax_active_tasks_per_dag = 4\n")
    environ = {
        "AIRFLOW__CORE__PARALLELISM": "5",
        "TRADEWIND__CORE__PARALLELISM": "6",
        "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "7",
    }

    config = load_config(environ, tmp_path)

    assert (config.core.parallelism, config.core.max_active_runs_per_dag) == (6, 7)
    assert config.core.max_active_tasks_per_dag == 4
    assert config.sources["core", "parallelism"].name == "TRADEWIND__CORE__PARALLELISM"
    assert config.sources["core", "max_active_runs_per_dag"].kind == "env"
    assert config.sources["core", "max_active_tasks_per_dag"].name == str(tmp_path / "airflow.cfg")
    assert config.texts["core", "max_active_tasks_per_dag"] == "4"


@pytest.mark.parametrize("text", ["True", "true", "t", "1", "yes", "ON"])
def test_truth_has_many_spellings(tmp_path, text):
    assert load_config({"TRADEWIND__SCHEDULER__CATCHUP_BY_DEFAULT": text}, tmp_path).scheduler.catchup_by_default


def test_paths_are_expanded_and_other_values_are_not(tmp_path):
    environ = {
        "HOME": "/h",
        "FLOWS": "flows",
        "TRADEWIND__CORE__DAGS_FOLDER": "~/$FLOWS/dags",
        "TRADEWIND__LOGGING__BASE_LOG_FOLDER": "{AIRFLOW_HOME}/l",
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": "postgresql://u:a$FLOWS@h/db",
    }

    config = load_config(environ, tmp_path)

    assert config.core.dags_folder == Path("/h/flows/dags")
    assert config.logging.base_log_folder == tmp_path / "l"
    assert config.database.sql_alchemy_conn == "postgresql://u:a$FLOWS@h/db"


def test_a_doubled_percent_sign_in_the_file_is_one_as_in_airflow(tmp_path):
    write(tmp_path, "[database]\nsql_alchemy_conn = postgresql://u:p%%40ss@h/db\n")

    assert load_config({}, tmp_path).database.sql_alchemy_conn == "postgresql://u:p%40ss@h/db"


def test_another_file_can_be_named(tmp_path):
    (tmp_path / "other.cfg").write_text("[core]\nparallelism = 9\n")

    assert load_config({"AIRFLOW_CONFIG": str(tmp_path / "other.cfg")}, tmp_path).core.parallelism == 9
    with pytest.raises(UsageError, match="which is no file"):
        load_config({"TRADEWIND_CONFIG": str(tmp_path / "missing.cfg")}, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[core]\nparalelism = 3\n", r"no option 'paralelism' in section \[core\]. Did you mean 'parallelism'\?"),
        ("[cor]\nparallelism = 3\n", r"no section \[cor\]. Did you mean 'core'\?"),
        ("[core]\nlease_seconds = 3\n", r"Did you mean \[scheduler\] lease_seconds\?"),
        ("[core]\nparallelism = many\n", "is 'many' (in {file}); expected an integer of at least 1"),
        ("[core]\nparallelism = 0\n", "expected an integer of at least 1"),
        ("[api]\nport = 70000\n", "expected an integer from 0 to 65535"),
        ("[scheduler]\nlease_seconds = nan\n", "expected a number of at least 3"),
        ("[core]\nload_examples = perhaps\n", "expected True or False"),
        ("[core]\nexecutor = KubernetesExecutor\n", "CeleryExecutor with workers in pods"),
        ("[core]\nexecutor =\n", "expected at least one executor, e.g. LocalExecutor"),
        ("[core]\nexecutor = LocalExecutor, LocalExecutor\n", "one of them an alias: other:LocalExecutor"),
        ("[core]\nexecutor = team1=CeleryExecutor\n", "without teams"),
        ("[core]\nexecutor = Local Executor\n", "a name, module.Class or alias:module.Class"),
        ("[core]\ndefault_timezone = Europe/Berln\n", "expected the name of a time zone"),
        ("[core]\ndefault_timezone = system\n", "expected the name of a time zone"),
        ("[core]\ndags_folder = dags\n", "expected an absolute path"),
        ("[core]\ndefault_task_execution_timeout = 0\n", "expected a number above 0, or nothing"),
        ("[core]\nfernet_key = hush\n", "fernet_key is *** (in {file}); expected Fernet keys"),
        ("[database]\nsql_alchemy_conn =\n", "expected a value that is not empty"),
        ("[api]\nbase_url = flows.example.org\n", "expected an address such as https://"),
        ("[dag_processor]\ndag_file_processor_timeout = 5\n", "is shorter than [core] dagbag_import_timeout"),
        ("[scheduler]\npoll_seconds = 60\n", "is longer than lease_seconds"),
        ("parallelism = 3\n", "cannot be read"),
        ("[core]\nparallelism = 3\nparallelism = 4\n", "cannot be read"),
        ("[database]\nsql_alchemy_conn_cmd = pass show db\n", "Give the value itself"),
    ],
)
def test_a_wrong_file_is_refused_with_the_mend(tmp_path, text, message):
    write(tmp_path, text)

    with pytest.raises(UsageError) as caught:
        load_config({}, tmp_path)

    expected = message.replace("\\", "").replace("{file}", str(tmp_path / "airflow.cfg"))
    assert expected in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_wrong_variable_is_named(tmp_path):
    with pytest.raises(UsageError, match="environment variable TRADEWIND__CORE__PARALLELISM"):
        load_config({"TRADEWIND__CORE__PARALLELISM": "-1"}, tmp_path)
    with pytest.raises(UsageError, match="TRADEWIND__CORE__PARALELISM: there is no option"):
        load_config({"TRADEWIND__CORE__PARALELISM": "1"}, tmp_path)
    with pytest.raises(UsageError, match="AIRFLOW__CORE__PARALELISM: there is no option"):
        load_config({"AIRFLOW__CORE__PARALELISM": "1"}, tmp_path)
    with pytest.raises(UsageError, match="would fetch a value by '_cmd'"):
        load_config({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "pass show db"}, tmp_path)


def test_a_variable_for_a_later_airflow_is_only_named(tmp_path):
    config = load_config({"AIRFLOW__CORE__NOT_YET_INVENTED": "1"}, tmp_path)

    assert "AIRFLOW__CORE__NOT_YET_INVENTED" in config.warnings[0]


def test_a_file_made_for_airflow_is_taken_with_warnings(tmp_path):
    write(
        tmp_path,
        "[core]\nauth_manager = x\nsql_alchemy_conn = sqlite:////a.db\nparallelism = 8\n"
        "[webserver]\nweb_server_port = 9090\nrbac = True\n[smtp]\nsmtp_host = mail\n[triggerer]\nqueues =\n",
    )

    config = load_config({"AIRFLOW__METRICS__STATSD_ON": "True", "AIRFLOW__MY_PLUGIN__X": "1"}, tmp_path)

    assert config.core.parallelism == 8
    assert config.api.port == 9090
    assert config.database.sql_alchemy_conn == "sqlite:////a.db"
    said = "\n".join(config.warnings)
    assert "[core] auth_manager" in said
    assert "[smtp] smtp_host" in said
    assert "is read as [api] port" in said
    assert "AIRFLOW__METRICS__STATSD_ON, AIRFLOW__MY_PLUGIN__X" in said


def test_the_new_name_beats_the_old_one_in_the_same_file(tmp_path):
    write(tmp_path, "[webserver]\nweb_server_port = 9090\n[api]\nport = 7070\n")

    assert load_config({}, tmp_path).api.port == 7070


def test_the_new_name_beats_the_old_one_in_the_environment(tmp_path):
    environ = {"AIRFLOW__API__PORT": "7070", "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": "9090"}

    assert load_config(environ, tmp_path).api.port == 7070


def test_variables_without_a_section_are_somebody_elses(tmp_path):
    environ = {
        "AIRFLOW_VAR_X": "1",
        "AIRFLOW_CONN_DB": "x",
        "TRADEWIND_TEST_KILL_AT": "y",
        "AIRFLOW__": "",
        "PATH": "/",
    }

    assert load_config(environ, tmp_path).warnings == ()


def test_a_configuration_cannot_be_changed_and_shows_no_secret(tmp_path):
    key = "A" * 43 + "="
    config = load_config({"TRADEWIND__CORE__FERNET_KEY": key}, tmp_path)

    with pytest.raises(FrozenInstanceError):
        config.core.parallelism = 1  # type: ignore[misc]
    assert isinstance(config, Config)
    assert key not in repr(config)
