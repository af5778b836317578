"""Which names that Airflow 3 has dropped are taken all the same, with a warning? Old module, names, where they are now.

``Old=Name`` where the name has changed as well. ``Name=module:attribute`` as in ``classic``.
"""

from __future__ import annotations

from typing import Final

_STANDARD: Final = "airflow.providers.standard"
_PYTHON: Final = "PythonOperator BranchPythonOperator ShortCircuitOperator"
_SENSORS: Final = f"{_STANDARD}.sensors"
_HELPERS: Final = "airflow.providers.common.compat.module_loading"

GONE: Final[tuple[tuple[str, str, str], ...]] = (
    ("airflow", "Dataset=Asset", "airflow.sdk"),
    ("airflow.operators.dummy", "DummyOperator=EmptyOperator", f"{_STANDARD}.operators.empty"),
    ("airflow.operators.dummy_operator", "DummyOperator=EmptyOperator", f"{_STANDARD}.operators.empty"),
    ("airflow.operators.python_operator", _PYTHON, f"{_STANDARD}.operators.python"),
    ("airflow.operators.python", "task", "airflow.sdk"),
    ("airflow.operators.bash_operator", "BashOperator", f"{_STANDARD}.operators.bash"),
    ("airflow.operators.branch_operator", "BaseBranchOperator", f"{_STANDARD}.operators.branch"),
    ("airflow.operators.latest_only_operator", "LatestOnlyOperator", f"{_STANDARD}.operators.latest_only"),
    (
        "airflow.operators.email",
        "EmailOperator=sdk.operators.email:EmailOperator",
        "airflow.providers.smtp.operators.smtp",
    ),
    ("airflow.contrib.operators.bash_operator", "BashOperator", f"{_STANDARD}.operators.bash"),
    ("airflow.hooks.subprocess", "SubprocessResult", f"{_STANDARD}.hooks.subprocess"),
    ("airflow.hooks.base_hook", "BaseHook", "airflow.sdk"),
    ("airflow.sensors.base_sensor_operator", "BaseSensorOperator", "airflow.sdk"),
    ("airflow.sensors.bash_sensor", "BashSensor", f"{_SENSORS}.bash"),
    ("airflow.sensors.date_time_sensor", "DateTimeSensor", f"{_SENSORS}.date_time"),
    ("airflow.sensors.time_delta_sensor", "TimeDeltaSensor", f"{_SENSORS}.time_delta"),
    ("airflow.sensors.weekday_sensor", "DayOfWeekSensor", f"{_SENSORS}.weekday"),
    ("airflow.contrib.sensors.file_sensor", "FileSensor", f"{_SENSORS}.filesystem"),
    ("airflow.contrib.sensors.python_sensor", "PythonSensor", f"{_SENSORS}.python"),
    (
        "airflow.datasets",
        "Dataset=Asset DatasetAlias=AssetAlias DatasetAll=AssetAll DatasetAny=AssetAny",
        "airflow.sdk",
    ),
    ("airflow.datasets.metadata", "Metadata", "airflow.sdk"),
    ("airflow.exceptions", "RemovedInAirflow3Warning=compat.standins.exceptions:RemovedInAirflow3Warning", "nothing"),
    ("airflow.models.baseoperator", "BaseOperatorLink", "airflow.sdk"),
    ("airflow.models.param", "DagParam", "airflow.sdk.definitions.param"),
    ("airflow.utils.dag_parsing_context", "get_parsing_context AirflowParsingContext", "airflow.sdk"),
    ("airflow.utils.dates", "days_ago=compat.dates:days_ago", "datetime(2026, 1, 1, tzinfo=UTC)"),
    ("airflow.utils.decorators", "apply_defaults=compat.leftovers:apply_defaults", "nothing"),
    ("airflow.utils.edgemodifier", "EdgeModifier", "airflow.sdk"),
    ("airflow.utils.helpers", "chain cross_downstream", "airflow.sdk"),
    (
        "airflow.utils.log.secrets_masker",
        "mask_secret redact should_hide_value_for_key=compat.standins.masking:should_hide_value_for_key",
        "airflow.sdk.log",
    ),
    ("airflow.utils.module_loading", "import_string iter_namespace qualname", _HELPERS),
    (
        "airflow.utils.operator_helpers",
        "context_to_airflow_vars AIRFLOW_VAR_NAME_FORMAT_MAPPING DEFAULT_FORMAT_PREFIX ENV_VAR_FORMAT_PREFIX",
        "airflow.sdk.execution_time.context",
    ),
    ("airflow.utils.template", "literal", "airflow.sdk"),
    (
        "airflow.utils.timezone",
        "is_localized=compat.timezone:is_localized is_naive=compat.timezone:is_naive "
        "make_aware=compat.timezone:make_aware utc_epoch=compat.timezone:utc_epoch",
        "datetime's own methods",
    ),
    ("airflow.utils.weekday", "WeekDay", f"{_STANDARD}.utils.weekday"),
)
