"""What holds when a DAG file does not say? Values that come from the configuration, plus the built-in ones.

The configuration is read by the process that starts work (scheduler, parse server, runner); it hands the few values
that authoring needs to :func:`use`. Until then the built-in defaults hold, so a DAG file can be imported on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Defaults:
    """Defaults of DAG and task arguments. Plain values, so that they can cross to another process."""

    timezone: str = "UTC"
    max_active_runs: int = 16
    max_active_tasks: int = 16
    max_consecutive_failed_dag_runs: int = 0
    catchup: bool = False
    create_cron_data_intervals: bool = False
    owner: str = "airflow"
    queue: str = "default"
    retries: int = 0
    retry_delay_seconds: float = 300.0
    execution_timeout_seconds: float | None = None
    max_map_length: int = 1024
    weight_rule: str = "downstream"
    plugins_folder: str = ""  # empty: there is none
    settings_folder: str = ""  # where airflow_local_settings.py is looked for first
    deferrable: bool = False
    sensor_timeout_seconds: float = 604800.0

    @property
    def retry_delay(self) -> timedelta:
        """The wait after a failed try."""
        return timedelta(seconds=self.retry_delay_seconds)

    @property
    def execution_timeout(self) -> timedelta | None:
        """The longest time that one try may take, or None."""
        seconds = self.execution_timeout_seconds
        return None if seconds is None else timedelta(seconds=seconds)

    @classmethod
    def from_config(cls, config: Any) -> Defaults:
        """Take from a loaded configuration (``tradewind.config``) what authoring needs."""
        core, scheduler, operators = config.core, config.scheduler, config.operators
        return cls(
            timezone=str(core.default_timezone),
            max_active_runs=core.max_active_runs_per_dag,
            max_active_tasks=core.max_active_tasks_per_dag,
            max_consecutive_failed_dag_runs=core.max_consecutive_failed_dag_runs_per_dag,
            catchup=scheduler.catchup_by_default,
            create_cron_data_intervals=scheduler.create_cron_data_intervals,
            owner=operators.default_owner,
            queue=operators.default_queue,
            retries=core.default_task_retries,
            retry_delay_seconds=_seconds(core.default_task_retry_delay),
            execution_timeout_seconds=_seconds_or_none(core.default_task_execution_timeout),
            max_map_length=core.max_map_length,
            weight_rule=core.default_task_weight_rule,
            plugins_folder=str(core.plugins_folder.absolute()),
            settings_folder=str((config.home / "config").absolute()),
            deferrable=operators.default_deferrable,
            sensor_timeout_seconds=_seconds(config.sensors.default_timeout),
        )


def _seconds(value: Any) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _seconds_or_none(value: Any) -> float | None:
    return _seconds(value) if value else None


_current = Defaults()


def current() -> Defaults:
    """Return the defaults in force."""
    return _current


def use(defaults: Defaults) -> None:
    """Put ``defaults`` in force for DAGs and tasks that are created from now on in this process."""
    global _current
    _current = defaults
