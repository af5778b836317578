"""What is a DAG, once its file has been read? ``DagSpec``: plain data with one canonical JSON form.

A spec holds what the scheduler and the UI need and nothing that only a task process can use: callables and template
values stay in the DAG file. Two parses of the same file give the same bytes, so a version is the hash of those bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

SPEC_FORMAT: Final = 1
"""Grows when the meaning of a field changes; a stored spec of another format is parsed again from its file."""


class TimetableSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """When runs are due. ``kind`` names the class in ``tradewind.timetables``; ``args`` are its plain arguments."""

    kind: str
    args: Mapping[str, Any] = {}
    summary: str = ""  # what the user wrote, e.g. "0 2 * * *"
    description: str = ""  # in words, e.g. "At 02:00"


class ParamSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run parameter: its JSON schema, and its default when there is one."""

    schema: Mapping[str, Any]
    default: Any = None
    has_default: bool = True
    description: str | None = None


class FixedLength(msgspec.Struct, frozen=True, tag="fixed"):
    """So many values stand in the DAG file."""

    length: int


class OutputLength(msgspec.Struct, frozen=True, tag="output"):
    """As many values as a task returned; of a task that is itself mapped, as many as its indexes left."""

    task_id: str


class ZipLength(msgspec.Struct, frozen=True, tag="zip"):
    """As many values as the shortest part has; the longest, when gaps are filled."""

    parts: tuple[Length, ...]
    fills_gaps: bool = False


class ConcatLength(msgspec.Struct, frozen=True, tag="concat"):
    """As many values as all parts have together."""

    parts: tuple[Length, ...]


Length = FixedLength | OutputLength | ZipLength | ConcatLength
"""How many values an argument of ``expand`` has. Values themselves are found in the task process."""


class MappingSpec(msgspec.Struct, frozen=True):
    """Over what a task or a group is expanded: as many instances as the product of the lengths."""

    lengths: tuple[Length, ...]


class AssetMention(msgspec.Struct, frozen=True, omit_defaults=True):
    """An asset where a DAG names it: by name and URI, by one of the two, or through an alias (then it has no other)."""

    name: str | None = None
    uri: str | None = None
    alias: str | None = None


class WatcherSpec(msgspec.Struct, frozen=True):
    """A trigger that makes an event of an asset whenever it fires. ``kwargs`` is JSON text of ``tradewind.xcom``."""

    name: str
    trigger: str  # dotted path of the class
    kwargs: str


class AssetSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """An asset that a DAG defines by naming it whole, somewhere in its schedule or its tasks."""

    name: str
    uri: str
    group: str = "asset"
    extra: Mapping[str, Any] = {}
    watchers: tuple[WatcherSpec, ...] = ()


class AliasSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alias that a DAG names; running tasks say which assets it stands for."""

    name: str
    group: str = "asset"


class KeySpec(msgspec.Struct, frozen=True):
    """At most ``limit`` run at once whose ``template`` comes to the same text (``tradewind.model.keys``)."""

    template: str
    limit: int


class RateSpec(msgspec.Struct, frozen=True):
    """At most ``limit`` start within any window of ``per_seconds``, in all DAGs (``tradewind.model.rates``)."""

    name: str
    limit: int
    per_seconds: float


class DeadlineSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """When user code is called because a run has not succeeded, or a task is not done: so long after a reference.

    The references of both are logical_date, queued_at (of the run), and fixed; of runs average_runtime, and own: only
    user code can say it; of tasks run_started_at, task_queued_at and task_started_at, these of its first try.
    """

    reference: str
    interval_seconds: float | None  # None: a Variable says it
    at: str | None = None  # of a fixed one
    max_runs: int = 0  # of average_runtime: over how many successful runs,
    min_runs: int = 0  # and how many there must be
    name: str | None = None
    callback: str = ""  # what is called, for people
    executor: str | None = None

    @property
    def needs_process(self) -> bool:
        """Whether user code has to say when it is."""
        return self.reference == "own" or self.interval_seconds is None


class TaskSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One task of a DAG as the scheduler and the UI see it. Durations are in seconds, instants ISO 8601 with offset."""

    task_id: str
    operator: str = "BaseOperator"  # the class name
    upstream: tuple[str, ...] = ()  # task ids, sorted
    trigger_rule: str = "all_success"
    retries: int = 0
    retry_delay_seconds: float = 300.0
    retry_exponential_backoff: float = 0.0  # multiplier; 0 means the delay is constant
    max_retry_delay_seconds: float | None = None
    execution_timeout_seconds: float | None = None
    pool: str = "default_pool"
    pool_slots: int = 1
    priority: int = 1  # effective weight, after the weight rule
    priority_weight: int = 1
    weight_rule: str = "downstream"
    queue: str = "default"
    executor: str | None = None
    owner: str = "airflow"
    needs_process: bool = True  # False: succeeds where it stands (EmptyOperator without callbacks or outlets)
    is_setup: bool = False
    is_teardown: bool = False
    on_failure_fail_dagrun: bool = False
    depends_on_past: bool = False
    wait_for_downstream: bool = False
    ignore_first_depends_on_past: bool = True
    wait_for_past_depends_before_skipping: bool = False
    start_date: str | None = None
    end_date: str | None = None
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    concurrency: tuple[KeySpec, ...] = ()  # of its instances
    rate_limits: tuple[RateSpec, ...] = ()
    do_xcom_push: bool = True
    group_id: str | None = None  # the innermost group; None is the root
    display_name: str | None = None
    template_fields: tuple[str, ...] = ()
    doc_md: str | None = None
    ui_color: str | None = None
    ui_fgcolor: str | None = None
    mapping: MappingSpec | None = None  # of the task itself; that of a group around it stands in the group
    calls_back: tuple[str, ...] = ()  # ends after which user code is called: "failure", "retry"; the task process does
    # it itself, unless it has died
    inlets: tuple[AssetMention, ...] = ()
    outlets: tuple[AssetMention, ...] = ()
    deadlines: tuple[DeadlineSpec, ...] = ()  # in the order of the file


class GroupSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One task group: a box in the graph view and a prefix of task ids."""

    group_id: str
    parent_id: str | None = None
    display_name: str | None = None
    tooltip: str = ""
    mapping: MappingSpec | None = None  # all tasks inside are expanded together, index by index


class SchedulePolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a DAG wishes beside its timetable. The defaults are Airflow's ways."""

    overlap: str = "allow"  # a run is due while another is under way: allow, skip, buffer_one, buffer_all, cancel_other
    catchup_window_seconds: float | None = None  # missed runs further back are left out; None: all are made
    jitter_seconds: float = 0.0  # runs begin later by a part of it that is always the same for the DAG
    excluded: tuple[str, ...] = ()  # days without a run, sorted: "2026-12-24", "2026-12-24/2027-01-02", "*-12-25"


class DagSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One DAG. ``tasks`` are sorted by id; edges stand in :attr:`TaskSpec.upstream`."""

    dag_id: str
    timetable: TimetableSpec
    tasks: tuple[TaskSpec, ...]
    groups: tuple[GroupSpec, ...] = ()
    edge_labels: Mapping[str, str] = {}  # "upstream>downstream" -> text
    description: str | None = None
    display_name: str | None = None
    doc_md: str | None = None
    tags: tuple[str, ...] = ()
    owner_links: Mapping[str, str] = {}
    timezone: str = "UTC"
    start_date: str | None = None
    end_date: str | None = None
    catchup: bool = False
    max_active_runs: int = 16
    max_active_tasks: int = 16
    max_consecutive_failed_dag_runs: int = 0
    concurrency: tuple[KeySpec, ...] = ()  # of its runs
    policy: SchedulePolicy = SchedulePolicy()
    dagrun_timeout_seconds: float | None = None
    run_retries: int = 0  # how often a run that has failed is tried again from what failed
    run_retry_delay_seconds: float = 300.0
    holds_after_failure: bool = False  # once a run has failed, no later one starts until somebody has seen to it
    days_kept: float | None = None  # how long its runs are kept after their end; 0: for ever; None: as configured
    fail_fast: bool = False
    is_paused_upon_creation: bool | None = None
    params: Mapping[str, ParamSpec] = {}
    render_template_as_native_obj: bool = False
    has_success_callback: bool = False
    has_failure_callback: bool = False
    deadlines: tuple[DeadlineSpec, ...] = ()  # in the order of the file
    listens: tuple[str, ...] = ()  # hooks of runs that listeners of the installation want to hear, sorted
    assets: tuple[AssetSpec, ...] = ()  # sorted by name and URI
    asset_aliases: tuple[AliasSpec, ...] = ()  # sorted by name
    format: int = SPEC_FORMAT


def encode_spec(spec: DagSpec) -> bytes:
    """Return the canonical JSON of ``spec``: the same spec gives the same bytes, in any process, for ever."""
    return msgspec.json.encode(spec, order="deterministic")


def decode_spec(data: bytes | str) -> DagSpec:
    """Return the spec that :func:`encode_spec` wrote.

    Raises:
        msgspec.ValidationError: ``data`` is not a spec.
    """
    return _decoder.decode(data)


def version_hash(spec: DagSpec, source: bytes) -> str:
    """Return the identity of a DAG version: 64 hex digits over the spec and the file that it came from.

    The source is part of it because a run keeps the code it started with (decision 0004).
    """
    digest = hashlib.sha256(encode_spec(spec))
    digest.update(b"\0")
    digest.update(source)
    return digest.hexdigest()


_decoder: Final = msgspec.json.Decoder(DagSpec)
