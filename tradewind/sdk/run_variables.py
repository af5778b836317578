"""By which environment variables does a program know which task of which run it is? ``AIRFLOW_CTX_*``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


def context_variables(context: Context) -> dict[str, str]:
    """Return the environment variables that tell which task of which run it is; names as in Airflow."""
    if "ti" not in context:  # a unit test's context may be empty
        return {}
    ti, date = context["ti"], context["dag_run"].logical_date
    found = {
        "AIRFLOW_CTX_DAG_OWNER": context["task"].owner,
        "AIRFLOW_CTX_DAG_ID": ti.dag_id,
        "AIRFLOW_CTX_TASK_ID": ti.task_id,
        "AIRFLOW_CTX_LOGICAL_DATE": date.isoformat() if date else None,
        "AIRFLOW_CTX_TRY_NUMBER": str(ti.try_number),
        "AIRFLOW_CTX_DAG_RUN_ID": ti.run_id,
    }
    return {name: value for name, value in found.items() if value}
