"""Do the helpers of Airflow that files and providers call do what they do there? Answers are those of Airflow 3.3.2."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import types
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tradewind.compat.standins import (
    calling,
    collections,
    constants,
    database,
    decorated,
    facets,
    flags,
    importing,
    machine,
    masking,
    observability,
    scripts,
    storage,
    texts,
    unset,
    xcom,
)  # fmt: skip
from tradewind.compat.standins.async_operator import BaseAsyncOperator
from tradewind.compat.standins.conf import AirflowConfig
from tradewind.compat.standins.exceptions import AirflowConfigException, AirflowOptionalProviderFeatureException
from tradewind.compat.standins.resumable import ResumableJobMixin
from tradewind.compat.standins.secrets import EnvironmentVariablesBackend
from tradewind.sdk.connection import BaseHook, Connection
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowException, AirflowTaskTimeout, DagArgumentError
from tradewind.sdk.operators.bash import BashOperator

NESTED: dict[str, Any] = {"a": None, "b": [1, None, {"c": None}], "d": {"e": None}, "f": "", "g": []}


def test_empty_values_are_pruned():
    assert collections.prune_dict(NESTED) == {"b": [1, {}], "d": {}, "f": "", "g": []}
    assert collections.prune_dict(NESTED, mode="truthy") == {"b": [1]}
    with pytest.raises(ValueError, match="expected 'strict' or 'truthy'"):
        collections.prune_dict({}, mode="x")  # type: ignore[arg-type]


def test_dicts_are_merged_deeply():
    assert collections.merge_dicts({"a": {"b": 1}, "l": [1]}, {"a": {"c": 2}, "l": [2]}) == {
        "a": {"b": 1, "c": 2},
        "l": [2],
    }


def test_lists_and_choices():
    assert list(collections.chunks([1, 2, 3], 2)) == [[1, 2], [3]]
    assert collections.as_flattened_list([["a"], [["b"]], "cd"]) == ["a", "b", "cd"]
    assert collections.exactly_one(0, 1) and not collections.exactly_one(1, 1)
    assert collections.at_most_one(1, None, "", unset.NOTSET) and not collections.at_most_one(1, 2)
    assert [list(part) for part in collections.partition(bool, [0, 1])] == [[0], [1]]
    with pytest.raises(ValueError, match="one by one"):
        collections.exactly_one([1, 2])
    with pytest.raises(ValueError, match="positive"):
        list(collections.chunks([1], 0))
    with pytest.raises(TypeError, match="mapped twice argument: a"):
        collections.prevent_duplicates({"a": 1}, {"a": 2}, fail_reason="mapped twice")


def test_texts():
    assert texts.convert_camel_to_snake("ABCDef") == "a_bcdef"
    assert texts.to_boolean("Yes") and not texts.to_boolean(None)
    assert texts.remove_escape_codes("\x1b[31mred\x1b[0m") == "red"
    assert len(texts.get_random_string(12)) == 12
    assert texts.md5(b"x").hexdigest() == "9dd4e461268c8034f5c8564e155c67a6"
    texts.validate_key("a-b.c_1")
    for wrong, error in [("a b", AirflowException), ("x" * 251, AirflowException), (1, TypeError)]:
        with pytest.raises(error):
            texts.validate_key(wrong)  # type: ignore[arg-type]
    with pytest.raises(AirflowException):
        texts.validate_group_key("a.b")


def test_json_of_xcoms_comes_back():
    value = {"at": datetime(2026, 1, 1, tzinfo=UTC), "some": {1, 2}}

    assert json.loads(json.dumps(value, cls=texts.XComEncoder), cls=texts.XComDecoder) == value


def test_functions_get_what_they_name():
    def some(a, b, *, c): ...
    def all_of_it(**kwargs): ...

    context = {"b": 2, "c": 3, "d": 4}
    assert calling.determine_kwargs(some, [1], context) == {"b": 2, "c": 3}
    assert calling.determine_kwargs(all_of_it, [], context) == context
    assert calling.make_kwargs_callable(lambda b: b)(**context) == 2
    with pytest.raises(ValueError, match="given twice"):
        calling.determine_kwargs(lambda b: b, [1], context)


def test_who_runs_is_told_by_variables():
    context = {
        "ti": types.SimpleNamespace(dag_id="d", task_id="t", try_number=2),
        "task": types.SimpleNamespace(owner="me", email=["a@x", "b@x"]),
        "dag_run": types.SimpleNamespace(run_id="r", logical_date=datetime(2026, 1, 1, tzinfo=UTC)),
    }

    assert calling.context_to_airflow_vars(context, in_env_var_format=True) == {
        "AIRFLOW_CTX_DAG_ID": "d",
        "AIRFLOW_CTX_TASK_ID": "t",
        "AIRFLOW_CTX_LOGICAL_DATE": "2026-01-01T00:00:00+00:00",
        "AIRFLOW_CTX_TRY_NUMBER": "2",
        "AIRFLOW_CTX_DAG_RUN_ID": "r",
        "AIRFLOW_CTX_DAG_OWNER": "me",
        "AIRFLOW_CTX_DAG_EMAIL": "a@x,b@x",
    }
    assert "airflow.ctx.dag_id" in calling.context_to_airflow_vars(context)


def test_coroutines_are_known_below_wrappers():
    async def work(): ...

    class Works:
        async def __call__(self): ...

    assert calling.is_async_callable(work) and calling.is_async_callable(Works())
    assert not calling.is_async_callable(print)


def test_objects_are_found_by_their_path():
    assert importing.import_string("os.path.join") is os.path.join
    assert importing.qualname(Path) == f"{Path.__module__}.Path"
    assert importing.qualname(test_texts, use_qualname=True).endswith("test_standins.test_texts")
    assert importing.is_valid_dotpath("a.b.C") and not importing.is_valid_dotpath("a")
    for path, says in [("os", "package.module.name"), ("os.nonsense", "no name 'nonsense'")]:
        with pytest.raises(ImportError, match=says):
            importing.import_string(path)


def test_modules_that_are_gone_lead_on(monkeypatch):
    import sys

    importing.add_deprecated_classes({"old": {"Join": "os.path.join"}}, "tests_compat_gone")
    with pytest.warns(importing.DeprecatedImportWarning, match="Join is now os.path.join"):
        assert sys.modules["tests_compat_gone.old"].Join is os.path.join
    del sys.modules["tests_compat_gone.old"]


def test_secrets_are_replaced(monkeypatch):
    monkeypatch.setattr(masking, "_seen", set())
    masking.mask_secret({"password": "geheim123", "user": "me"})

    assert masking.redact("it is geheim123") == "it is ***"
    assert masking.redact({"a": {"token": "x"}, "b": ["geheim123"], "c": 1}) == {
        "a": {"token": "***"},
        "b": ["***"],
        "c": 1,
    }


class Colour(Enum):
    RED = 1


@pytest.fixture
def config(home: Path, monkeypatch: pytest.MonkeyPatch) -> AirflowConfig:
    (home / "airflow.cfg").write_text(
        '[mine]\nflag = yes\ncount = 3\nlist = a, b\nobject = {"a": 1}\nseconds = 5\npath = os.path.join\n'
        "colour = RED\nempty =\n[core]\nparallelism = 7\n"
    )
    monkeypatch.setenv("AIRFLOW__MINE__FROM_ENVIRONMENT", "x")
    return AirflowConfig()


def test_options_are_read_as_airflow_does(config, home):
    assert config.getboolean("mine", "flag") is True
    assert config.getint("mine", "count") == 3 and config.getfloat("mine", "count") == 3.0
    assert config.getlist("mine", "list") == ["a", "b"]
    assert config.getjson("mine", "object") == {"a": 1}
    assert config.gettimedelta("mine", "seconds") == timedelta(seconds=5)
    assert config.getimport("mine", "path") is os.path.join
    assert config.getenum("mine", "colour", Colour) is Colour.RED
    assert config.get("mine", "from_environment") == "x"
    assert config.getint("core", "parallelism") == 7
    assert config.get("core", "dags_folder") == str(home / "dags")
    assert config.get("smtp", "smtp_host") == "localhost"
    assert config.getboolean("operators", "default_deferrable", fallback=True) is False
    assert config.get("mine", "nonsense", fallback=None) is None
    assert config.has_option("mine", "flag") and not config.has_option("mine", "nonsense")
    assert set(config.getsection("mine") or ()) >= {"flag", "count", "from_environment"}
    assert config.getsection("nonsense") is None


@pytest.mark.parametrize(
    ("section", "option", "says"),
    [
        ("mine", "nonsense", "not found in config"),
        ("database", "sql_alchemy_conn", "may hold a secret"),
        ("core", "fernet_key", "may hold a secret"),
        ("somebody", "api_password", "may hold a secret"),
    ],
)
def test_options_that_are_not_there_or_secret_are_refused(config, section, option, says):
    with pytest.raises(AirflowConfigException, match=says):
        config.get(section, option)


def test_a_value_of_another_kind_is_an_error(config):
    with pytest.raises(AirflowConfigException, match="expected an integer"):
        config.getint("mine", "flag")


def test_the_metadata_db_refuses_to_be_used():
    @database.provide_session
    def with_session(a: int, session: Any = database.NEW_SESSION) -> int:
        return a

    assert with_session(1, session="mine") == 1
    for use in (
        lambda: with_session(1),
        database.create_session,
        database.Session,
        lambda: database.DagModel.get_current("d"),
        lambda: database.DagModel(dag_id="d"),
    ):
        with pytest.raises(database.NoDatabaseError, match="REST API"):
            use()
    assert isinstance(database.DagModel, type)
    with pytest.raises(ValueError, match="no `session` argument"):
        database.provide_session(lambda a: a)


def test_a_block_has_a_time_limit():
    started = time.monotonic()
    with pytest.raises(AirflowTaskTimeout, match="too long"), machine.timeout(0.05, "too long"):
        time.sleep(10)
    assert time.monotonic() - started < 5


def test_the_environment_is_patched_for_a_block(monkeypatch):
    monkeypatch.setenv("TESTS_A", "1")
    with machine.patch_environ({"TESTS_A": "2", "TESTS_B": "3"}):
        assert (os.environ["TESTS_A"], os.environ["TESTS_B"]) == ("2", "3")
    assert os.environ["TESTS_A"] == "1" and "TESTS_B" not in os.environ


def test_commands_are_run_and_logged(caplog):
    with caplog.at_level(logging.INFO, "airflow.task"):
        machine.execute_in_subprocess(["echo", "hello"])
    assert "hello" in caplog.messages
    with pytest.raises(Exception, match="exit status 3"):
        machine.execute_in_subprocess(["sh", "-c", "exit 3"])


def test_numbers_and_traces_go_nowhere():
    observability.Stats.incr("a", tags={"b": 1})
    with observability.Stats.timer("a") as timer, observability.Trace.start_span("x") as span:
        span.set_attribute("a", 1)
    assert timer.duration is not None


def test_flags_tell_the_version():
    assert flags.AIRFLOW_V_3_0_PLUS and flags.AIRFLOW_V_3_3_PLUS and not flags.AIRFLOW_V_3_4_PLUS
    assert flags.get_base_airflow_version_tuple() == (3, 3, 2)


def test_an_argument_that_is_not_given_is_none_of_none():
    assert unset.is_arg_set(None) and not unset.is_arg_set(unset.NOTSET)
    assert not unset.is_arg_set(unset.SET_DURING_EXECUTION)


def test_a_decorator_of_a_provider_makes_tasks():
    class Shout(decorated.DecoratedOperator, BashOperator):
        custom_operator_name = "@task.shout"
        template_fields = (*decorated.DecoratedOperator.template_fields, *BashOperator.template_fields)

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(kwargs_to_upstream={"bash_command": "placeholder"}, **kwargs)

        def execute(self, context: Any) -> str:
            return self.python_callable(*self.op_args, **self.op_kwargs).upper()

    def say(word):
        return word

    with DAG("d"):
        first = decorated.task_decorator_factory(say, decorated_operator_class=Shout)("hi")
        second = decorated.task_decorator_factory(decorated_operator_class=Shout, retries=2)(say)("ho")

    assert (first.operator.task_id, second.operator.task_id) == ("say", "say__1")
    assert second.operator.retries == 2 and first.operator.execute({}) == "HI"
    assert first.operator.get_python_source().startswith("def say(word):")
    with pytest.raises(DagArgumentError, match="turns functions into tasks"):
        decorated.task_decorator_factory(int, decorated_operator_class=Shout)


def test_a_function_becomes_a_program(tmp_path):
    import pickle
    import subprocess
    import sys

    names = [str(tmp_path / name) for name in ("script.py", "in", "out", "error")]
    scripts.write_python_script(
        {
            "python_callable": "add", "python_callable_source": "def add(a, b):\n    return a + b\n",
            "pickling_library": "pickle", "op_args": [1], "op_kwargs": {"b": 2}, "string_args_global": False,
        },
        names[0],
    )  # fmt: skip
    Path(names[1]).write_bytes(pickle.dumps({"args": [1], "kwargs": {"b": 2}}))
    subprocess.run([sys.executable, names[0], names[1], names[2], "none", names[3]], check=True)

    assert pickle.loads(Path(names[2]).read_bytes()) == 3


def test_an_async_operator_runs_to_its_end():
    class Waits(BaseAsyncOperator):
        async def aexecute(self, context: Any) -> int:
            await asyncio.sleep(0)
            return 7

    assert Waits(task_id="t").execute({}) == 7  # type: ignore[arg-type]


def test_a_resumable_job_is_submitted_and_waited_for():
    class Job(ResumableJobMixin):
        def submit_job(self, context: Any) -> str:
            return "j1"

        def poll_until_complete(self, external_id: Any, context: Any) -> None:
            self.waited_for = external_id

        def get_job_result(self, external_id: Any, context: Any) -> str:
            return f"{external_id} is done"

    job = Job(durable=True)
    assert job.execute_resumable({}) == "j1 is done" and job.waited_for == "j1"


def test_facets_take_anything():
    assert isinstance(facets.SQLJobFacet("x", query="y"), facets.NoFacet)

    @facets.require_openlineage_version(provider_min_version="1.0")
    def emit() -> None: ...

    with pytest.raises(AirflowOptionalProviderFeatureException, match=r"emit\(\) needs OpenLineage"):
        emit()


def test_connections_of_the_environment(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WEB", "http://me@x:80")
    monkeypatch.setenv("AIRFLOW_VAR_A", "1")
    backend = EnvironmentVariablesBackend()

    found = backend.get_connection("web")
    assert found is not None and (found.host, found.login, found.port) == ("x", "me", 80)
    assert backend.get_variable("a") == "1" and backend.get_variable("b") is None
    assert asyncio.run(BaseHook.aget_connection("web")) == found


def test_a_hook_that_nobody_has_is_an_error_with_the_package():
    with pytest.raises(AirflowException, match="pip install --no-deps apache-airflow-providers-ftp"):
        Connection("x", "ftp", host="y").get_hook()


def test_storage_paths(tmp_path):
    path = storage.ObjectStoragePath(f"file://{tmp_path}/a") / "b.txt"
    path.parent.mkdir()
    path.write_text("hello")
    there = storage.ObjectStoragePath("s3://my_conn@bucket/key/name")

    assert (tmp_path / "a" / "b.txt").read_text() == path.read_text() == "hello"
    assert (there.conn_id, there.bucket, there.key, str(there)) == (
        "my_conn", "bucket", "key/name", "s3://bucket/key/name"
    )  # fmt: skip
    assert (there / "more").conn_id == "my_conn"
    assert storage.has_fs("file") and not storage.has_fs("nonsense")
    with pytest.raises(ValueError, match="no file system for 'nonsense'"):
        storage.get_fs("nonsense")


def test_keys_and_dates():
    key = xcom.TaskInstanceKey("d", "t", "r", 2)

    assert key.primary == ("d", "t", "r", -1) and key.with_try_number(3).try_number == 3
    assert constants.from_timestamp(0).isoformat() == "1970-01-01T00:00:00+00:00"
    assert constants.datetime_to_nano(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000_000
