"""Which names does the context of a task have? The ones that a function may ask for by the name of a parameter."""

from __future__ import annotations

from typing import Final

DATED_NAMES: Final = frozenset(
    [
        "data_interval_end",
        "data_interval_start",
        "ds",
        "ds_nodash",
        "logical_date",
        "ts",
        "ts_nodash",
        "ts_nodash_with_tz",
        "task_instance_key_str",
    ]
)
"""Those that exist only when the run has a logical date; the last one does always."""

LATER_NAMES: Final = frozenset(
    [
        "expanded_ti_count",
        "task_state_store",
    ]
)
"""Names of Airflow whose feature does not exist yet; asking for one says so."""

CONTEXT_NAMES: Final = DATED_NAMES | frozenset(
    [
        "asset_state_store",
        "conn",
        "dag",
        "dag_run",
        "exception",
        "inlet_events",
        "inlets",
        "macros",
        "map_index_template",
        "outlet_events",
        "outlets",
        "params",
        "partition_date",
        "partition_key",
        "prev_data_interval_end_success",
        "prev_data_interval_start_success",
        "prev_end_date_success",
        "prev_start_date_success",
        "reason",
        "run_id",
        "task",
        "task_instance",
        "task_reschedule_count",
        "templates_dict",
        "ti",
        "triggering_asset_events",
        "try_number",
        "var",
    ]
)
"""Every name that a context can have."""
