"""Which names of provider packages stand for small ones of our own, as long as the package is not installed?

``Name=module:attribute``, below ``tradewind.``. An installed package takes the place of its names here.
"""

from __future__ import annotations

from typing import Final

_SQL: Final = "sdk.hooks.sql"
_HANDLERS: Final = " ".join(
    f"{name}={_SQL}:{name}" for name in ("fetch_all_handler", "fetch_one_handler", "return_single_query_results")
)
_CHECKS: Final = " ".join(
    f"{name}=sdk.operators.sql_checks:{name}"
    for name in ("SQLCheckOperator", "SQLIntervalCheckOperator", "SQLThresholdCheckOperator", "SQLValueCheckOperator")
)

BUILT_IN: Final[dict[str, str]] = {
    "airflow.providers.common.sql.hooks.handlers": _HANDLERS,
    "airflow.providers.common.sql.hooks.sql": f"DbApiHook={_SQL}:DbApiHook {_HANDLERS}",
    "airflow.providers.common.sql.operators.sql": (
        "BaseSQLOperator=sdk.operators.sql:BaseSQLOperator BranchSQLOperator=sdk.operators.sql:BranchSQLOperator "
        "SQLExecuteQueryOperator=sdk.operators.sql:SQLExecuteQueryOperator "
        f"SQLInsertRowsOperator=sdk.operators.sql:SQLInsertRowsOperator {_CHECKS}"
    ),
    "airflow.providers.common.sql.sensors.sql": "SqlSensor=sdk.sensors.sql:SqlSensor",
    "airflow.providers.docker.hooks.docker": "DockerHook=sdk.hooks.docker:DockerHook",
    "airflow.providers.docker.operators.docker": "DockerOperator=sdk.operators.docker:DockerOperator",
    "airflow.providers.http.hooks.http": "HttpHook=sdk.hooks.http:HttpHook",
    "airflow.providers.http.operators.http": "HttpOperator=sdk.operators.http:HttpOperator",
    "airflow.providers.http.sensors.http": "HttpSensor=sdk.sensors.http:HttpSensor",
    "airflow.providers.postgres.hooks.postgres": f"PostgresHook={_SQL}:PostgresHook",
    "airflow.providers.smtp.hooks.smtp": "SmtpHook=sdk.hooks.smtp:SmtpHook",
    "airflow.providers.smtp.notifications.smtp": (
        "SmtpNotifier=sdk.smtp_notifier:SmtpNotifier send_smtp_notification=sdk.smtp_notifier:SmtpNotifier"
    ),
    "airflow.providers.smtp.operators.smtp": "EmailOperator=sdk.operators.email:EmailOperator",
    "airflow.providers.sqlite.hooks.sqlite": f"SqliteHook={_SQL}:SqliteHook",
}

HOOKS: Final[dict[str, str]] = {
    "docker": "tradewind.sdk.hooks.docker.DockerHook",
    "fs": "tradewind.sdk.hooks.filesystem.FSHook",
    "http": "tradewind.sdk.hooks.http.HttpHook",
    "package_index": "tradewind.sdk.hooks.package_index.PackageIndexHook",
    "postgres": "tradewind.sdk.hooks.sql.PostgresHook",
    "smtp": "tradewind.sdk.hooks.smtp.SmtpHook",
    "sql": "tradewind.sdk.hooks.sql.DbApiHook",
    "sqlite": "tradewind.sdk.hooks.sql.SqliteHook",
}
"""Our own hook for each type of connection."""
