"""The table of Airflow's names. Data only; see ``names`` for how a line is read."""

from __future__ import annotations

from typing import Final

_STANDARD: Final = "airflow.providers.standard.operators"
_DAG: Final = {"DAG": "sdk.dag:DAG", "dag": "sdk.dag_decorator:dag"}
_TASKFLOW: Final = {
    "task": "sdk.taskflow:task",
    "task_group": "sdk.task_group_decorator:task_group",
    "setup": "sdk.taskflow:setup",
    "teardown": "sdk.taskflow:teardown",
}
_EDGES: Final = {
    "chain": "sdk.edges:chain",
    "chain_linear": "sdk.edges:chain_linear",
    "cross_downstream": "sdk.edges:cross_downstream",
}
_LABEL: Final = {"Label": "sdk.edges:Label", "EdgeModifier": "sdk.edges:Label"}
_PARAMS: Final = {"Param": "sdk.params:Param", "ParamsDict": "sdk.params:ParamsDict", "DagParam": "sdk.params:DagParam"}
_PYTHON: Final = {
    "PythonOperator": "sdk.operators.python:PythonOperator",
    "get_current_context": "sdk.current:get_current_context",
}
_BASH: Final = {"BashOperator": "sdk.operators.bash:BashOperator"}
_EMPTY: Final = {"EmptyOperator": "sdk.operators.empty:EmptyOperator"}
_TIMETABLES: Final = {
    "CronTriggerTimetable": "timetables:CronTriggerTimetable",
    "DeltaTriggerTimetable": "timetables:DeltaTriggerTimetable",
    "CronDataIntervalTimetable": "timetables:CronDataIntervalTimetable",
    "DeltaDataIntervalTimetable": "timetables:DeltaDataIntervalTimetable",
}
_STATES: Final = {
    "DagRunState": "sdk.states:DagRunState",
    "TaskInstanceState": "sdk.states:TaskInstanceState",
}
_EXCEPTIONS: Final = {
    name: f"sdk.exceptions:{name}"
    for name in [
        "AirflowException",
        "AirflowFailException",
        "AirflowNotFoundException",
        "AirflowSkipException",
        "AirflowTaskTimeout",
        "ParamValidationError",
        "XComNotFound",
    ]
}

TABLES: Final[dict[str, dict[str, str]]] = {
    "airflow": {
        **_DAG,
        "XComArg": "sdk.xcom_arg:XComArg",
        "__version__": "compat.version:AIRFLOW_VERSION",
    },
    "airflow.sdk": {
        **_DAG,
        **_TASKFLOW,
        **_EDGES,
        **_LABEL,
        "Param": "sdk.params:Param",
        "ParamsDict": "sdk.params:ParamsDict",
        **_STATES,
        "BaseHook": "sdk.connection:BaseHook",
        "BaseOperator": "sdk.operator:BaseOperator",
        "Connection": "sdk.connection:Connection",
        "Context": "sdk.context:Context",
        "TaskGroup": "sdk.task_group:TaskGroup",
        "TaskInstance": "sdk.task_instance:RunningTask",
        "TriggerRule": "sdk.rules:TriggerRule",
        "Variable": "sdk.variable:Variable",
        "WeightRule": "sdk.rules:WeightRule",
        "XComArg": "sdk.xcom_arg:XComArg",
        "get_current_context": "sdk.current:get_current_context",
        "literal": "sdk.literals:literal",
        "macros": "sdk.macros",
        **_TIMETABLES,
    },
    "airflow.sdk.exceptions": _EXCEPTIONS,
    "airflow.sdk.timezone": {},
    "airflow.sdk.types": {"DagRunType": "sdk.rules:DagRunType"},
    "airflow.sdk.definitions.context": {
        "Context": "sdk.context:Context",
        "get_current_context": "sdk.current:get_current_context",
    },
    "airflow.sdk.definitions.dag": _DAG,
    "airflow.sdk.definitions.param": _PARAMS,
    "airflow.sdk.definitions.xcom_arg": {"XComArg": "sdk.xcom_arg:XComArg"},
    "airflow.sdk.bases.operator": {"BaseOperator": "sdk.operator:BaseOperator", **_EDGES},
    "airflow.sdk.bases.hook": {"BaseHook": "sdk.connection:BaseHook"},
    "airflow.exceptions": {
        **_EXCEPTIONS,
        "DuplicateTaskIdFound": "errors:DuplicateTaskId",
        "AirflowDagCycleException": "errors:DagCycle",
    },
    "airflow.decorators": {**_TASKFLOW, "dag": "sdk.dag_decorator:dag"},
    "airflow.models": {
        "DAG": "sdk.dag:DAG",
        "BaseOperator": "sdk.operator:BaseOperator",
        "Connection": "sdk.connection:Connection",
        "DagRun": "sdk.dag_run:DagRun",
        "Param": "sdk.params:Param",
        "TaskInstance": "sdk.task_instance:RunningTask",
        "Variable": "sdk.variable:Variable",
        "XComArg": "sdk.xcom_arg:XComArg",
    },
    "airflow.models.baseoperator": {"BaseOperator": "sdk.operator:BaseOperator", **_EDGES},
    "airflow.models.connection": {"Connection": "sdk.connection:Connection"},
    "airflow.models.dag": _DAG,
    "airflow.models.dagrun": {"DagRun": "sdk.dag_run:DagRun"},
    "airflow.models.param": _PARAMS,
    "airflow.models.taskinstance": {"TaskInstance": "sdk.task_instance:RunningTask"},
    "airflow.models.variable": {"Variable": "sdk.variable:Variable"},
    "airflow.models.xcom_arg": {"XComArg": "sdk.xcom_arg:XComArg"},
    "airflow.hooks.base_hook": {"BaseHook": "sdk.connection:BaseHook ! airflow.sdk.BaseHook"},
    "airflow.hooks.base": {"BaseHook": "sdk.connection:BaseHook"},
    "airflow.macros": {
        name: f"sdk.macros:{name}"
        for name in [
            "ds_add",
            "ds_format",
            "datetime_diff_for_humans",
            "datetime",
            "timedelta",
            "dateutil",
            "json",
            "random",
            "time",
            "uuid",
        ]
    },
    "airflow.operators": {},
    "airflow.operators.python": _PYTHON,
    "airflow.operators.bash": _BASH,
    "airflow.operators.empty": _EMPTY,
    "airflow.operators.dummy": {
        "DummyOperator": f"sdk.operators.empty:EmptyOperator ! {_STANDARD}.empty.EmptyOperator"
    },
    "airflow.operators.python_operator": {
        "PythonOperator": f"sdk.operators.python:PythonOperator ! {_STANDARD}.python.PythonOperator"
    },
    "airflow.operators.bash_operator": {
        "BashOperator": f"sdk.operators.bash:BashOperator ! {_STANDARD}.bash.BashOperator"
    },
    "airflow.operators.dummy_operator": {
        "DummyOperator": f"sdk.operators.empty:EmptyOperator ! {_STANDARD}.empty.EmptyOperator"
    },
    "airflow.providers.standard": {},
    "airflow.providers.standard.operators.python": _PYTHON,
    "airflow.providers.standard.operators.bash": _BASH,
    "airflow.providers.standard.operators.empty": _EMPTY,
    "airflow.timetables.trigger": {
        name: _TIMETABLES[name] for name in ("CronTriggerTimetable", "DeltaTriggerTimetable")
    },
    "airflow.timetables.interval": {
        name: _TIMETABLES[name] for name in ("CronDataIntervalTimetable", "DeltaDataIntervalTimetable")
    },
    "airflow.timetables.simple": {
        "NullTimetable": "timetables:NullTimetable",
        "OnceTimetable": "timetables:OnceTimetable",
        "ContinuousTimetable": "timetables:ContinuousTimetable",
    },
    "airflow.timetables.base": {
        "DataInterval": "timetables:DataInterval",
        "Timetable": "timetables:Timetable",
    },
    "airflow.utils.context": {"Context": "sdk.context:Context"},
    "airflow.utils.dates": {
        "days_ago": "compat.dates:days_ago ! datetime(2026, 1, 1, tzinfo=UTC)",
    },
    "airflow.utils.decorators": {"apply_defaults": "compat.leftovers:apply_defaults ! nothing: it is not needed"},
    "airflow.utils.edgemodifier": _LABEL,
    "airflow.utils.helpers": {
        **{name: f"{place} ! from airflow.sdk import {name}" for name, place in _EDGES.items()},
    },
    "airflow.utils.log.logging_mixin": {"LoggingMixin": "compat.leftovers:LoggingMixin"},
    "airflow.utils.state": {**_STATES, "State": "sdk.states:State"},
    "airflow.utils.task_group": {"TaskGroup": "sdk.task_group:TaskGroup"},
    "airflow.utils.timezone": {
        name: f"compat.timezone:{name}"
        for name in [
            "utc",
            "utcnow",
            "utc_epoch",
            "datetime",
            "parse",
            "make_aware",
            "make_naive",
            "is_localized",
            "is_naive",
            "convert_to_utc",
            "coerce_datetime",
        ]
    },
    "airflow.utils.trigger_rule": {"TriggerRule": "sdk.rules:TriggerRule"},
    "airflow.utils.types": {"DagRunType": "sdk.rules:DagRunType"},
    "airflow.utils.weight_rule": {"WeightRule": "sdk.rules:WeightRule"},
}
TABLES["airflow.sdk.timezone"] = TABLES["airflow.utils.timezone"]

SAME: Final[tuple[tuple[str, str, bool], ...]] = (
    ("airflow.contrib.operators.bash_operator", "airflow.operators.bash", True),
)
"""Modules that have the names of another: old module, the other, whether to warn."""

_LATER: Final = "are not supported yet."
_BRANCH: Final = f"Branches {_LATER} Use AirflowSkipException and trigger rules."
_SHORT: Final = f"Short circuits {_LATER} Raise AirflowSkipException instead."
HINTS: Final[dict[str, str]] = {
    "airflow.sensors": f"Sensors {_LATER} Poll inside a task with retries.",
    "airflow.providers.standard.sensors": f"Sensors {_LATER} Poll inside a task with retries.",
    "airflow.sdk.BaseSensorOperator": f"Sensors {_LATER} Poll inside a task with retries.",
    "airflow.datasets": "Datasets are called assets since Airflow 3, and are not supported yet.",
    "airflow.sdk.Asset": f"Assets {_LATER} Give the DAG a time schedule.",
    "airflow.providers": "Providers are written for Apache Airflow; call the system's own client library in a @task.",
    "airflow.operators.subdag": "SubDAGs are gone since Airflow 3; use TaskGroup.",
    "airflow.operators.python.BranchPythonOperator": _BRANCH,
    "airflow.operators.python.ShortCircuitOperator": _SHORT,
    "airflow.providers.standard.operators.python.Branch": _BRANCH,
    "airflow.providers.standard.operators.python.ShortCircuit": _SHORT,
    "airflow.operators.trigger_dagrun": f"Runs triggered by tasks {_LATER} Use `tradewind dags trigger`.",
    "airflow.providers.standard.operators.trigger_dagrun": f"Runs triggered by tasks {_LATER} Use the REST API.",
    "airflow.operators.python.PythonVirtualenvOperator": f"Other environments {_LATER} Use BashOperator.",
    "airflow.operators.python.ExternalPythonOperator": f"Other environments {_LATER} Use BashOperator.",
    "airflow.operators.email": "Tradewind sends no mail; send it in a @task.",
    "airflow.configuration": "Tasks do not see the configuration; use a Variable or params.",
    "airflow.plugins_manager": f"Plugins {_LATER}",
    "airflow.settings": "A task cannot reach the metadata DB; use the REST API.",
    "airflow.utils.session": "A task cannot reach the metadata DB; use the REST API.",
    "airflow.utils.db": "A task cannot reach the metadata DB; use the REST API.",
}
"""What to do without a name or module, by prefix; the longest prefix wins."""
