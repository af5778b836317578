"""Which names of Airflow are not there, why, and what instead? One list; the longest prefix of a name decides.

Names that Airflow 3.3 itself has dropped stand here too when they are not taken all the same (see ``gone``).
"""

from __future__ import annotations

from typing import Final

_PROCESSES: Final = "It belongs to Airflow's own processes, which Tradewind does not have."

UNSUPPORTED: Final[tuple[tuple[str, str], ...]] = (
    (
        "airflow.api airflow.api_fastapi airflow.auth airflow.www airflow.security airflow.providers.fab",
        "Tradewind has a web server and accounts of its own. Use the REST API (/api/v2), `tradewind users`.",
    ),
    (
        "airflow.cli airflow.utils.cli airflow.utils.cli_action_loggers airflow.utils.providers_configuration_loader",
        "Tradewind has a command line of its own: call `tradewind` in a subprocess, or the REST API.",
    ),
    (
        "airflow.executors airflow.kubernetes",
        "Tradewind has executors of its own: [core] executor in airflow.cfg.",
    ),
    (
        "airflow.jobs airflow.dag_processing airflow.callbacks airflow.ti_deps airflow.assets airflow.state "
        "airflow.serialization airflow.sdk.api airflow.sdk.coordinators airflow.sdk.execution_time "
        "airflow.task.task_runner airflow.migrations "
        "airflow.utils.scheduler_health airflow.utils.serve_logs airflow.utils.event_scheduler "
        "airflow.utils.dag_version_inflation_checker airflow.utils.memray_utils airflow.utils.code_utils "
        "airflow.triggers.shared_stream airflow.utils.jwt_signer airflow.utils.span_status airflow.utils.file",
        f"{_PROCESSES} Remove the import; the REST API (/api/v2) has what can be asked from outside.",
    ),
    (
        "airflow.metrics airflow.observability.metrics airflow.sdk.observability.metrics airflow.traces",
        "Tradewind has metrics of its own. `airflow.sdk.observability.stats.Stats` may be called, and does nothing.",
    ),
    (
        "airflow.logging airflow.logging_config airflow.utils.log airflow.sdk.log",
        "Logs are written by the supervisor; a task uses `logging`, or self.log. For remote logs see [logging] in "
        "airflow.cfg.",
    ),
    (
        "airflow.settings airflow.utils.db airflow.utils.session airflow.utils.sqlalchemy "
        "airflow.utils.orm_event_handlers airflow.utils.db_cleanup airflow.utils.db_manager airflow.utils.retries "
        "airflow.models",
        "A task cannot reach the metadata DB. Use the REST API (/api/v2), or ti, Variable and Connection.",
    ),
    (
        "airflow.configuration airflow.sdk.configuration",
        "Only reading options is there: from airflow.configuration import conf; conf.get(section, option).",
    ),
    ("airflow.example_dags", "Copy the module beside the DAG file, and import it by its own name."),
    ("airflow.datasets", "Datasets are called assets since Airflow 3: from airflow.sdk import Asset."),
    ("airflow.operators.subdag", "SubDAGs are gone since Airflow 3. Use TaskGroup, or TriggerDagRunOperator."),
    ("airflow.models.slamiss airflow.models.SlaMiss", "SLAs are gone since Airflow 3. Use DeadlineAlert."),
    ("airflow.contrib", "airflow.contrib is gone since Airflow 2. Import from airflow.providers."),
    (
        "airflow.operators.generic_transfer",
        "It is in a package: pip install --no-deps apache-airflow-providers-common-sql, and import it from "
        "airflow.providers.common.sql.operators.generic_transfer.",
    ),
    (
        "airflow.operators",
        "Import operators from airflow.providers.standard.operators, or from their provider package.",
    ),
    ("airflow.sensors", "Import sensors from airflow.providers.standard.sensors, or from their provider package."),
    ("airflow.hooks", "Import hooks from their provider package, e.g. airflow.providers.common.sql.hooks.sql."),
    (
        "airflow.decorators",
        "Import decorators from airflow.sdk: from airflow.sdk import task, then @task.bash and its kin.",
    ),
    ("airflow.triggers", "Import triggers from airflow.providers.standard.triggers."),
    ("airflow.lineage", "Lineage is not recorded. Remove inlets and outlets of files, or use assets."),
    ("airflow.templates airflow.template", "Templates are rendered by BaseOperator.render_template."),
    ("airflow.utils.dates", "Write dates with datetime and timedelta, or pendulum."),
    ("airflow.utils.dot_renderer airflow.utils.dag_edges", "Draw a DAG with `tradewind dags show DAG --dot`."),
    (
        "airflow.utils.dag_cycle_tester",
        "Cycles are refused when the DAG file is read: `tradewind dags list-import-errors`.",
    ),
    ("airflow.utils.process_utils airflow.utils.platform", "Use subprocess, psutil or os."),
    ("airflow.providers", ""),
    (
        "airflow.plugins_manager airflow.sdk.plugins_manager airflow.listeners airflow.sdk.listener",
        "Plugins are found and loaded by Tradewind; a file needs AirflowPlugin and hookimpl only.",
    ),
    (
        "airflow.secrets",
        "Give connections and variables by environment, or by `tradewind connections` and `variables`.",
    ),
    (
        "airflow.sdk.definitions airflow.sdk.bases airflow.sdk.serde airflow.sdk.crypto airflow.sdk.state "
        "airflow.sdk.io airflow.timetables airflow.task airflow.policies",
        "It is an inner part of Airflow. Import public names from airflow.sdk.",
    ),
    (
        "airflow.providers_manager airflow.sdk.providers_manager_runtime",
        "Only hooks, dialects and providers can be asked of ProvidersManager.",
    ),
    (
        "airflow.Trace airflow.manager airflow.exceptions airflow.sdk.exceptions",
        "Nothing here raises it. Remove the import.",
    ),
    ("airflow.io", "Import ObjectStoragePath from airflow.sdk."),
    ("airflow.notifications", "Import BaseNotifier from airflow.sdk."),
    ("airflow.sdk airflow.partition_mappers", "It is no public name of airflow.sdk, or not supported."),
    ("airflow.typing_compat", "Import it from typing, or typing_extensions."),
    ("airflow.macros airflow.utils", "Use Python's own libraries for it."),
)


def mend_of(name: str) -> str:
    """Return what to do without a name or module; an empty text when nobody knows it."""
    best, said = "", ""
    for prefixes, mend in UNSUPPORTED:
        for prefix in prefixes.split():
            if len(prefix) > len(best) and (name == prefix or name.startswith(f"{prefix}.")):
                best, said = prefix, mend
    if best == "airflow.providers":
        return _for_provider(name)
    return said


def _for_provider(name: str) -> str:
    """Return how to install the provider package that has ``name``."""
    parts = name.split(".")[2:]
    if parts[:1] == ["standard"]:
        return (
            "It is an inner part of Airflow's standard package. Import operators, sensors and triggers by their names."
        )
    if parts and parts[0] in _NESTED:
        parts = [parts[0], *parts[1:2]] if len(parts) > 1 else [parts[0], "NAME"]
    else:
        parts = parts[:1] or ["NAME"]
    package = "-".join(parts)
    return (
        f"If it belongs to a provider package, install that: pip install --no-deps apache-airflow-providers-{package}, "
        "and the libraries it needs."
    )


_NESTED: Final = frozenset({"apache", "cncf", "common", "dbt", "microsoft", "atlassian", "ibm"})
"""Parts under which several provider packages stand."""
