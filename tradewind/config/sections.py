"""Which options are there? One frozen dataclass per section; names are Airflow's where they mean the same."""

# ruff: noqa: RUF009  option() is dataclasses.field() with metadata: evaluated once, shared by nobody

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tradewind.config.bundle_source import BundleSource, bundle_source
from tradewind.config.executor_names import ExecutorName, executor_names
from tradewind.config.option import (
    boolean,
    choice,
    fernet_keys,
    folder,
    integer,
    number,
    option,
    optional,
    optional_address,
    optional_folder,
    required,
    share,
    text,
    timezone,
    words,
)
from tradewind.config.worker_access import control_plane_address, worker_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What DAG files are, and what they get when they say nothing."""

    dags_folder: Path = option("{home}/dags", folder, "Folder that is searched for DAG files, with its subfolders.")
    plugins_folder: Path = option(
        "{home}/plugins",
        folder,
        "Folder of plugins, and of modules that every DAG file may import. airflow_local_settings.py is looked for in"
        " {home}/config and here.",
    )
    load_examples: bool = option("True", boolean, "Show the example DAGs beside your own. Turn off in production.")
    executor: tuple[ExecutorName, ...] = option(
        "LocalExecutor",
        executor_names,
        "How tasks are run: LocalExecutor, CeleryExecutor, or your own as module.Class; several comma-separated, each"
        " with a name before a colon if you like. The first is for tasks that do not say executor=.",
    )
    parallelism: int = option(
        "32",
        integer(1),
        "How many tasks may run at once, over all DAGs and machines. Admission counts it in the metadata DB, so "
        "that any number of schedulers keep it together.",
    )
    max_active_tasks_per_dag: int = option(
        "16", integer(1), "How many tasks of one run of a DAG may run at once, for DAGs without max_active_tasks."
    )
    max_active_runs_per_dag: int = option(
        "16", integer(1), "How many runs of a DAG may be active at once, for DAGs without max_active_runs."
    )
    max_consecutive_failed_dag_runs_per_dag: int = option(
        "0", integer(0), "Pause a DAG after this many failed runs in a row, for DAGs that do not say. 0: never."
    )
    dags_are_paused_at_creation: bool = option(
        "True", boolean, "New DAGs start paused, so that copying a file starts nothing by itself."
    )
    default_timezone: str = option("utc", timezone, "Time zone of dates and schedules in DAG files that name none.")
    fernet_key: str = option(
        "",
        fernet_keys,
        "Keys that encrypt variables and connections; comma-separated: the first encrypts, all decrypt. Empty: one"
        " is made on first use and kept in the home folder, readable by its owner only.",
        is_secret=True,
    )
    dagbag_import_timeout: float = option(
        "30", number(above=True), "Seconds that the import of one DAG file may take before it is given up as too slow."
    )
    dag_ignore_file_syntax: str = option(
        "glob", choice("glob", "regexp"), "How lines of .airflowignore are read: glob as in .gitignore, or regexp."
    )
    dag_discovery_safe_mode: bool = option(
        "True", boolean, "Read only Python files whose text mentions DAGs, so that helper modules are not imported."
    )
    default_task_retries: int = option("0", integer(0), "How often a failed task is tried again, unless it says so.")
    default_task_retry_delay: float = option("300", number(), "Seconds between tries, for tasks without retry_delay.")
    max_task_retry_delay: float = option(
        "86400", number(), "Seconds that exponential backoff never exceeds, for tasks without max_retry_delay: a day."
    )
    default_task_execution_timeout: float | None = option(
        "",
        optional(number(above=True)),
        "Seconds that a task may run, for tasks without execution_timeout. Empty: no limit.",
    )
    default_task_weight_rule: str = option(
        "downstream",
        choice("downstream", "upstream", "absolute"),
        "How priorities add up, for tasks without weight_rule.",
    )
    default_pool_task_slot_count: int = option(
        "128",
        integer(-1),
        "Slots of the pool default_pool when it is created; -1: no limit. Later change the pool itself.",
    )
    hide_sensitive_var_conn_fields: bool = option(
        "True", boolean, "Mask values of variables and connection fields whose names sound secret, in logs and UI."
    )
    sensitive_var_conn_names: tuple[str, ...] = option(
        "",
        words,
        "More names that sound secret, comma-separated, beside password, secret, token, api_key and the like.",
    )
    max_map_length: int = option(
        "1024", integer(1), "How many values a task may return when another is expanded over them; with more it fails."
    )
    xcom_max_inline_bytes: int = option(
        "16777216",
        integer(1),
        "Bytes that one XCom may take in the metadata DB. A larger one goes to xcom_object_store, or fails its "
        "task when there is none. With an object store, set it to some 50,000: a database is a poor place for data.",
    )
    xcom_object_store: str = option(
        "", text, "Where larger XComs go: a folder or any fsspec URL, e.g. s3://bucket/xcom. Empty: nowhere."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSection:
    """The metadata DB."""

    sql_alchemy_conn: str = option(
        "sqlite:///{home}/tradewind.db",
        required,
        "Address of the metadata DB: sqlite:////absolute/path.db, or postgresql://user:password@host/name for more"
        " than one scheduler or machine.",
        is_secret=True,
    )
    sql_alchemy_pool_size: int = option("5", integer(1), "Connections that one process keeps open at most.")
    statement_timeout_seconds: float = option(
        "60",
        number(above=True),
        "Seconds after which a statement is given up; a lock after half, at most 10 (PostgreSQL).",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """When runs are made, and how schedulers share the work."""

    catchup_by_default: bool = option(
        "False", boolean, "Make the runs missed since start_date, for DAGs that do not say catchup=."
    )
    create_cron_data_intervals: bool = option(
        "False",
        boolean,
        "Schedules run at the END of a data interval, as in Airflow 2, instead of at a point in time. Read for "
        "cron strings and timedeltas alike, as Airflow does.",
    )
    create_delta_data_intervals: bool = option(
        "False",
        boolean,
        "Accepted for Airflow's sake; it changes nothing there either: create_cron_data_intervals decides for "
        "timedeltas too.",
    )
    lease_seconds: float = option(
        "30",
        number(3),
        "Seconds without a sign of life after which a process counts as dead and its work is taken over. Shorter "
        "recovers sooner, and takes a slow machine for a dead one sooner.",
    )
    backfill_share: float = option(
        "0.75",
        share,
        "How much of parallelism the tasks of backfills may take. They start after all others; where parallelism is "
        "more than 1, one place is always left for these.",
    )
    max_infrastructure_losses: int = option(
        "3", integer(0), "How often a task that was lost with its machine is started again without using up a retry."
    )
    poll_seconds: float = option(
        "5", number(above=True), "Seconds between looks at the metadata DB when nothing rings: a safety net only."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DagProcessor:
    """Reading DAG files."""

    refresh_interval: float = option(
        "300",
        number(1),
        "Seconds within which every DAG file is read again although it did not change, since a DAG may depend on "
        "other things. Changed files are read at once.",
    )
    parsing_processes: int = option("2", integer(1), "How many DAG files are read at once.")
    dag_file_processor_timeout: float = option(
        "50", number(above=True), "Seconds after which the process that reads a DAG file is killed."
    )
    parse_memory_limit_mb: int = option(
        "1024", integer(0), "MiB that the process that reads a DAG file may take. 0: no limit."
    )
    dag_bundle: BundleSource = option(
        "",
        bundle_source,
        "Where runs have their DAG files from. Empty: the DAG folder as it is, on every host. `database`: that folder"
        " of the scheduler as it was when the run began, kept in the metadata DB. Or a git repository, e.g."
        " git+https://host/team/dags.git@main#subdirectory=dags: each run stays with the commit that it began with.",
        is_secret=True,
    )
    bundle_refresh_check_interval: float = option(
        "30", number(1), "Seconds between looks at that git repository for something new."
    )
    dag_bundle_storage_path: Path = option(
        "{home}/bundles",
        folder,
        "Folder in which each host keeps the DAG files of the bundles used last. On a disk of its own, not shared.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Running tasks on one machine."""

    warm_dag_files: int = option(
        "16",
        integer(1),
        "How many DAG files are kept imported, so that their tasks start in milliseconds. Each costs memory.",
    )
    cancel_grace_seconds: float = option(
        "10", number(), "Seconds between asking a task to end (SIGTERM) and killing it (SIGKILL)."
    )
    task_memory_limit_mb: int = option("0", integer(0), "MiB that one task process may take. 0: no limit.")
    control_plane: str = option(
        "",
        control_plane_address,
        "How workers away from the scheduler reach the metadata DB. Empty: directly, by SQL. Else the address of a web"
        " server, e.g. https://tradewind.example.com: then they need neither the database nor the keys of this"
        " installation.",
    )
    token: tuple[str, ...] = option(
        "",
        worker_tokens,
        "What such a worker proves itself with, the same at the web server and at the workers; `tradewind celery token`"
        " makes one. Comma-separated: workers send the first, a web server takes all, so that it can be changed while"
        " all runs. Empty at the web server: it lets no worker in.",
        is_secret=True,
    )
    ca_file: Path | None = option(
        "",
        optional_folder,
        "PEM file of the authority that vouches for the web server of control_plane. Empty: those that this machine"
        " trusts.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Celery:
    """Running tasks on other machines, through a broker."""

    broker_url: str = option(
        "redis://localhost:6379/0",
        required,
        "Address of the broker, Redis or RabbitMQ (amqp://). It carries only ids of attempts: what it loses is found"
        " in the metadata DB.",
        is_secret=True,
    )
    worker_concurrency: int = option("16", integer(1), "How many tasks one worker runs at once.")
    worker_autoscale: str = option(
        "",
        text,
        "MAX,MIN: how many tasks one worker runs at once, by how busy its machine is. Empty: worker_concurrency.",
    )
    worker_stop_seconds: float = option(
        "60",
        number(),
        "Seconds that the tasks of a worker may go on once it is told to stop. What still runs then is ended, and"
        " started again by others. Give more to whatever would kill the worker: TimeoutStopSec of systemd, or a pod's"
        " grace period.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The web UI and the REST API."""

    host: str = option("127.0.0.1", required, "Address to listen at. 0.0.0.0 opens it to the network.")
    port: int = option("8080", integer(0, 65535), "Port to listen at. 0: any free one.")
    base_url: str = option("", text, "Address that people see, behind a proxy. Empty: made from host and port.")
    ssl_cert: Path | None = option(
        "",
        optional_folder,
        "PEM file with the certificate of the web server and those between it and its authority: then it speaks HTTPS."
        " Empty: HTTP, for this machine alone or behind a proxy that speaks HTTPS.",
    )
    ssl_key: Path | None = option("", optional_folder, "PEM file with the key of that certificate, without a password.")
    secret_key: str = option(
        "",
        text,
        "Signs what the web server gives to browsers. Empty: made on first use and kept in the home folder; set it"
        " when several machines serve one installation.",
        is_secret=True,
    )
    session_hours: float = option("24", number(above=True), "Hours after which a login ends.")
    workers: int = option("1", integer(1), "Web server processes.")
    threads: int = option(
        "8",
        integer(1),
        "Threads of each web server process that answer requests. Pages that are live hold threads of their own on top:"
        " up to 64 in each process.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """Logs of tasks and of Tradewind itself."""

    base_log_folder: Path = option("{home}/logs", folder, "Folder of the task logs, laid out as Airflow does it.")
    logging_level: str = option(
        "INFO", choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", fold=True), "Least level that is logged."
    )
    remote_base_log_folder: str = option(
        "",
        text,
        "Log store: where the logs of tasks are copied to while they grow, so that the UI shows those of every machine,"
        " also when the machine is gone. A folder that the machines share, or an fsspec URL, e.g. s3://bucket/logs."
        " Empty: they stay where they were written.",
    )
    remote_logging: bool = option("True", boolean, "Use the log store. Airflow's switch; False does without.")
    remote_log_conn_id: str = option(
        "",
        text,
        "Connection with the credentials of the log store. Empty: those of the machine, e.g. AWS_ACCESS_KEY_ID or the"
        " role of its instance.",
    )
    delete_local_logs: bool = option(
        "False", boolean, "Remove a log from the machine that wrote it once the log store has all of it."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operators:
    """What operators get when they say nothing."""

    default_owner: str = option("airflow", required, "Owner of tasks that name none.")
    default_queue: str = option("default", required, "Queue of tasks that name none.")
    default_deferrable: bool = option(
        "False",
        boolean,
        "Whether operators that can wait without a slot, in the triggerer, do so when they say nothing.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggerer:
    """Running the triggers of tasks that wait without a slot."""

    capacity: int = option(
        "10000",
        integer(0),
        "How many triggers one triggerer runs at most; further ones wait for another, or for room. Each scheduler is a "
        "triggerer too. 0: the scheduler is none; start `tradewind triggerer --capacity` somewhere.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensors:
    """What sensors get when they say nothing."""

    default_timeout: float = option("604800", number(), "Seconds that a sensor waits before it fails. A week.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is removed once it is old, in small steps beside the normal work. `tradewind db clean` removes more."""

    run_days: float = option(
        "180",
        number(),
        "Days after its end that a run is kept, with its tasks, XComs and logs; and that backfills, updates of assets "
        "and versions of DAGs are kept that no run needs. A DAG may say otherwise: runs_kept_for. Half a year lets "
        "people look back at the quarter before. 0: for ever.",
    )
    min_runs: int = option(
        "10",
        integer(1),
        "How many of the newest runs of each DAG stay, however old they are, so that a DAG that runs seldom or is "
        "paused keeps a history.",
    )
    audit_days: float = option(
        "365", number(), "Days that entries of the audit log are kept: who did what. A year. 0: for ever."
    )
    archive_folder: Path | None = option(
        "",
        optional_folder,
        "Folder that rows are written into, as packed JSON lines, before they are removed. Empty: they are not kept; "
        "`tradewind db clean` then keeps them in {home}/archive, unless it is told to skip that.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What schedulers, triggerers and workers tell probes."""

    listen: tuple[str, int] | None = option(
        "",
        optional_address,
        "HOST:PORT at which a scheduler, triggerer or worker answers /healthz (its loops turn) and /readyz (it took"
        " work, or asked for it, within its lease). Each process of a machine needs a port of its own; 0: any free one."
        " Empty: none. Web servers answer both at their own port.",
    )


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value came from. ``kind``: default, file, env, generated. ``name``: the path or variable, else empty."""

    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All configuration of one process, read once at its start and never changed.

    Attributes:
        home: the folder that holds everything by default.
        sources: where each value came from, by section and option.
        warnings: sentences to show once at the start, e.g. options that mean nothing here.
    """

    home: Path
    core: Core
    database: DatabaseSection
    scheduler: Scheduler
    dag_processor: DagProcessor
    workers: Workers
    celery: Celery
    api: Api
    logging: Logging
    operators: Operators
    sensors: Sensors
    triggerer: Triggerer
    retention: Retention
    health: Health
    sources: Mapping[tuple[str, str], Source] = field(repr=False)
    texts: Mapping[tuple[str, str], str] = field(repr=False)
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Config(home={str(self.home)!r})"  # never the secrets


SECTIONS: Final[Mapping[str, type[Any]]] = {
    "core": Core,
    "database": DatabaseSection,
    "scheduler": Scheduler,
    "dag_processor": DagProcessor,
    "workers": Workers,
    "celery": Celery,
    "api": Api,
    "logging": Logging,
    "operators": Operators,
    "sensors": Sensors,
    "triggerer": Triggerer,
    "retention": Retention,
    "health": Health,
}
"""Section name -> its options. Names are those of the fields of :class:`Config`; a test holds it so."""

assert all(name in {f.name for f in fields(Config)} for name in SECTIONS)
