"""What does nearly every DAG file need? Reading this one before the first fork imports it once for all of them."""

from __future__ import annotations

import sys
import warnings
from typing import Final

import msgspec

from scheduler.dagfiles.protocol import Outcome
from tradewind.compat.usual import import_usual
from tradewind.model.spec import DagSpec
from tradewind.plugins import entry_points
from tradewind.sdk.loader import load_dag_file, module_name
from tradewind.sdk.serialize import to_spec

_PATH: Final = "/nowhere/rehearsal.py"

_SOURCE: Final = b"""
import datetime, json, logging, os, pathlib
import pendulum
from tradewind import DAG, task
from tradewind.sdk.operators.bash import BashOperator
from tradewind.sdk.operators.empty import EmptyOperator
from tradewind.sdk.operators.python import PythonOperator

with DAG(
    "rehearsal",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    params={"x": 1},
    doc_md="text",
):
    @task
    def one():
        return 1

    one() >> BashOperator(task_id="two", bash_command="true") >> EmptyOperator(task_id="three")

with DAG("in_utc", schedule=datetime.timedelta(hours=1), start_date=datetime.datetime(2026, 1, 1)):
    PythonOperator(task_id="one", python_callable=print)
"""


def rehearse(*, with_airflow_names: bool) -> list[DagSpec]:
    """Read a DAG file of our own, and forget it. What it imported stays.

    Args:
        with_airflow_names: Airflow's names lead to us. (The real Airflow would take seconds to import.)
    """
    if with_airflow_names:
        import_usual()
    search_path = list(sys.path)
    entry_points.are_there()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        specs = [to_spec(dag) for dag in load_dag_file(_PATH, _SOURCE, bare=True)]
    sys.path[:] = search_path
    sys.modules.pop(module_name(_PATH), None)
    for spec in specs:
        msgspec.msgpack.encode(Outcome(specs=(spec,)))
    return specs
