"""Do files written for Airflow 2 and 3 find what they import, and hear what to do about the rest?"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

import tradewind
from tests.authoring.support import Rehearsal, edges, load, only
from tradewind.compat import install, uninstall


@pytest.fixture(autouse=True)
def airflow_names() -> Iterator[None]:
    assert install()
    yield
    uninstall()


def test_a_classic_file_runs_unchanged(tmp_path):
    made = only(
        load(
            tmp_path,
            """
            from datetime import datetime, timedelta

            from airflow import DAG
            from airflow.operators.python import PythonOperator

            default_args = {"owner": "etl", "retries": 2, "retry_delay": timedelta(minutes=5), "email_on_retry": False}

            def _extract(ds, **context):
                context["ti"].xcom_push(key="rows", value=[1, 2, 3])
                return ds

            def _transform(ti):
                return sum(ti.xcom_pull(task_ids="extract", key="rows"))

            def _load(day, total):
                return f"{day}: {total}"

            with DAG("nightly", default_args=default_args, schedule="0 2 * * *", start_date=datetime(2024, 1, 1),
                     catchup=False, tags=["etl"]) as dag:
                extract = PythonOperator(task_id="extract", python_callable=_extract)
                transform = PythonOperator(task_id="transform", python_callable=_transform)
                load = PythonOperator(task_id="load", python_callable=_load,
                                      op_kwargs={"day": "{{ ds }}", "total": transform.output})
                extract >> transform >> load
            """,
        )
    )
    run = Rehearsal(made)
    run.all()

    assert edges(made) == {"extract>transform", "transform>load"}
    assert run.xcoms("load")["return_value"] == "2024-03-05: 6"


def test_a_modern_file_runs_unchanged(tmp_path):
    made = only(
        load(
            tmp_path,
            """
            import pendulum
            from airflow.sdk import dag, task, Param, TaskGroup, chain, Label, get_current_context
            from airflow.sdk.exceptions import AirflowSkipException
            from airflow.providers.standard.operators.bash import BashOperator
            from airflow.providers.standard.operators.empty import EmptyOperator

            @dag(schedule="@daily", start_date=pendulum.datetime(2024, 1, 1, tz="Asia/Tokyo"), params={"n": Param(2)})
            def modern():
                @task(multiple_outputs=True)
                def split() -> dict[str, int]:
                    return {"a": get_current_context()["params"]["n"]}

                @task
                def add(a: int):
                    return a + 1

                with TaskGroup("g"):
                    out = add(split()["a"])
                chain(out, Label("then"), EmptyOperator(task_id="e"), BashOperator(task_id="b", bash_command="echo hi"))

            modern()
            """,
        )
    )
    run = Rehearsal(made)
    run.all()

    assert run.xcoms("g.add") == {"return_value": 3}
    assert edges(made) == {"g.split>g.add", "g.add>e", "e>b"}


def test_what_airflow_3_has_dropped_is_taken_with_the_new_form_named():
    with pytest.warns(
        DeprecationWarning, match="write airflow.providers.standard.operators.empty.EmptyOperator instead"
    ) as caught:
        from airflow.operators.dummy import DummyOperator  # type: ignore[import-not-found]

    assert DummyOperator is tradewind.EmptyOperator
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="days_ago is gone since Airflow 3"):
        from airflow.utils.dates import days_ago  # type: ignore[import-not-found]

    assert days_ago(2).utcoffset() is not None


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("import airflow.nonsense", "airflow.nonsense does not exist in Tradewind"),
        ("import airflow.operators.pyhton", r"Did you mean 'airflow.operators.python'\?"),
        ("from airflow.operators.python import PythonOperatr", r"Did you mean 'PythonOperator'\?"),
        ("from airflow.providers.ftp.hooks.ftp import FTPHook", "pip install --no-deps apache-airflow-providers-ftp"),
        ("import airflow.providers.apache.kafka", "pip install --no-deps apache-airflow-providers-apache-NAME"),
        ("from airflow.executors.base_executor import BaseExecutor", r"\[core\] executor in airflow.cfg"),
        ("from airflow.operators.subdag import SubDagOperator", "Use TaskGroup"),
        ("from airflow.utils.db import initdb", "REST API"),
        ("from airflow import nonsense", "nonsense"),
    ],
)
def test_what_does_not_exist_says_what_to_do(statement, says):
    with pytest.raises(ImportError, match=says):
        exec(statement, {})


def test_an_operator_of_airflow_2_goes_on_working(tmp_path):
    with pytest.warns(DeprecationWarning, match="apply_defaults is gone"):
        made = only(
            load(
                tmp_path,
                """
                from airflow import DAG
                from airflow.models import BaseOperator
                from airflow.utils.decorators import apply_defaults
                from airflow.utils.log.logging_mixin import LoggingMixin

                class Copy(BaseOperator, LoggingMixin):
                    @apply_defaults
                    def __init__(self, source, *args, **kwargs):
                        super().__init__(*args, **kwargs)
                        self.source = source

                    def execute(self, context):
                        self.log.info("copying")
                        return self.source

                with DAG("two", default_args={"source": "s3"}) as dag:
                    Copy(task_id="copy")
                """,
            )
        )
    run = Rehearsal(made)
    run.all()

    assert run.xcoms("copy") == {"return_value": "s3"}


def test_attributes_that_do_not_exist_are_attribute_errors():
    import airflow.sdk  # type: ignore[import-not-found]

    assert not hasattr(airflow.sdk, "Assett")
    with pytest.raises(AttributeError, match="Did you mean 'task'"):
        _ = airflow.sdk.taks


def test_modules_can_be_used_as_attributes_and_starred():
    namespace: dict[str, object] = {}
    exec("from airflow.sdk import *\nfrom airflow import models, macros\nimport airflow", namespace)

    assert namespace["DAG"] is tradewind.DAG
    assert namespace["models"].Variable is tradewind.Variable  # type: ignore[attr-defined]
    assert namespace["macros"].ds_add("2024-01-01", 1) == "2024-01-02"  # type: ignore[attr-defined]
    assert namespace["airflow"].__version__ == "3.3.2"  # type: ignore[attr-defined]


def test_without_install_there_is_no_airflow():
    uninstall()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("airflow")


def test_installing_twice_leaves_one_finder():
    before = len(sys.meta_path)

    assert install()
    assert len(sys.meta_path) == before


def test_a_real_airflow_is_left_alone(tmp_path):
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__init__.py").write_text("REAL = True\n")
    code = "from tradewind.compat import install; print(install()); import airflow; print(airflow.REAL)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
    )

    assert done.stdout.split() == ["False", "True"], done.stderr


def test_a_folder_called_airflow_is_not_taken_for_it(tmp_path):
    (tmp_path / "airflow").mkdir()
    code = "from tradewind.compat import install; print(install()); from airflow import DAG; print(DAG.__module__)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path)},
    )

    assert done.stdout.split() == ["True", "tradewind.sdk.dag"], done.stderr


def test_time_zone_helpers():
    from airflow.utils import timezone  # type: ignore[import-not-found]

    assert timezone.parse("2024-01-01").isoformat() == "2024-01-01T00:00:00+00:00"
    assert timezone.datetime(2024, 1, 1).utcoffset() == timezone.utcnow().utcoffset()
    with pytest.warns(DeprecationWarning, match="is_naive is gone since Airflow 3"):
        assert timezone.is_naive(timezone.make_naive(timezone.utcnow()))
    with pytest.warns(DeprecationWarning, match="make_aware"), pytest.raises(ValueError, match="naive datetime"):
        timezone.make_aware(timezone.utcnow())
    assert timezone.convert_to_utc(timezone.parse("2024-07-01T02:00:00+02:00")).hour == 0
    assert timezone.coerce_datetime(None) is None


def test_importing_the_layer_costs_nothing_until_it_is_used():
    code = "import sys, tradewind.compat as c; c.install(); import airflow.sdk; print('pendulum' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )
