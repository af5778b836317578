"""What does an option mean that is not ours? Renamed, known to Airflow only, or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tradewind.config.sections import SECTIONS

RENAMED: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("core", "sql_alchemy_conn"): ("database", "sql_alchemy_conn"),
    ("core", "sql_alchemy_pool_size"): ("database", "sql_alchemy_pool_size"),
    ("core", "base_log_folder"): ("logging", "base_log_folder"),
    ("core", "logging_level"): ("logging", "logging_level"),
    ("core", "remote_logging"): ("logging", "remote_logging"),
    ("core", "remote_base_log_folder"): ("logging", "remote_base_log_folder"),
    ("core", "remote_log_conn_id"): ("logging", "remote_log_conn_id"),
    ("core", "dag_concurrency"): ("core", "max_active_tasks_per_dag"),
    ("core", "non_pooled_task_slot_count"): ("core", "default_pool_task_slot_count"),
    ("core", "dag_file_processor_timeout"): ("dag_processor", "dag_file_processor_timeout"),
    ("core", "killed_task_cleanup_time"): ("workers", "cancel_grace_seconds"),
    ("admin", "hide_sensitive_variable_fields"): ("core", "hide_sensitive_var_conn_fields"),
    ("admin", "sensitive_variable_fields"): ("core", "sensitive_var_conn_names"),
    ("scheduler", "parsing_processes"): ("dag_processor", "parsing_processes"),
    ("scheduler", "max_threads"): ("dag_processor", "parsing_processes"),
    ("scheduler", "dag_dir_list_interval"): ("dag_processor", "refresh_interval"),
    ("webserver", "base_url"): ("api", "base_url"),
    ("webserver", "web_server_host"): ("api", "host"),
    ("webserver", "web_server_port"): ("api", "port"),
    ("webserver", "web_server_ssl_cert"): ("api", "ssl_cert"),
    ("webserver", "web_server_ssl_key"): ("api", "ssl_key"),
    ("webserver", "workers"): ("api", "workers"),
    ("webserver", "secret_key"): ("api", "secret_key"),
    ("celery", "default_queue"): ("operators", "default_queue"),
}
"""Names of Airflow 2, and of Airflow where ours differs, with the option that means the same."""

_BECAUSE: Final[Mapping[tuple[str, str], str]] = {
    ("dag_processor", "min_file_process_interval"): " (changed files are read at once, all within refresh_interval)",
    ("scheduler", "min_file_process_interval"): " (changed files are read at once, all within refresh_interval)",
    ("dag_processor", "dag_bundle_config_list"): (
        " (dag_bundle names one source of DAG files: the folder, `database`, or git+https://...)"
    ),
    ("core", "execution_api_server_url"): " (workers speak SQL, unless [workers] control_plane names a web server)",
    ("scheduler", "scheduler_heartbeat_sec"): " (lease_seconds says how soon a dead process is noticed)",
    ("celery_broker_transport_options", "visibility_timeout"): " (messages are acknowledged at once: none comes twice)",
    ("celery", "task_acks_late"): " (messages are acknowledged at once; the metadata DB knows what is to be run)",
    ("celery", "result_backend"): " (what became of tasks is stored in the metadata DB)",
    ("celery", "worker_prefetch_multiplier"): " (a worker without a free slot takes no messages)",
    ("celery", "pool"): " (each task is a process of its own)",
    ("celery", "ssl_active"): " (say it in broker_url: rediss:// or amqps://, with ?ssl_ca_certs=/path if need be)",
    ("celery", "ssl_cacert"): " (say it in broker_url: ?ssl_ca_certs=/path)",
    ("scheduler", "task_queued_timeout"): " (a task cannot be stuck in queued)",
}


def explain_unknown(section: str, name: str) -> str | None:
    """Return why Airflow's option means nothing here (may be empty); None when Airflow does not know it either."""
    # Only met when somebody uses Airflow's file: hundreds of names that nobody else should load.
    from tradewind.config.airflow_names import AIRFLOW_OPTIONS

    if (section, name) in _BECAUSE:
        return _BECAUSE[section, name]
    if section in AIRFLOW_OPTIONS and section not in SECTIONS:
        return ""  # a whole section of Airflow's: which options it has in which release is not ours to judge
    return "" if name in AIRFLOW_OPTIONS.get(section, "").split() else None
